"""Dissection finds what is known to be there, and says what chance gives."""

import csv
import json

import keras
import numpy as np
import pytest
import tiny
from PIL import Image

from keras_mdl.analysis import DrawnProbe, dissect
from keras_mdl.analysis.activations import fitted
from keras_mdl.analysis.probes import Broden, Concept, Labels
from keras_mdl.analysis.probes.canvas import COLOURS
from keras_mdl.analysis.quantiles import TopQuantile
from keras_mdl.analysis.separable import late_layers, separable_layers
from keras_mdl.analysis.tally import Tally, mask, resized

# === Parts ===


@pytest.mark.parametrize("quantile", [0.005, 0.2])
def test_thresholds_are_exact_over_a_stream(quantile):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(3000, 4)).astype("float32")
    sketch = TopQuantile(4, quantile, len(values))
    for part in np.array_split(values, 17):
        sketch.add(part)
    above = (values > sketch.thresholds()).sum(axis=0)
    assert (above == int(quantile * len(values))).all()
    assert len(sketch.values) < 3000 * quantile * 2.3 + 180  # bounded


def test_maps_are_enlarged_as_keras_does_it():
    maps = np.random.default_rng(0).normal(size=(5, 3, 2)).astype("float32")
    expected = keras.ops.image.resize(maps[None], (17, 12))[0]
    np.testing.assert_allclose(resized(maps, (17, 12)), expected, atol=1e-5)
    one = resized(maps[:1, :1], (4, 4))
    assert np.ptp(one, axis=(0, 1)).max() < 1e-6


def test_the_union_leaves_out_images_without_the_category():
    concepts = [Concept("red", "color"), Concept("wheel", "part"),
                Concept("night", "scene")]  # fmt: skip
    tally = Tally(1, concepts)
    half = np.array([0.5])
    corner = np.array([[1, 0], [0, 0]])
    on, off = (mask(np.full((2, 2, 1), x), half, (2, 2)) for x in (1, 0))
    # By hand: the mask covers 4 pixels in each of two images; the second is
    # not annotated for colours, the third has no mask.
    tally.add(on, Labels((2, 2), {"color": [corner], "scene": [3]}))
    tally.add(on, Labels((2, 2), {"part": [corner * 2, corner * 0]}))
    tally.add(off, Labels((2, 2), {"color": [corner]}))
    red, wheel, night = tally.iou()[0]
    assert red == pytest.approx(1 / (4 + 2 - 1))
    assert wheel == pytest.approx(1 / (4 + 1 - 1))
    assert night == pytest.approx(1)  # a label of the whole image


def test_layers_are_numbered_as_in_the_paper_and_come_in_pairs():
    model = tiny.tiny_model(
        ["a"],
        backbone=tiny.inverted_residuals,
        backbone_config={"blocks": ((4, 1), (6, 2))},
    )
    first, last = separable_layers(model["a"])
    assert first == (1, "block0_spatial", "block0_project")
    assert last.number == 2
    assert late_layers(model["a"])[-1].pointwise == "block1_project"
    pair = separable_layers(tiny.tiny_model(["a"])["a"])[1]
    assert (pair.depthwise, pair.pointwise) == ("conv2/depthwise", "conv2")
    dense = tiny.tiny_model(["a"], backbone=tiny.tiny_dense)["a"]
    with pytest.raises(ValueError, match=r"no separable.*conv1, norm1"):
        late_layers(dense)


# === The embedded probe set ===


@pytest.fixture(scope="module")
def drawn():
    return DrawnProbe(images=12, size=48)


def test_masks_are_exact_and_every_picture_can_be_drawn_again(drawn):
    again = DrawnProbe(images=12, size=48)
    seen = set()
    for i in range(len(drawn)):
        pixels, labels = drawn.image(i), drawn.labels(i)
        np.testing.assert_array_equal(pixels, again.image(i))
        assert labels.grid == pixels.shape[:2]
        for maps in labels.maps.values():
            seen |= {drawn.concepts[n - 1].category
                     for n in np.unique(maps[0]) if n}  # fmt: skip
        # The nearest paint of every pixel is the colour that it is called.
        distance = [np.abs(pixels.astype(int) - c).max(axis=-1)
                    for c in COLOURS.values()]  # fmt: skip
        nearest = np.argmin(distance, axis=0)
        names = np.array(list(COLOURS))[nearest]
        called = [drawn.concepts[n - 1].name
                  for n in labels.maps["color"][0].ravel()]  # fmt: skip
        assert names.ravel().tolist() == called
    assert seen == set(drawn.categories)


# === A detector that was made by hand ===


