"""Settings of a comparison: what is accepted, refused, and an extension."""

import json
import pathlib
import shutil
from dataclasses import asdict

import pytest
import yaml
from comparing import METHODS, write_images, write_settings

from keras_mdl.models import build_dense_resnet26, build_resnet26
from keras_mdl.runs import networks
from keras_mdl.runs.compare import read_settings
from keras_mdl.runs.compare.plan import jobs_of
from keras_mdl.runs.compare.settings import settings_from
from keras_mdl.runs.compare.trial import recipe_of
from keras_mdl.runs.data_entry import DataEntry
from keras_mdl.runs.experiment import differences, refuse_changes
from keras_mdl.runs.search.search_settings import (
    read_search_settings,
    search_settings_from,
)
from keras_mdl.training import METHODS as ALL_METHODS


@pytest.fixture(autouse=True)
def real_networks(monkeypatch):
    """Other tests put a tiny one in their place."""
    known = {
        "resnet26": build_resnet26, "dense_resnet26": build_dense_resnet26
    }  # fmt: skip
    monkeypatch.setattr(networks, "NETWORKS", known)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("settings")
    write_images(folder / "images", count=2)
    return folder


def read(folder, **changes):
    return read_settings(write_settings(folder / "c.yaml", **changes))


def test_names_and_paths(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # paths are relative to the file
    settings = read(folder)
    assert settings.base.name == "colours"
    assert [d.name for d in settings.domains] == ["shades", "warm"]
    data = settings.domains[1].load(settings.folder, settings.size)
    assert data.domain.name == "warm"
    assert data.domain.num_classes == 2


def test_what_is_read_is_what_is_written(folder):
    settings = read(
        folder,
        images=500,
        epochs=None,
        base="embedded:shapes",
        domains=[{"data": "x=images/shades", "flip": True}, "embedded:digits"],
        methods={"piggyback": {"learning_rate": 0.5}, "individual": None},
    )
    again = settings_from(
        yaml.safe_load(yaml.safe_dump(settings.to_dict())), folder
    )
    assert again == settings
    assert settings.overrides == {"piggyback": {"learning_rate": 0.5}}
    assert settings.domains[0].options == {"flip": True}


def test_defaults(folder):
    settings = read(folder, methods=None, seeds=None)
    assert settings.methods == tuple(ALL_METHODS)
    assert settings.seeds == (0,)
    dense = read(folder, methods=None, network="dense_resnet26")
    left_out = set(ALL_METHODS) - set(dense.methods)
    assert left_out == {"pointwise_sharing", "depthwise_sharing"}


def recipes(settings, train_images):
    """`{method: its recipe}`, for a domain of so many images."""

    class Data:
        def size(self, split):
            return train_images

    return {
        job.where["method"]: recipe_of(job, Data())
        for job in jobs_of(settings)
        if job.values["domain"] in ("colours", "shades")
    }


def test_recipes(folder):
    settings = read(
        folder,
        images=100,
        epochs=None,
        recipe="paper-domain",
        methods={
            "individual": None,
            "piggyback": {"weight_decay": 0.0, "epochs": 2, "batch_size": 4},
            "classifier_only": {"cosine": True},
        },
        variants={
            "with norms": {"of": ["piggyback"], "phase": "adapter_and_norm"},
            "slow": {"learning_rate": 0.01, "head_part": 0.1},
        },
    )
    found = recipes(settings, 10)
    own, other = found["individual"], found["piggyback"]
    assert (own.phase, own.epochs, own.batch_size) == ("base", 10, 8)
    assert own.drops == (6, 8)  # of 100: 60 and 80
    assert (other.phase, other.epochs, other.batch_size) == ("adapter", 2, 4)
    assert other.decay("dtd") == 0 != own.decay("dtd")
    assert found["classifier_only"].drops == ()
    few = read(folder, images=100, epochs=None)
    assert recipes(few, 999)["individual"].epochs == 1
    assert found["base"].epochs == 1
    norms = found["piggyback with norms"]
    assert norms == other.replace(phase="adapter_and_norm")
    slow = found["individual slow"]
    head, rest = slow.in_order()
    assert (head.phase, head.epochs, head.learning_rate) == ("head", 1, 3e-3)
    assert (rest.learning_rate, rest.epochs, rest.drops) == (0.01, 9, (5, 7))


def test_variants_are_methods_with_changes(folder):
    settings = read(
        folder,
        methods={"individual": {"epochs": 3}, "pointwise_sharing": None},
        variants={
            "do": {"of": ["pointwise_sharing"], "depthwise": "do"},
            "late gates": {"of": ["pointwise_sharing"], "gates": "late"},
            "longer": {"epochs": 9},  # of all methods, and of no variant
        },
        hold_out=5,
    )
    assert settings.methods == (
        "individual", "pointwise_sharing", "pointwise_sharing do",
        "pointwise_sharing late gates", "individual longer",
        "pointwise_sharing longer",
    )  # fmt: skip
    assert settings.changes_of("pointwise_sharing do") == (
        "pointwise_sharing", {"depthwise": "do"},
    )  # fmt: skip
    again = settings_from(settings.to_dict(), folder)
    assert again == settings
    jobs = {j.where["method"]: j for j in jobs_of(settings)}  # the last domain
    do, plain = jobs["pointwise_sharing do"], jobs["pointwise_sharing"]
    assert do.values == {**plain.values, "options": {"depthwise": "do"}}
    assert do.id != plain.id
    gates = jobs["pointwise_sharing late gates"]
    assert {plain.name, "s0-shades-pointwise_sharing"} < set(gates.after)
    assert plain.id in gates.values["slots"]
    assert gates.values["recipe"]["phase"] == "gate"
    with pytest.raises(ValueError, match="of which gates mix"):
        read(folder, methods=["individual"], variants={"g": {"gates": "all"}})


def test_numbers_that_yaml_takes_for_words(folder):
    path = write_settings(folder / "c.yaml")
    text = path.read_text().replace(
        "- individual\n", "- individual: {learning_rate: 1e-2}\n"
    )
    path.write_text(text)
    settings = read_settings(path)
    assert settings.overrides["individual"]["learning_rate"] == 0.01


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"widht": 1}, r"Unknown key: 'widht'. Known: domains, base, name"),
        ({"base": None}, "key 'base' is missing"),
        ({"base": {"data": "embedded:shapes", "epoch": 1}}, "Known: data, ep"),
        ({"base": "embedded:nine"}, "Known domains: 'shapes', 'digits'"),
        ({"domains": ["decathlon:mnist"]}, "Known domains: 'aircraft'"),
        ({"domains": []}, "'domains' is missing"),
        ({"domains": "embedded:digits"}, "`domains` must be a list"),
        ({"domains": ["images/shades", "images/shades"]}, "different values"),
        ({"domains": ["images/shades", "colours=images/tones"]}, "unique"),
        ({"domains": ["a b=images/shades"]}, "domain name must be"),
        ({"domains": ["tfds:mnist"]}, "need a name"),
        ({"domains": [{"data": "images/shades", "flop": 1}]}, "Known: data"),
        ({"methods": ["lora"]}, "Known methods: pointwise_sharing"),
        ({"methods": ["individual", "individual"]}, "different values"),
        ({"methods": {"individual": {"rate": 1}}}, "Known: learning_rate"),
        ({"methods": {"individual": {"epochs": 0.5}}}, "a whole number"),
        ({"methods": {"individual": {"cosine": 1}}}, "true or false"),
        ({"methods": {"mine": {"method": "lora"}}}, "Known methods: pointw"),
        ({"methods": {"a/b": {"method": "individual"}}}, "name of a variant"),
        ({"variants": {"x": {"of": ["lora"]}}}, "Unknown method: 'lora'"),
        ({"variants": {"x": {"phase": "all"}}}, "`pointwise_sharing x: phase`"),
        ({"variants": ["x"]}, "`variants` must be a mapping"),
        ({"executor": "threads"}, "one of processes, submitit, dask, ray"),
        ({"hold_out": 0}, "`hold_out` must be a whole number above 0"),
        ({"methods": {"individual": {"momentum": float("inf")}}}, "a number"),
        ({"methods": {"individual": {"optimizer_name": "x"}}}, "'adamw'"),
        ({"network": "vgg"}, "Known networks: resnet26, dense_resnet26"),
        ({"network": "dense_resnet26"}, "no depthwise kernels"),
        ({"recipe": "quick"}, "Known recipes: paper-base"),
        ({"images": 10}, "Exactly one of"),
        ({"epochs": None}, "Exactly one of"),
        ({"epochs": 0}, "`epochs` must be a whole number above 0"),
        ({"width": "wide"}, "`width` must be a number above 0"),
        ({"seeds": [True]}, "`seeds` must be a whole number from 0 to 42949"),
        ({"seeds": [2**32]}, "`seeds` must be a whole number from 0 to 42949"),
        ({"seeds": [0, 0]}, "different values"),
        ({"name": "a/b"}, "name of a run"),
        ({"name": 2024}, "`name` must be text"),
        ({"domains": [{"data": "images/shades", "flip": "no"}]}, "true or fal"),
        (
            {"domains": [{"data": "embedded:digits", "on_bad_image": "skip"}]},
            "'on_bad_image' does not apply to 'embedded:digits'",
        ),
    ],
)  # fmt: skip
def test_bad_settings_are_refused_with_what_is_known(folder, changes, message):
    with pytest.raises(ValueError, match=message):
        read(folder, **changes)


