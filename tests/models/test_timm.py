"""Networks of timm: its names, its shapes and its logits."""

import importlib
import json
import pathlib
import sys
import types

import keras
import numpy as np
import pytest
import safetensors.numpy

import keras_mdl
from keras_mdl.models.pretrained.timm_trunks import CHECKPOINTS

LOGITS = pathlib.Path(__file__).with_name("timm_logits.npz")
BENCHMARKS = pathlib.Path(__file__).parents[2] / "benchmarks"
NAMES = sorted({name.partition(".")[0] for name in CHECKPOINTS})
SMALLEST = "mobilenetv4_conv_small"


@pytest.fixture(scope="module")
def script():
    """What asked timm: it draws the same weights and images for us."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        return importlib.import_module("timm_reference")


@pytest.fixture(scope="module")
def facts():
    return json.loads(str(np.load(LOGITS)["facts"]))


@pytest.fixture(scope="module")
def checkpoint(script, facts, tmp_path_factory):
    """Writes the checkpoint of a network, with changes; gives its path."""
    folder = tmp_path_factory.mktemp("timm")

    def write(name, changes=()):
        tensors = {**script.drawn(facts["shapes"][name]), **dict(changes)}
        tensors = {k: v for k, v in tensors.items() if v is not None}
        path = folder / f"{name}.safetensors"
        safetensors.numpy.save_file(tensors, path)
        return path

    return write


@pytest.mark.parametrize("name", NAMES)
def test_logits_are_those_of_timm(name, script, checkpoint):
    model = keras_mdl.build_timm(
        name, input_shape=(None, None, 3), weights=checkpoint(name)
    )
    assert list(model) == ["imagenet"]
    found = model["imagenet"](script.images(), training=False)
    expected = np.load(LOGITS)[name]
    error = np.abs(keras.ops.convert_to_numpy(found) - expected)
    assert (error.max(-1) < 1e-4 * np.abs(expected).max(-1)).all()


def test_checkpoints_are_those_of_timm_with_its_scaling(facts):
    assert CHECKPOINTS.keys() == facts["checkpoints"].keys()
    means = {
        "imagenet": [[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]],
        "-1..1": [[0.5] * 3, [0.5] * 3],
    }
    for name, (mean, std, size) in facts["checkpoints"].items():
        ours = CHECKPOINTS[name]
        assert means[ours.scaling] == [mean, std]
        assert size == [3, ours.size, ours.size]


def test_domains_start_from_the_checkpoint(checkpoint, tmp_path):
    model = keras_mdl.build_timm(
        SMALLEST, {"a": 2, "b": 3}, (32, 32, 3), checkpoint(SMALLEST)
    )
    assert model["a"].phase == "domain_kept"
    rows = {r.owner: r for r in model.summary_by_domain().rows}
    assert rows["trunk"].parameters == 2_400_096
    assert rows["a"].parameters - rows["a"].head == 92_928
    model.save(tmp_path / "m.keras")
    again = keras_mdl.load_model(tmp_path / "m.keras")
    assert again.fingerprint() == model.fingerprint()


def test_what_a_file_does_not_hold_is_refused(checkpoint, tmp_path):
    build = keras_mdl.build_timm
    shape = (32, 32, 3)
    for changes, reason in (
        ({"classifier.bias": None}, "have no 'classifier.bias'"),
        ({"extra": np.zeros(3)}, "no place for extra"),
        ({"classifier.bias": np.zeros(7)}, r"shape \(7,\)"),
        ({"classifier.bias": np.full(1000, np.nan)}, "not finite"),
    ):
        with pytest.raises(ValueError, match=reason):
            build(SMALLEST, None, shape, checkpoint(SMALLEST, changes))
    other = checkpoint("mobilenetv1_100")
    with pytest.raises(ValueError, match="another network than mobilenetv4"):
        build(SMALLEST, None, shape, other)
    damaged = tmp_path / "damaged.safetensors"
    for data in (b"", b"PK\x03\x04", other.read_bytes()[:-1]):
        damaged.write_bytes(data)
        with pytest.raises(ValueError, match="damaged or of another format"):
            build(SMALLEST, None, shape, damaged)
    with pytest.raises(FileNotFoundError, match=r"none\.safetensors"):
        build(SMALLEST, None, shape, tmp_path / "none.safetensors")


@pytest.mark.parametrize("shape", [(31, 64, 3), (64, 64, 1), (64, 64)])
def test_images_that_do_not_suit_are_refused(shape):
    with pytest.raises(ValueError, match="at least 32 pixels"):
        keras_mdl.build_timm(SMALLEST, None, shape, None)


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match=r"Known ones: .*mobilenetv2_100\.ra"):
        keras_mdl.build_timm("mobilenetv2_140", weights=None)


def test_the_name_of_a_network_means_timms_default_checkpoint(facts):
    for network, default in facts["default"].items():
        first = next(n for n in CHECKPOINTS if n.startswith(f"{network}."))
        assert first == default
    larger = keras_mdl.build_timm(
        f"{SMALLEST}.e3600_r256_in1k", {"a": 2}, weights=None
    )
    assert larger["a"].input_shape == (None, 256, 256, 3)


def test_the_hub_is_asked_for_the_checkpoint(checkpoint, monkeypatch):
    asked, path = [], checkpoint(SMALLEST)

    def download(*request):
        asked.append(request)
        if len(asked) > 1:
            raise RuntimeError("no route")
        return str(path)

    hub = types.ModuleType("huggingface_hub")
    hub.hf_hub_download = download
    hub.__spec__ = importlib.machinery.ModuleSpec("huggingface_hub", None)
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    keras_mdl.build_timm(SMALLEST, {"a": 2}, (32, 32, 3))
    known = "timm/mobilenetv4_conv_small.e2400_r224_in1k"
    assert asked == [(known, "model.safetensors")]
    with pytest.raises(OSError, match=r"Cannot download.*no route.*path"):
        keras_mdl.build_timm(SMALLEST, {"a": 2}, (32, 32, 3))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="pip install huggingface_hub"):
        keras_mdl.build_timm(SMALLEST, {"a": 2}, (32, 32, 3))