def _paint_detector(name, size):
    """Unit 0 is positive exactly where the paint of a name is; 1 is noise."""
    x = keras.Input((size, size, 3))
    paint = np.float32(COLOURS[name])
    distance = keras.ops.max(keras.ops.abs(x - paint), axis=-1, keepdims=True)
    found = keras.ops.relu(15 - distance)
    noise = keras.ops.sin(keras.ops.sum(x, axis=-1, keepdims=True) * 12.9)
    both = keras.ops.concatenate([found, noise], axis=-1)
    layer = keras.layers.Activation("linear", name="units")
    return keras.Model(x, layer(both))


def test_a_perfect_detector_has_an_iou_of_one_and_chance_does_not(drawn):
    network = _paint_detector("red", 48)
    found = dissect(network, drawn, ["units"], quantile=0.3, batch_size=5)
    units = found["units"].units()
    assert (units[0]["concept"], units[0]["category"]) == ("red", "color")
    assert units[0]["iou"] == pytest.approx(1)
    assert units[0]["detector"]
    assert units[0]["iou_by_chance"] < 0.5
    assert units[1]["iou"] < 0.6
    unique, detectors = found["units"].counts()
    assert (unique, detectors) == (
        sum(found["units"].counts(c)[0] for c in drawn.categories),
        sum(found["units"].counts(c)[1] for c in drawn.categories),
    )
    # The images that it is shown by are the ones with red in them.
    number = [c.name for c in drawn.concepts].index("red") + 1
    best = found["units"].top[0][0]
    assert (drawn.labels(int(best)).maps["color"][0] == number).any()


def test_an_interrupted_dissection_goes_on_to_the_same_numbers(
    drawn, tmp_path, monkeypatch
):
    from keras_mdl.analysis import progress

    view = tiny.tiny_model(["a"], input_shape=(16, 16, 3))["a"]
    names = ["conv1/depthwise", "conv2"]
    whole = dissect(view, drawn, names, batch_size=3)
    monkeypatch.setattr(progress, "_EVERY", 0)
    said = []
    # Once in each of the two passes.
    for reads, last in (("image", 8), ("labels", 9)):
        calls, read = [], getattr(DrawnProbe, reads)

        def stopped(self, index, calls=calls, read=read, last=last):
            calls.append(index)
            if len(calls) == last:
                raise KeyboardInterrupt
            return read(self, index)

        with monkeypatch.context() as patch:
            patch.setattr(DrawnProbe, reads, stopped)
            with pytest.raises(KeyboardInterrupt):
                dissect(
                    view, drawn, names, batch_size=3, folder=tmp_path,
                    say=said.append,
                )  # fmt: skip
    again = dissect(
        view, drawn, names, batch_size=3, folder=tmp_path, say=said.append
    )
    assert "thresholds: going on at image 6" in said
    assert "overlaps: going on at image 3" in said
    for name in names:
        for part in ("thresholds", "iou", "control", "top"):
            np.testing.assert_array_equal(
                getattr(again[name], part), getattr(whole[name], part)
            )
    # What has been finished is read back.
    with monkeypatch.context() as patch:
        patch.setattr(DrawnProbe, "image", None)
        stored = dissect(view, drawn, names, batch_size=3, folder=tmp_path)
    np.testing.assert_array_equal(stored["conv2"].iou, whole["conv2"].iou)


def test_unknown_layers_and_numbers_are_refused_before_any_image_is_read():
    view = tiny.tiny_model(["a"])["a"]
    unread = DrawnProbe(images=1)
    unread.image = None
    with pytest.raises(ValueError, match=r"conv9\. .* has conv1/depthwise"):
        dissect(view, unread, ["conv9"])
    with pytest.raises(ValueError, match="head"):
        dissect(view, unread, ["head"])
    with pytest.raises(ValueError, match=r"in \(0, 1\)"):
        dissect(view, unread, ["conv1"], quantile=0)


# === Broden as it is on disk ===