def test_folders_that_are_not_there_are_refused(folder):
    with pytest.raises(FileNotFoundError, match=r"'gone': .*images/gone"):
        read(folder, domains=["images/gone"])
    with pytest.raises(FileNotFoundError):
        read_settings(folder / "no.yaml")


@pytest.mark.parametrize("text", ["a: [", "- a", "", "\x00"])
def test_files_that_are_no_settings(folder, text):
    path = folder / "bad.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"bad\.yaml"):
        read_settings(path)


def test_data_without_a_spec_are_refused():
    for value in (None, "", "=images", "name=", 3):
        with pytest.raises(ValueError, match="Received"):
            DataEntry.of(value)


def keep_results(jobs, out, of=lambda job: True):
    """As if some of the jobs had been done."""
    for job in filter(of, jobs):
        path = job.result_path(out)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"job": asdict(job)}))


def is_base(job):
    return not job.after


def test_growing_is_no_change(folder, tmp_path):
    keep_results(jobs_of(read(folder)), tmp_path)
    new = read(
        folder,
        name="other",
        seeds=[1, 0],
        methods=["piggyback", *METHODS[::-1]],
        domains=["embedded:digits", "warm=folder:images/tones",
                 "images/shades"],
        processes=7,
        executor="dask",
    )  # fmt: skip
    refuse_changes(jobs_of(new), tmp_path)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"width": 0.5}, "width: expected 0.25, received 0.5 (s0-colours-base"),
        ({"epochs": 2}, "epochs: expected 1, received 2 (s0-shades-"),
        ({"epochs": None, "images": 9}, "images: expected None, received 9"),
        ({"seeds": [1]}, "s0-colours-base, s0-shades-"),
        ({"methods": ["individual"]}, "s0-shades-classifier_only, "),
        ({"domains": ["images/shades"]}, "s0-warm-classifier_only, "),
        ({"base": "colours=images/tones"}, "data.files: expected"),
        (
            {"domains": ["images/shades", "warm=images/shades"]},
            "data.files: expected",
        ),
        (
            {"methods": [*METHODS[:2], {"individual": {"learning_rate": 1}}]},
            "recipe.learning_rate: expected 0.003, received 1 (s0-shades-ind",
        ),
        ({"hold_out": 5}, "hold_out: expected None, received 5"),
    ],
)
def test_changes_are_told(folder, tmp_path, changes, told):
    jobs = jobs_of(read(folder, **changes))
    refuse_changes(jobs, tmp_path)  # nothing depends on it yet
    keep_results(jobs_of(read(folder)), tmp_path)
    with pytest.raises(ValueError, match="other settings") as found:
        refuse_changes(jobs, tmp_path)
    assert told in str(found.value)


