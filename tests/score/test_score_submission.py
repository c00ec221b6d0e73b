"""Annotations and results.json: the challenge's ids, and what is refused."""

import json
import os

import challenge
import numpy as np
import pytest

from keras_mdl.score import (
    KEYS,
    accuracies_of,
    build_results,
    category_id,
    check_results,
    decathlon_score,
    domain_of_id,
    domains_in,
    first_id,
    read_annotations,
    read_results,
    write_results,
)

PAIR = ("dtd", "svhn")


@pytest.fixture(scope="module")
def devkit(tmp_path_factory):
    return challenge.write_annotations(tmp_path_factory.mktemp("devkit"))


def notes_of(devkit, keys=KEYS, **options):
    return [read_annotations(devkit, key, **options) for key in keys]


def results_of(devkit, keys=KEYS):
    predictions = {key: challenge.truth(key) for key in keys}
    return build_results(predictions, notes_of(devkit, keys))


def test_published_ids():
    from keras_mdl.data import decathlon

    assert category_id("aircraft", 0) == 10_000_001
    assert category_id("Flwr", 101) == 100_000_102
    first = {
        "aircraft": 10206668, "cifar100": 20250001, "daimlerpedcls": 30229401,
        "dtd": 40203761, "gtsrb": 50239210, "imagenet12": 61481168,
        "omniglot": 70224346, "svhn": 80273258, "ucf101": 90209538,
        "vgg-flowers": 100202041,
    }  # fmt: skip
    for key, image in first.items():
        train, validation, _ = decathlon.facts(key).sizes
        assert first_id(key) + 200_000 + train + validation + 1 == image
        assert domain_of_id(image) == key
        assert first_id(key) == 10**7 * decathlon.facts(key).challenge_id
    assert domain_of_id(3) is domain_of_id(110_000_001) is None


def test_annotations(devkit):
    notes = read_annotations(devkit, "GTSR")
    assert (notes.key, notes.split, notes.labels) == ("gtsrb", "test", None)
    assert notes.path.name == "gtsrb_test_stripped.json"
    assert next(iter(notes.images)) == "gtsrb/test/000001.jpg"
    assert list(notes.categories) == [50_000_001, 50_000_002, 50_000_003]
    assert read_annotations(devkit, "gtsrb", "validation").labels
    labelled = read_annotations(devkit, "gtsrb", labelled=True)
    assert labelled.path.name == "gtsrb_test.json"
    assert labelled.images == notes.images
    assert labelled.labels.keys() == set(notes.images.values())


def test_without_a_stripped_file_the_labels_stay_hidden(devkit, tmp_path):
    text = (devkit / "dtd_test.json").read_text()
    (tmp_path / "dtd_test.json").write_text(text)
    assert read_annotations(tmp_path, "dtd").labels is None


def test_categories_may_come_from_another_split(devkit, tmp_path):
    stripped = challenge.content("dtd", "test", labelled=False)
    del stripped["categories"]
    (tmp_path / "dtd_test_stripped.json").write_text(json.dumps(stripped))
    with pytest.raises(ValueError, match=r"list `categories`.*\['images'\]"):
        read_annotations(tmp_path, "dtd")
    text = (devkit / "dtd_val.json").read_text()
    (tmp_path / "dtd_val.json").write_text(text)
    assert len(read_annotations(tmp_path, "dtd").categories) == 3


def test_annotations_that_are_not_there(devkit, tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"dtd_test_stripped.json or dtd_test.json"
    ):
        read_annotations(tmp_path, "dtd")
    with pytest.raises(FileNotFoundError, match="test_stripped hide"):
        read_annotations(tmp_path, "dtd", labelled=True)
    with pytest.raises(ValueError, match=r"'validation'.*split='val'"):
        read_annotations(devkit, "dtd", "val")
    with pytest.raises(ValueError, match="Known domains: 'aircraft'"):
        read_annotations(devkit, "textures")


