"""`submit` and `score`: the challenge's file from a model, graded again."""

import json
import warnings

import challenge
import numpy as np
import pytest
import tiny

from keras_mdl import load_model
from keras_mdl.data.pixels import rgb_from_file
from keras_mdl.runs import fitting
from keras_mdl.score import KEYS, REFERENCE, read_results

PAIR = ("daimlerpedcls", "dtd")
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Decathlon domain"),
]


@pytest.fixture(scope="module")
def devkit(tmp_path_factory):
    return challenge.write_annotations(tmp_path_factory.mktemp("devkit"))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return challenge.write_images(tmp_path_factory.mktemp("pictures"))


def saved(folder, domains):
    path = folder / "m.keras"
    tiny.randomize(tiny.tiny_model(domains)).save(path)
    return path


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """A model of two domains, one with a name of its own."""
    return saved(tmp_path_factory.mktemp("pair"), {"people": 2, "dtd": 3})


@pytest.fixture(scope="module")
def ten(tmp_path_factory):
    domains = {key: challenge.classes_of(key) for key in KEYS}
    return saved(tmp_path_factory.mktemp("ten"), {**domains, "mine": 2})


@pytest.fixture
def perfect(monkeypatch):
    """Instead of networks: somebody who knows the colours."""

    def probabilities(view, domain, images, size):
        rows = [challenge.colour_of(image) for image in images]
        return np.eye(domain.num_classes)[rows]

    monkeypatch.setattr(fitting, "probabilities", probabilities)


@pytest.fixture
def submit(run, devkit, pictures):
    def submit(model, out, *more, images=True):
        source = ("--images", pictures) if images else ()
        return run("submit", "--model", model, "--annotations", devkit,
                   *source, "--out", out, *more)  # fmt: skip

    return submit


DATA = ("--data", "people=decathlon:DPed", "decathlon:dtd")


def test_what_the_model_says_is_what_is_written(
    submit, pair, pictures, tmp_path
):
    path = tmp_path / "results.json"
    status, out, err = submit(pair, path, *DATA, "--partial", "--json")
    assert status == 0, err
    result = json.loads(out)
    assert result["images"] == {"daimlerpedcls": 4, "dtd": 4}
    assert result["missing"] == [k for k in KEYS if k not in PAIR]
    assert "1,880 images" in err  # this is not the challenge's test set
    model = load_model(pair)
    expected = {}
    for key, name in zip(PAIR, ("people", "dtd"), strict=True):
        files = sorted((pictures / "data" / key / "test").iterdir())
        logits = fitting.probabilities(
            model[name],
            model.domains[name],
            [rgb_from_file(f) for f in files],
            tiny.SIZE,
        )
        for entry, k in zip(
            challenge.images(key, "test"), logits.argmax(-1), strict=True
        ):
            expected[entry["id"]] = entry["id"] // 10**7 * 10**7 + 1 + k
    found = {r["image_id"]: r["category_id"] for r in read_results(path)}
    assert found == expected
    assert len(set(found.values())) > 2  # not all the same answer
    assert (tmp_path / "results.json.run.yaml").is_file()


def test_ten_domains_and_back(
    run, submit, ten, devkit, pictures, tmp_path, perfect
):
    status, out, err = submit(ten, tmp_path / "results.json")
    assert status == 0, err
    assert len(read_results(tmp_path / "results.json")) == 40
    assert "zip" in out
    path = tmp_path / "val.json"
    status, out, err = submit(ten, path, "--split", "validation")
    assert status == 0, err
    assert "zip" not in out
    status, out, err = run("score", "--results", path, "--annotations", devkit)
    assert status == 0, err
    assert "Visual Decathlon score S: 10000.00 of 10000" in out
    status, out, err = run(
        "score", "--results", tmp_path / "results.json", "--annotations",
        devkit, "--split", "test", "--json",
    )  # fmt: skip
    assert json.loads(out)["scores"][0]["total"] == 10_000


def test_part_of_the_domains_is_graded_as_such(
    run, submit, ten, devkit, tmp_path, perfect
):
    path = tmp_path / "r.json"
    data = ("--data", "decathlon:dtd", "decathlon:gtsrb", "--partial")
    assert submit(ten, path, *data, "--split", "validation")[0] == 0
    command = ("score", "--results", path, "--annotations", devkit)
    status, out, _ = run(*command, "--partial")
    assert status == 0
    assert "S over 2 of the 10" in out
    status, _, err = run(*command)
    assert status == 2
    assert "Domain 'aircraft' needs one entry" in err


