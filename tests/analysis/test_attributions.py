"""Heat maps lie where the evidence is, in whatever view is asked."""

import keras
import numpy as np
import pytest
import tiny

from keras_mdl.analysis import explain, imagine
from keras_mdl.analysis.attributions import METHODS, depends_on_weights

pytest.importorskip("tf_keras_vis")
pytestmark = [
    pytest.mark.skipif(
        keras.backend.backend() != "tensorflow",
        reason="tf-keras-vis needs TensorFlow",
    ),
    # The library imports from a SciPy namespace that is on its way out, and
    # scores by `Model.predict` of lists.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
SIZE = 16


@pytest.fixture(scope="module")
def model():
    """Two domains whose first class is bright, the second dark.

    A unit in the middle channel sums the brightness around each place; the
    domain `b` sees the negative of the picture.
    """
    model = tiny.tiny_model(
        {"a": 2, "b": 2}, input_shape=(SIZE, SIZE, 3), backbone=tiny.tiny
    )
    for path, v in model.variables_by_path().items():
        value = np.zeros(v.shape, "float32")
        if path.endswith("depthwise/kernel"):
            sign = -1 if path.startswith("domains/b/conv1") else 1
            value[...] = sign / 9
        elif path.endswith("pointwise/kernel"):
            value[...] = 1 / v.shape[2]
        elif path.endswith(("gamma", "variance")):
            value[...] = 1
        elif path.endswith("head/dense/kernel") or "head" in path:
            if value.ndim == 2:
                value[:, 0], value[:, 1] = 1, -1
        v.assign(value)
    return model


def _picture(place):
    """Grey, with a bright square at one of the quarters."""
    image = np.full((SIZE, SIZE, 3), 118, "float32")
    top, left = (SIZE // 2 * int(c) for c in place)
    image[top + 2 : top + 6, left + 2 : left + 6] = 255
    return image


@pytest.mark.parametrize("method", METHODS)
def test_the_heat_is_where_the_evidence_is(model, method):
    images = np.stack([_picture("00"), _picture("11")])
    heat = explain(model["a"], images, [0, 0], method)
    assert heat.shape == (2, SIZE, SIZE)
    assert heat.min() >= 0
    assert heat.max() <= 1
    if method in ("saliency", "smoothgrad"):
        return  # of a linear network the gradient is the same everywhere
    half = SIZE // 2
    for row, quarter in zip(heat, ((0, 0), (1, 1)), strict=True):
        sums = row.reshape(2, half, 2, half).sum(axis=(1, 3))
        assert np.unravel_index(sums.argmax(), sums.shape) == quarter
        assert row.max() == pytest.approx(1, abs=1e-3)


def test_every_domain_is_explained_by_its_own_slot(model):
    """Keras' `layer.output` of a shared layer is the first domain's."""
    before = model.fingerprint()
    image = _picture("00")[None]
    ours, theirs = (
        explain(model[d], image, [0], "gradcam") for d in ("a", "b")
    )
    # What speaks for "bright" there is what is dark here.
    assert ours[0, 4, 4] > 0.9
    assert theirs[0, 4, 4] < 0.1
    assert model.fingerprint() == before
    single = explain(model.only_domain("b")["b"], image, [0], "gradcam")
    np.testing.assert_allclose(theirs, single, atol=1e-6)


@pytest.mark.parametrize("method", ["scorecam", "gradcam++"])
def test_half_precision_and_bytes_are_explained_too(method):
    options = {"input_shape": (SIZE, SIZE, 3), "dtype": "mixed_bfloat16"}
    half = tiny.randomize(tiny.tiny_model(["a"], **options))
    options = {"input_dtype": "uint8", "input_shape": (SIZE, SIZE, 3)}
    bytes_ = tiny.randomize(tiny.tiny_model(["a"], **options))
    images = tiny.images(2, size=SIZE)
    found = [explain(m["a"], images, [1, 1], method) for m in (half, bytes_)]
    np.testing.assert_allclose(*found, atol=0.05)


def test_maps_depend_on_the_weights():
    """After Adebayo et al.: of a random network the maps must be others."""
    model = tiny.randomize(tiny.tiny_model(["a"], input_shape=(32, 32, 3)))
    images = tiny.images(4, size=32)
    for method in ("gradcam", "saliency"):
        assert depends_on_weights(model["a"], images, method) < 0.7
        same = explain(model["a"], images, method=method)
        again = explain(model["a"], images, method=method)
        np.testing.assert_allclose(same, again, atol=1e-6)


def test_an_imagined_image_suits_its_class(model):
    bright, dark = (imagine(model["a"], label, steps=30) for label in (0, 1))
    assert bright.shape == (SIZE, SIZE, 3)
    assert bright.dtype == np.uint8
    assert bright.mean() > dark.mean() + 5


def test_what_cannot_be_explained_is_refused(model):
    x = _picture("00")[None]
    for arguments, message in (
        ({"method": "lime"}, "Known methods: gradcam"),
        ({"layer": "conv9"}, "The network has conv1/depthwise"),
        ({"layer": "head"}, "must name a layer with maps"),
        ({"classes": [7]}, "1 integers from 0 to 1"),
    ):
        with pytest.raises(ValueError, match=message):
            explain(model["a"], x, **arguments)
    bare = tiny.tiny_model(["a"], include_top=False)
    with pytest.raises(ValueError, match="has no classes"):
        explain(bare["a"], x)
    with pytest.raises(ValueError, match="from 0 to 1"):
        imagine(model["a"], 2)


def test_another_backend_is_refused(model, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ValueError, match="need the TensorFlow backend"):
        explain(model["a"], _picture("00")[None])