def test_a_base_alone_does_not_fix_how_domains_are_trained(folder, tmp_path):
    old = jobs_of(read(folder))
    keep_results(old, tmp_path, is_base)
    longer = jobs_of(read(folder, epochs=3, recipe="paper-domain"))
    assert differences(longer, tmp_path) == []
    assert len(differences(jobs_of(read(folder, width=1)), tmp_path)) == 1
    keep_results(old, tmp_path)
    assert len(differences(longer, tmp_path)) > 1


def test_what_has_no_results_may_change(folder, tmp_path):
    old = jobs_of(read(folder, domains=["images/shades", "wrong=images/tones"]))
    mended = jobs_of(
        read(
            folder,
            domains=["images/shades"],
            methods=[*METHODS[:2], {"individual": {"learning_rate": 0.1}}],
        )
    )
    keep_results(
        old,
        tmp_path,
        lambda j: j.name != "s0-shades-individual" and "wrong" not in j.name,
    )
    assert differences(mended, tmp_path) == []
    keep_results(old, tmp_path, lambda j: j.name == "s0-shades-individual")
    assert len(differences(mended, tmp_path)) == 1


def test_a_domain_is_known_by_its_images_and_not_by_its_path(folder, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(folder / "images" / "shades", moved)
    before = DataEntry.of("images/shades").digest(folder)
    assert DataEntry.of("x=folder:moved").digest(tmp_path) == before
    assert DataEntry("x", "moved", {"flip": True}).digest(tmp_path) != before
    (moved / "class0" / "0.png").write_bytes(b"other")
    assert DataEntry.of("moved").digest(tmp_path) != before
    digits = DataEntry.of("embedded:digits").digest(folder)
    assert digits == {"spec": "embedded:digits"}


FILES = sorted(pathlib.Path(__file__).parents[2].glob("benchmarks/*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_the_files_of_the_benchmarks_are_accepted(path):
    read, made = read_settings, settings_from
    if path.stem == "search":
        read, made = read_search_settings, search_settings_from
    settings = read(path, check=False)
    assert settings.name in path.stem
    again = made(settings.to_dict(), path.parent, check=False)
    assert again == settings