def test_images_of_tfds(submit, ten, tmp_path, perfect):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        folder = challenge.prepare_tfds(tmp_path / "tfds", "daimlerpedcls")
    path = tmp_path / "r.json"
    for spec in (
        ("decathlon:daimlerpedcls", "--data-dir", folder),
        (folder / "visual_domain_decathlon" / "daimlerpedcls",),
    ):
        status, _, err = submit(
            ten, path, "--partial", "--overwrite", "--data", *spec,
            images=False,
        )  # fmt: skip
        assert status == 0, err
        labels = [r["category_id"] - 30_000_001 for r in read_results(path)]
        assert labels == list(challenge.truth("daimlerpedcls").values())


def refused(done, folder, before):
    status, out, err = done
    assert status == 2, (out, err)
    assert err.splitlines()[-1].startswith("error: ")
    assert sorted(folder.rglob("*")) == before
    return err


@pytest.mark.parametrize(
    ("model", "more", "message"),
    [
        ("pair", DATA, "Missing: aircraft, cifar100"),
        ("pair", (*DATA, "decathlon:mnist"), "Unknown domain: 'mnist'. Known"),
        ("pair", ("--data", "decathlon:svhn"), "has no domain 'svhn'; it has"),
        ("pair", ("--data", "x=decathlon:dtd"), "no domain 'x'; it has 'peo"),
        ("pair", (*DATA, "people=decathlon:dtd"), "'dtd' must be given once"),
        ("pair", ("--data", "nowhere"), "named as decathlon:KEY"),
        ("pair", ("--partial", "--data", "people=decathlon:dtd"),
         "has 3 categories"),
        ("pair", ("--partial", "--data", "dtd=decathlon:DPed"),
         "domain 'dtd' has 3 classes"),
        ("pair", ("--partial", "--split", "train"), "Missing below"),
        ("pair", ("--partial", "--split", "val"), "Choose from"),
        ("pair", ("--partial", "--size", "16"), "8x8"),
    ],
    ids=["ten", "unknown", "absent", "name", "twice", "spec", "few", "many",
         "images", "split", "size"],
)  # fmt: skip
def test_submit_refuses_before_anything_is_written(
    submit, request, tmp_path, model, more, message
):
    model = request.getfixturevalue(model)
    done = submit(model, tmp_path / "r.json", *more)
    assert message in refused(done, tmp_path, [])


def test_submit_refuses_files(run, submit, pair, devkit, pictures, tmp_path):
    out = tmp_path / "r.json"
    before = []

    def err(*more, images=True, out=out, annotations=devkit):
        done = run("submit", pair, "--annotations", annotations, "--out", out,
                   "--partial", *(("--images", pictures) if images else ()),
                   *more)  # fmt: skip
        return refused(done, tmp_path, before)

    assert "not prepared" in err("--data-dir", tmp_path, images=False)
    assert "decathlon:KEY" in err("--data", tmp_path, images=False)
    assert "_stripped.json" in err(annotations=pictures)
    assert "ends in .json" in err(out=tmp_path / "r.txt")
    out.write_text("precious")
    before = [out]
    assert "--overwrite" in err()
    assert out.read_text() == "precious"


def test_a_bad_image_is_named(run, pair, devkit, tmp_path):
    root = challenge.write_images(tmp_path / "pictures", ["dtd"])
    (root / "data/dtd/test/000002.jpg").write_text("no picture")
    before = sorted(tmp_path.rglob("*"))
    done = run("submit", "--model", pair, "--annotations", devkit, "--images",
               root, "--out", tmp_path / "r.json", "--partial")  # fmt: skip
    assert "000002.jpg" in refused(done, tmp_path, before)