def _swap_categories(c):
    c["categories"].reverse()


def _other_domain(c):
    c.update(challenge.content("svhn", "val"))


BROKEN = {
    "image_id": (lambda c: c["images"][0].update(id=7),
                 "'dtd' lie between 40200001 and 49999999. Received: 7"),
    "other_domain": (_other_domain, "'dtd' lie between"),
    "id_type": (lambda c: c["images"][0].update(id="40200001"),
                "need id and file_name. Received"),
    "twice": (lambda c: c["images"].append(c["images"][0]),
              "more than once: 40200003"),
    "no_images": (lambda c: c.update(images=[]), "list `images`"),
    "order": (_swap_categories, "must be 40000001, 40000002"),
    "gap": (lambda c: c["categories"].pop(1), "in this order. Received"),
    "name": (lambda c: c["categories"][0].pop("name"), "need id and name"),
    "label": (lambda c: c["annotations"][0].update(category_id=1),
              "image_id=40200003, category_id=1"),
    "label_twice": (lambda c: c["annotations"].append(c["annotations"][0]),
                    "once. Received: image_id=40200003"),
    "label_form": (lambda c: c["annotations"][0].pop("category_id"),
                   "need image_id and category_id"),
    "unlabelled": (lambda c: c["annotations"].pop(),
                   "has 3 images. Received: labels of 2"),
    "no_labels": (lambda c: c.pop("annotations"), "has no labels"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_annotations_that_are_broken(tmp_path, case):
    content = challenge.content("dtd", "val")
    change, message = BROKEN[case]
    change(content)
    (tmp_path / "dtd_val.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=message) as error:
        read_annotations(tmp_path, "dtd", "validation", labelled=True)
    assert "dtd_val.json" in str(error.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [(b"{", "not valid JSON"), (b"\xff", "not valid JSON"),
     (b"[]", "one object.*Received: list")],
)  # fmt: skip
def test_annotations_that_are_no_objects(tmp_path, data, message):
    (tmp_path / "dtd_val.json").write_bytes(data)
    with pytest.raises(ValueError, match=message):
        read_annotations(tmp_path, "dtd", "validation")


def test_results_are_complete_plain_and_right(devkit, tmp_path):
    predictions = {
        key: {
            # In any order, by either name, as NumPy gives it.
            f"data/{name}": np.int64(label)
            for name, label in reversed(challenge.truth(key).items())
        }
        for key in KEYS
    }
    notes = notes_of(devkit)
    results = build_results(predictions, notes)
    assert len(results) == 40
    assert results[0] == {
        "image_id": 10_200_006,
        "category_id": category_id(
            "aircraft", challenge.label("aircraft", "test", 1)
        ),
    }
    path = tmp_path / "results.json"
    write_results(path, results, notes)
    assert read_results(path) == json.loads(path.read_text()) == results
    accuracies = accuracies_of(results, notes_of(devkit, labelled=True))
    assert decathlon_score(accuracies).total == 10_000


def test_grading_counts(devkit):
    predictions = {"dtd": challenge.truth("dtd")}
    name = next(iter(predictions["dtd"]))
    predictions["dtd"][name] = (predictions["dtd"][name] + 1) % 3
    notes = notes_of(devkit, ["dtd"], labelled=True)
    results = build_results(predictions, notes)
    assert accuracies_of(results, notes, partial=True) == {"dtd": 0.75}
    assert domains_in(results) == ["dtd"]
    hidden = notes_of(devkit, ["dtd"])
    with pytest.raises(ValueError, match="hidden labels of dtd"):
        accuracies_of(results, hidden, partial=True)
    with pytest.raises(ValueError, match=r"all ten domains.*Missing: aircraft"):
        accuracies_of(results, notes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p.pop("svhn"), r"predictions of \['dtd'\], annotations of"),
        (lambda p: p.update(mnist={}), "Unknown domain: 'mnist'. Known"),
        (lambda p: p["dtd"].popitem(), r"each of the 4 images.* 1 missing.*04"),
        (lambda p: p["dtd"].update(x=1), r"1 unknown \['x'\]"),
        (lambda p: p["dtd"].update({"dtd/test/000001.jpg": 3}),
         "000001.jpg of 'dtd' must be an integer from 0 to 2. Received: 3"),
        (lambda p: p["dtd"].update({"dtd/test/000001.jpg": -1}),
         "from 0 to 2. Received: -1"),
        (lambda p: p["dtd"].update({"dtd/test/000001.jpg": 0.5}),
         "from 0 to 2. Received: 0.5"),
    ],
    ids=["domain", "unknown_domain", "missing", "unknown", "high", "low",
         "float"],
)  # fmt: skip
def test_predictions_that_do_not_fit(devkit, change, message):
    predictions = {key: challenge.truth(key) for key in PAIR}
    change(predictions)
    with pytest.raises(ValueError, match=message):
        build_results(predictions, notes_of(devkit, PAIR))


REFUSED = {
    "missing": (lambda r: r[:-1], "'svhn'.*Missing: 1, the first 802"),
    "twice": (lambda r: r + r[:1], r"once.*40200006 \(dtd/test/000001"),
    "unknown": (lambda r: r + [{"image_id": 10200001, "category_id": 1}],
                "10200001 is in no.*to 'aircraft'. Known: dtd 40200006"),
    "nowhere": (lambda r: r + [{"image_id": 5, "category_id": 1}],
                "Image id 5 is in no annotation file. Known: dtd"),
    "category": (lambda r: [{**r[0], "category_id": 80000001}] + r[1:],
                 "'dtd' are 40000001 to 40000003. Received: category_id=800"),
    "counted": (lambda r: [{**r[0], "category_id": 0}] + r[1:],
                "Received: category_id=0 for image_id=40200006"),
    "field": (lambda r: [{**r[0], "score": 1}] + r[1:], "integers image_id"),
    "type": (lambda r: [{**r[0], "category_id": 40000001.0}] + r[1:],
             "integers image_id and category_id. Received"),
    "item": (lambda r: [1] + r[1:], "object with the integers"),
    "list": (lambda r: {"results": r}, "must be a list.*Received: dict"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_nothing_is_written_of_results_that_are_wrong(devkit, tmp_path, case):
    change, message = REFUSED[case]
    results = change(results_of(devkit, PAIR))
    notes = notes_of(devkit, PAIR)
    with pytest.raises(ValueError, match=message):
        write_results(tmp_path / "r.json", results, notes, partial=True)
    assert os.listdir(tmp_path) == []


def test_all_ten_domains_unless_partial(devkit, tmp_path):
    path, results = tmp_path / "r.json", results_of(devkit, PAIR)
    notes = notes_of(devkit, PAIR)
    with pytest.raises(
        ValueError, match=r"Missing: aircraft, cifar100, .*Known domains"
    ):
        write_results(path, results, notes)
    assert not path.exists()
    write_results(path, results, notes, partial=True)
    with pytest.raises(ValueError, match="'dtd' must be given once"):
        check_results(results, [*notes, notes[0]], partial=True)


def test_a_file_is_not_replaced_unless_asked(devkit, tmp_path):
    path, notes = tmp_path / "r.json", notes_of(devkit)
    path.write_text("precious")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        write_results(path, results_of(devkit), notes)
    assert path.read_text() == "precious"
    write_results(path, results_of(devkit), notes, overwrite=True)
    assert len(read_results(path)) == 40


def test_files_that_are_no_results(tmp_path):
    path = tmp_path / "r.json"
    for text, message in (
        ("[", "not valid JSON"),
        ("{}", "must be a list"),
        ('[{"image_id": 1}]', "category_id. Received"),
        ('[{"image_id": true, "category_id": 1}]', "category_id. Received"),
    ):
        path.write_text(text)
        with pytest.raises(ValueError, match=message):
            read_results(path)