def _write(path, rows):
    with open(path, "w", newline="") as f:
        writer = csv.DictWriter(f, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _map(folder, name, labels):
    labels = np.array(labels)
    pixels = np.stack([labels % 256, labels // 256, 0 * labels], axis=-1)
    path = folder / "images" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype("uint8")).save(path)


@pytest.fixture
def broden(tmp_path):
    """Two images with every special case of the format."""
    _write(tmp_path / "category.csv", [
        {"name": n, "first": 1, "last": 9, "count": 1, "frequency": 1}
        for n in ("color", "part", "scene", "object")
    ])  # fmt: skip
    names = {1: "red", 2: "blue", 300: "wheel", 301: "door", 9: "street",
             5: "car"}  # fmt: skip
    _write(tmp_path / "label.csv", [
        {"number": n, "name": name, "category": "", "frequency": 1,
         "coverage": 1, "syns": ""}
        for n, name in names.items()
    ])  # fmt: skip
    # "door" is an object too, and covers more there.
    tables = {"color": {1: 9, 2: 1}, "part": {300: 1, 301: 1},
              "scene": {9: 1}, "object": {5: 3, 301: 2}}  # fmt: skip
    for category, covered in tables.items():
        _write(tmp_path / f"c_{category}.csv", [
            {"code": i, "number": n, "name": names[n], "frequency": 1,
             "coverage": c}
            for i, (n, c) in enumerate(covered.items(), 1)
        ])  # fmt: skip
    _map(tmp_path, "a/1_color.png", [[1, 2], [0, 1]])
    _map(tmp_path, "a/1_part1.png", [[300, 301], [0, 0]])
    _map(tmp_path, "a/1_part2.png", [[300, 300], [0, 0]])
    _map(tmp_path, "a/2_object.png", [[301, 5], [5, 5]])
    rows = [
        {"image": "a/1.jpg", "split": "train", "ih": 8, "iw": 6, "sh": 2,
         "sw": 2, "color": "a/1_color.png", "object": "", "material": "",
         "part": "a/1_part1.png;a/1_part2.png", "scene": "9",
         "texture": ""},
        {"image": "a/2.jpg", "split": "val", "ih": 8, "iw": 6, "sh": 2,
         "sw": 2, "color": "", "object": "a/2_object.png", "material": "",
         "part": "", "scene": "", "texture": ""},
    ]  # fmt: skip
    _write(tmp_path / "index.csv", rows)
    for row in rows:
        picture = Image.new("RGB", (6, 8), (200, 10, 10))
        picture.save(tmp_path / "images" / row["image"])
    return tmp_path


def test_broden_is_read_with_all_its_special_cases(broden):
    probe = Broden(broden)
    assert [(c.name, c.category) for c in probe.concepts] == [
        ("red", "color"), ("blue", "color"), ("car", "object"),
        ("street", "scene"), ("wheel", "part"), ("door", "object"),
    ]  # fmt: skip
    assert probe.image(0).shape == (8, 6, 3)
    grid, maps = probe.labels(0)
    assert grid == (2, 2)
    assert set(maps) == {"color", "part", "scene"}
    assert maps["scene"] == [4]  # of the whole image
    assert maps["color"][0].tolist() == [[1, 2], [0, 1]]
    # Label 301 belongs to the objects; a second wheel at a pixel is none.
    assert [m.tolist() for m in maps["part"]] == [
        [[5, 0], [0, 0]], [[0, 5], [0, 0]],
    ]  # fmt: skip
    assert probe.labels(1).maps["object"][0].tolist() == [[6, 3], [3, 3]]
    assert len(Broden(broden, split="val")) == 1
    some = Broden(broden, ["color", "scene"])
    assert {c.category for c in some.concepts} == {"color", "scene"}
    # And a network can be dissected with it.
    view = tiny.tiny_model(["a"])["a"]
    assert fitted(probe.image(0), view).shape == (8, 8, 3)
    found = dissect(view, probe, ["conv1"], batch_size=1)["conv1"]
    assert found.iou.shape == (4, 6)
    assert (found.iou <= 1).all()


FAULTS = {
    "no table": (lambda f: (f / "label.csv").unlink(), "label.csv"),
    "no category": (lambda f: (f / "c_part.csv").unlink(), "lacks c_part.csv"),
    "no image": (lambda f: (f / "images/a/2.jpg").unlink(), r"a/2\.jpg"),
    "no map": (
        lambda f: (f / "images/a/1_part2.png").unlink(), r"a/1_part2\.png",
    ),
    "size": (lambda f: _map(f, "a/1_color.png", [[1, 2, 1]]), "1x3 pixels"),
    "columns": (
        lambda f: (f / "index.csv").write_text("image,split\na/1.jpg,train\n"),
        "lacks the columns ih, iw, sh, sw",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_folder_that_is_no_whole_broden_is_refused(broden, fault):
    spoil, message = FAULTS[fault]
    spoil(broden)
    with pytest.raises((FileNotFoundError, ValueError), match=message):
        Broden(broden)


def test_labels_without_a_name_and_unknown_categories(broden):
    with pytest.raises(ValueError, match=r"Categories of .*: color, part"):
        Broden(broden, ["colour"])
    _map(broden, "a/1_color.png", [[1, 999], [0, 1]])
    with pytest.raises(ValueError, match=r"a/1_color\.png has the label 999"):
        Broden(broden).labels(0)


def test_json_safe_rows(drawn):
    view = tiny.tiny_model(["a"])["a"]
    found = dissect(view, drawn, ["conv1"])["conv1"]
    json.dumps(found.units())
