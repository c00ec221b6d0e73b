"""Settings of a comparison: what is accepted, refused, and an extension."""

import pytest
import yaml
from comparing import METHODS, write_images, write_settings

from keras_mdl.models import build_dense_resnet26, build_resnet26
from keras_mdl.runs import networks
from keras_mdl.runs.compare import read_settings
from keras_mdl.runs.compare.changes import differences, require_extension
from keras_mdl.runs.compare.data_entry import DataEntry
from keras_mdl.runs.compare.settings_file import settings_from
from keras_mdl.runs.compare.trial import base_recipe, domain_recipe
from keras_mdl.training import METHODS as ALL_METHODS
from keras_mdl.training import get_method

ALL_ROWS = [
    {"seed": 0, "domain": domain, "method": method}
    for domain in ("shades", "warm")
    for method in METHODS
]


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


def test_recipes(folder):
    settings = read(
        folder,
        images=100,
        epochs=None,
        recipe="paper-domain",
        methods={
            "individual": None,
            "piggyback": {"weight_decay": 0.0, "epochs": 2, "batch_size": 4},
        },
    )
    own = domain_recipe(settings, get_method("individual"), 10)
    assert (own.phase, own.epochs, own.batch_size) == ("base", 10, 8)
    assert own.drops == (6, 8)  # of 100: 60 and 80
    other = domain_recipe(settings, get_method("piggyback"), 10)
    assert (other.phase, other.epochs, other.batch_size) == ("adapter", 2, 4)
    assert other.decay("dtd") == 0 != own.decay("dtd")
    assert domain_recipe(settings, get_method("individual"), 999).epochs == 1
    assert base_recipe(settings).epochs == 1


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


def test_growing_is_no_change(folder):
    old = read(folder)
    new = read(
        folder,
        name="other",
        seeds=[1, 0],
        methods=["piggyback", *METHODS[::-1]],
        domains=["embedded:digits", "warm=folder:images/tones",
                 "images/shades"],
        processes=7,
    )  # fmt: skip
    assert differences(old, new, ALL_ROWS) == []
    require_extension(old, new, ALL_ROWS, "here")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"width": 0.5}, "width: expected 0.25, received 0.5"),
        ({"epochs": 2}, "epochs: expected 1, received 2"),
        ({"epochs": None, "images": 9}, "images: expected None, received 9"),
        ({"seeds": [1]}, "seeds: 0 is missing"),
        ({"methods": ["individual"]}, "methods: 'classifier_only' is missing"),
        ({"domains": ["images/shades"]}, "domains: 'warm' is missing"),
        ({"base": "colours=images/tones"}, "base: expected"),
        (
            {"domains": ["images/shades", "warm=images/shades"]},
            "domains: 'warm': expected",
        ),
        (
            {"methods": [*METHODS[:2], {"individual": {"learning_rate": 1}}]},
            "methods: 'individual': expected {}, received",
        ),
    ],
)
def test_changes_are_told(folder, changes, told):
    old = read(folder)
    new = read(folder, **changes)
    with pytest.raises(ValueError, match="other settings") as found:
        require_extension(old, new, ALL_ROWS, "here")
    assert told in str(found.value)
    require_extension(old, new, [], "here")  # nothing depends on it yet


def test_a_base_alone_does_not_fix_how_domains_are_trained(folder):
    old = read(folder)
    base = {"seed": 0, "domain": "colours", "method": "base"}
    longer = read(folder, epochs=3, recipe="paper-domain")
    assert differences(old, longer, [base]) == []
    assert len(differences(old, longer, [base, *ALL_ROWS])) == 2
    assert len(differences(old, read(folder, width=1), [base])) == 1


def test_what_has_no_rows_may_change(folder):
    old = read(folder, domains=["images/shades", "wrong=images/tones"])
    mended = read(
        folder,
        domains=["images/shades"],
        methods=[*METHODS[:2], {"individual": {"learning_rate": 0.1}}],
    )
    rows = [r for r in ALL_ROWS if r["domain"] != "warm"]
    assert len(differences(old, mended, rows)) == 1
    rows = [r for r in rows if r["method"] != "individual"]
    assert differences(old, mended, rows) == []
