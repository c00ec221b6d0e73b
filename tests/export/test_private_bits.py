"""Coarser private numbers: smaller packs, the same trunk, close answers."""

import json

import numpy as np
import pytest
from exported import keras_outputs, pixels, quiet_export, small_model
from keras_mdl_export import load
from keras_mdl_export.choosing import loss_of
from keras_mdl_export.coarsening import on_grid, short
from keras_mdl_export.private_bits import PrivateBits


def wide():
    """A private pointwise kernel that is worth it: 48 x 96."""
    return small_model(backbone_config={"channels": 48})


@pytest.mark.parametrize("mantissa", [23, 11, 8, 4])
def test_a_short_float_is_the_nearest_one(mantissa):
    rng = np.random.default_rng(0)
    x = np.float32(rng.normal(0, 1, 500) * 10.0 ** rng.integers(-9, 9, 500))
    found = short(x, mantissa)
    assert np.abs(found / x - 1).max() <= 2.0 ** -(mantissa + 1)
    whole, _ = np.frexp(np.float64(found))
    assert np.all(whole * 2 ** (mantissa + 1) % 1 == 0)
    assert short(found, mantissa).tobytes() == found.tobytes()
    assert short(np.float32([0, -0.0]), mantissa).tolist() == [0, 0]


def test_a_grid_keeps_the_sum_of_each_channel():
    x = np.random.default_rng(0).normal(0.2, 1, (1, 3, 3, 40))
    scales = np.abs(x).max((0, 1, 2)) / 7
    found = on_grid(x, scales, 7, 3)
    assert (found.dtype, found.shape) == (np.int8, x.shape)
    assert np.abs(found).max((0, 1, 2)).tolist() == [7] * 40
    exact = x / scales
    assert np.abs(found - exact).max() < 1
    off = (found - exact).sum((0, 1, 2))
    assert np.abs(off).max() <= 0.5 + 1e-9
    plain = np.rint(exact) - exact
    assert np.abs(plain.sum((0, 1, 2))).max() > 1  # what it is for


@pytest.mark.parametrize("mode", ["dyn_conv", "int8"])
def test_packs_shrink_and_the_trunk_stays(tmp_path, mode):
    model = wide()
    found = {
        name: quiet_export(model, tmp_path / name, mode=mode, private_bits=name)
        for name in ("full", "coarse")
    }
    trunks = [(tmp_path / n / "parts/trunk.bin").read_bytes() for n in found]
    assert trunks[0] == trunks[1]
    for full, coarse in zip(*(r.domains for r in found.values()), strict=True):
        assert coarse["pack"] < 0.75 * full["pack"]
        assert coarse["shared"] == 1
    values = json.loads((tmp_path / "coarse/manifest.json").read_text())
    before = json.loads((tmp_path / "full/manifest.json").read_text())
    int8 = mode == "int8"
    assert values["runtime"] == (before["runtime"] if int8 else "2.7.0")
    for name, x in pixels(model, 40).items():
        assert values["domains"][name]["private_bits"] == {
            "name": "coarse", "kernels": 7, "depthwise": 31, "mantissa": 9,
            "images": 0, "lost": 0.0,
        }  # fmt: skip
        received = load(tmp_path / "coarse")[name](x)
        assert np.abs(received - keras_outputs(model, name, x)).max() < 0.15


def test_each_domain_is_as_coarse_as_its_training_images_allow(tmp_path):
    model, x = wide(), pixels(wide(), 100)
    labels = {n: keras_outputs(model, n, x[n]).argmax(1) for n in model}
    others = {n: (255 - x[n], labels[n]) for n in model}
    options = {
        "validation": others,
        "forms": ["models", "packs"],
        "max_accuracy_drop": 1.0,
        "min_agreement": 0.0,
    }
    report = quiet_export(
        model,
        tmp_path / "e",
        calibration={"a": (x["a"], labels["a"])},
        max_private_loss=1.0,
        **options,
    )
    # Without images to choose on nothing changes.
    assert [d["private_bits"] for d in report.domains] == ["coarsest", "full"]
    assert "coarsest" in str(report)
    values = json.loads((tmp_path / "e" / "manifest.json").read_text())
    chosen = values["domains"]["a"]["private_bits"]
    assert chosen["images"] == 100
    assert chosen["lost"] > 0


def test_a_loss_by_chance_is_none():
    right = np.zeros(400, int)
    full = np.tile([0.9, 0.1], (400, 1))
    found = full.copy()
    assert loss_of(full, found, right) == (0, 0)
    found[:2] = [0.4, 0.6]  # half a point, by two images
    lost, surely = loss_of(full, found, right)
    assert lost == pytest.approx(2 / 400)
    assert surely == pytest.approx(0.0025)  # then the probability is more
    found[:40] = [0.4, 0.6]
    lost, surely = loss_of(full, found, right)
    assert lost == pytest.approx(0.1)
    assert 0.08 < surely < lost


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"private_bits": "tiny"}, "auto, full, fine, medium.*'tiny'"),
        ({"private_bits": 4}, "private_bits=4"),
        (
            {"private_bits": "fine", "mode": "float16"},
            "mode 'dyn_conv' or 'int8'.*'float16'.*'fine'",
        ),
        ({"max_private_loss": -1}, "max_private_loss=-1"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        quiet_export(small_model(), tmp_path / "e", **options)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "wrong", [{"kernels": 0}, {"depthwise": 128}, {"mantissa": 3}]
)
def test_numbers_of_bits_are_checked(wrong):
    with pytest.raises(ValueError, match=f"`{next(iter(wrong))}` of Private"):
        PrivateBits(**wrong)
