"""An export says what apps lose that shrink without antialiasing."""

import json

import numpy as np
import pytest
from exported import keras_outputs, pixels, quiet_export, small_model
from keras_mdl_export import load

from keras_mdl.data import Preprocess, from_arrays
from keras_mdl.runs.exporting import evenly_spread, export_with_data

SIZE = 8
ANYTHING = {"max_accuracy_drop": 1.0, "min_agreement": 0.0}


def data_of(model, name, size, plan):
    """Noise, labelled as the network names it when `plan` has shrunk it."""
    domain = model.domains[name]
    noise = np.random.default_rng(0).integers(0, 256, (60, size, size, 3))
    noise = noise.astype("uint8")
    shown = from_arrays(domain, {"x": (noise, None)}).batches("x", 60, plan)[0]
    # Centred, so that the images get different classes.
    logits = np.log(keras_outputs(model, name, shown))
    bias = model.variables_by_path()[f"domains/{name}/head/head/bias"]
    bias.assign(bias - logits.mean(0))
    labels = keras_outputs(model, name, shown).argmax(-1)
    split = (noise, labels)
    return from_arrays(domain, {"train": split, "validation": split})


def test_both_accuracies_are_in_the_report(tmp_path):
    """`a` is labelled by antialiased images, `b` has the network's size."""
    model = small_model()
    plan = Preprocess.default(SIZE)
    data = {
        "a": data_of(model, "a", 6 * SIZE, plan),
        "b": data_of(model, "b", SIZE, plan),
    }
    report = export_with_data(
        model, data, tmp_path / "e", SIZE, mode="float32", forms=["models"],
        say=lambda _: None, **ANYTHING,
    )  # fmt: skip
    a, b = report.domains
    for antialias, column in ((True, "accuracy"), (False, "accuracy_plain")):
        x, y = evenly_spread(data["a"], "validation", SIZE, 60, antialias)
        right = load(tmp_path / "e")["a"](x).argmax(-1) == y
        assert a[column] == pytest.approx(right.mean(), abs=1e-6)
    assert a["accuracy"] > 0.8 > a["accuracy_plain"]
    assert b["accuracy_plain"] is None  # nothing was shrunk
    text = str(report)
    gap = 100 * (a["accuracy"] - a["accuracy_plain"])
    assert f"a loses {gap:.1f} points where an app shrinks" in text
    assert "b loses" not in text
    assert "plain resize" in text.splitlines()[0]
    values = json.loads((tmp_path / "e" / "manifest.json").read_text())
    stored = values["domains"]["a"]["verification"]
    assert stored["accuracy_plain"] == a["accuracy_plain"]


def test_images_that_bear_it_are_no_reason_to_warn(tmp_path):
    model = small_model(["a"])
    x = pixels(model, 100)["a"]
    y = keras_outputs(model, "a", x).argmax(-1)
    report = quiet_export(
        model, tmp_path / "e", validation={"a": (x, y)}, plain={"a": x},
        forms=["models"], **ANYTHING,
    )  # fmt: skip
    (row,) = report.domains
    assert row["accuracy_plain"] == row["accuracy"]
    assert "loses" not in str(report)


@pytest.mark.parametrize(
    ("plain", "message"),
    [
        ({"a": (9, SIZE)}, "9 images for 10 with labels"),
        ({"b": (10, SIZE)}, "10 images for 10 without labels"),
        ({"c": (10, SIZE)}, "unknown domains: c"),
        ({"a": (10, 5)}, r"`plain\['a'\]` must be images"),
    ],
)
def test_plain_images_belong_to_those_that_verify(tmp_path, plain, message):
    model = small_model()
    images = pixels(model, 10)
    plain = {k: np.zeros((n, s, s, 3), "uint8") for k, (n, s) in plain.items()}
    validation = {"a": (images["a"], np.zeros(10, int)), "b": images["b"]}
    with pytest.raises(ValueError, match=message):
        quiet_export(model, tmp_path / "e", validation=validation, plain=plain)
    assert not list(tmp_path.iterdir())