def test_a_domain_may_have_the_name_of_the_papers(submit, tmp_path, perfect):
    model = saved(tmp_path, {"Flwr": 3, "mine": 2})
    path = tmp_path / "r.json"
    assert submit(model, path, "--partial")[0] == 0
    assert {r["category_id"] // 10**7 for r in read_results(path)} == {10}


def test_a_model_without_domains_of_the_challenge(submit, tmp_path):
    model = saved(tmp_path, {"a": 3, "b": 2})
    done = submit(model, tmp_path / "r.json")
    message = refused(done, tmp_path, [model])
    assert "--data NAME=decathlon:KEY" in message
    assert "a, b" in message
    assert "aircraft" in message


@pytest.mark.parametrize(
    ("classes", "status", "message"),
    [
        (["dtd-0", "dtd-1", "dtd-2"], 0, None),
        (["dtd-2", "dtd-1", "dtd-0"], 0, None),
        (["0", "1", "2"], 0, None),
        (["dtd-0", "y", "dtd-1"], 2, "not have: 'y'. Known classes: 'dtd-0'"),
    ],
    ids=["same", "order", "numbers", "other"],
)
def test_names_of_classes(submit, tmp_path, perfect, classes, status, message):
    model = saved(tmp_path, {"dtd": classes})
    path = tmp_path / "r.json"
    found, _, err = submit(model, path, "--partial")
    assert found == status, err
    assert (message or "images") in err
    assert path.exists() == (status == 0)
    if status == 0:  # a class is the category of its name, or of its number
        answers = [r["category_id"] - 40_000_001 for r in read_results(path)]
        truth = list(challenge.truth("dtd").values())
        order = [0, 1, 2] if classes[0] != "dtd-2" else [2, 1, 0]
        assert answers == [order[k] for k in truth]


PROPOSED = {
    "ImNet": 63.99, "Airc": 61.06, "C100": 81.20, "DPed": 97.00, "DTD": 55.48,
    "GTSR": 99.27, "Flwr": 85.67, "OGlt": 89.12, "SVHN": 96.16, "UCF": 49.33,
}  # fmt: skip


def test_score_of_accuracies(run, tmp_path):
    percent = [f"{k}={v}" for k, v in PROPOSED.items()]
    fractions = [f"{k}={v / 100}" for k, v in PROPOSED.items()]
    for command in ((*percent, "--percent"), fractions):
        status, out, err = run("score", *command)
        assert status == 0, err
        assert "Visual Decathlon score S: 3506.65 of 10000 points" in out
    path = tmp_path / "table.csv"
    rows = [f"{k},{v},{100 * REFERENCE[k]}" for k, v in zip(
        KEYS, [61.06, 81.2, 97, 55.48, 99.27, 63.99, 89.12, 96.16, 49.33,
               85.67], strict=True)]  # fmt: skip
    path.write_text("\n".join(["domain,proposed,tuned", *rows]))
    status, out, _ = run("score", "--csv", path, "--percent", "--json")
    totals = {s["name"]: s["total"] for s in json.loads(out)["scores"]}
    assert totals == pytest.approx(
        {"proposed": 3506.65, "tuned": 2500}, abs=0.01
    )
    status, out, _ = run(
        "score", "--csv", path, "--percent", "--columns", "tuned"
    )
    assert "2500.00" in out
    assert "3506" not in out


def test_score_of_domains_of_ones_own(run, tmp_path):
    status, out, _ = run("score", "a=0.9", "b=0.8", "--reference", "a=0.8",
                         "b=0.8")  # fmt: skip
    assert status == 0
    assert "S over 2 domains: 812.50 of 2000" in out
    assert "per domain: 406.25" in out
    path = tmp_path / "t.csv"
    path.write_text("domain,accuracy,reference\na,0.8,0.8\n")
    assert "S over 1 domain: 250.00" in run("score", "--csv", path)[1]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ((), "Give one of"),
        (("dtd=0.5", "--csv", "x.csv"), "Received: 2 of them"),
        (("dtd=0.5",), "Missing: aircraft"),
        (("dtd=55", "--partial"), "looks like percent"),
        (("dtd=0.5", "--partial", "--percent"), "look like fractions"),
        (("a=0.5", "--partial"), "Unknown domain: 'a'. Known domains"),
        (("a=0.5", "--partial", "--reference", "a=0.5"), "--partial is about"),
        (("a=0.5", "--reference", "b=0.5"), "without reference ['a']"),
        (("--csv", "nowhere.csv"), "nowhere.csv"),
        (("dtd=0.5", "--columns", "x"), "--columns belongs to --csv"),
        (("dtd=0.5", "--annotations", "x"), "belongs to --results"),
        (("--results", "x.json"), "needs labels"),
        (("--results", "x.json", "--annotations", "x", "--percent"),
         "--percent belongs to accuracies"),
        (("--results", "x.json", "--annotations", "x"), "x.json"),
    ],
)  # fmt: skip
def test_score_refuses(run, tmp_path, argv, message):
    done = run("score", *argv)
    assert message in refused(done, tmp_path, [])


def test_score_of_a_table_with_two_references(run, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("domain,accuracy,reference\na,0.8,0.8\n")
    done = run("score", "--csv", path, "--reference", "a=0.5")
    assert "column `reference` already" in refused(done, tmp_path, [path])
