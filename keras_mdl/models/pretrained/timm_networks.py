"""Mobile networks as timm defines them, layer for layer, in Keras."""

from types import MappingProxyType
from typing import NamedTuple

import keras


class _Row(NamedTuple):
    """Equal blocks in a row; the first one has the strides.

    Attributes:
        block: `"conv"`; `"separable"` (depthwise, 1x1); `"separable_relu"`,
            with a ReLU behind its 1x1 and no shortcut; `"inverted"` (1x1,
            depthwise, 1x1); or `"universal"`, as `"inverted"` with a depthwise
            convolution of size `start` before, and perhaps none (0) inside.
    """

    block: str
    kernel: int
    strides: int
    filters: int
    repeats: int = 1
    expansion: int = 1
    start: int = 0


class _Network(NamedTuple):
    stages: tuple  # of rows: timm's blocks are numbered by stage and index
    relu: float | None  # where it ends
    head: int | None  # filters of the 1x1 convolution at the end
    head_norm: str | None = "bn2"
    pooled_first: bool = False


NETWORKS = MappingProxyType(
    {
        "efficientnet_lite0": _Network(
            (
                (_Row("separable", 3, 1, 16),),
                (_Row("inverted", 3, 2, 24, 2, 6),),
                (_Row("inverted", 5, 2, 40, 2, 6),),
                (_Row("inverted", 3, 2, 80, 3, 6),),
                (_Row("inverted", 5, 1, 112, 3, 6),),
                (_Row("inverted", 5, 2, 192, 4, 6),),
                (_Row("inverted", 3, 1, 320, 1, 6),),
            ),
            relu=6.0,
            head=1280,
        ),
        "mobilenetv1_100": _Network(
            (
                (_Row("separable_relu", 3, 1, 64),),
                (_Row("separable_relu", 3, 2, 128, 2),),
                (_Row("separable_relu", 3, 2, 256, 2),),
                (_Row("separable_relu", 3, 2, 512, 6),),
                (_Row("separable_relu", 3, 2, 1024, 2),),
            ),
            relu=6.0,
            head=None,
        ),
        "mobilenetv2_100": _Network(
            (
                (_Row("separable", 3, 1, 16),),
                (_Row("inverted", 3, 2, 24, 2, 6),),
                (_Row("inverted", 3, 2, 32, 3, 6),),
                (_Row("inverted", 3, 2, 64, 4, 6),),
                (_Row("inverted", 3, 1, 96, 3, 6),),
                (_Row("inverted", 3, 2, 160, 3, 6),),
                (_Row("inverted", 3, 1, 320, 1, 6),),
            ),
            relu=6.0,
            head=1280,
        ),
        "mobilenetv4_conv_small": _Network(
            (
                (_Row("conv", 3, 2, 32), _Row("conv", 1, 1, 32)),
                (_Row("conv", 3, 2, 96), _Row("conv", 1, 1, 64)),
                (
                    _Row("universal", 5, 2, 96, 1, 3, start=5),
                    _Row("universal", 3, 1, 96, 4, 2),
                    _Row("universal", 0, 1, 96, 1, 4, start=3),
                ),
                (
                    _Row("universal", 3, 2, 128, 1, 6, start=3),
                    _Row("universal", 5, 1, 128, 1, 4, start=5),
                    _Row("universal", 5, 1, 128, 1, 4),
                    _Row("universal", 5, 1, 128, 1, 3),
                    _Row("universal", 3, 1, 128, 2, 4),
                ),
                (_Row("conv", 1, 1, 960),),
            ),
            relu=None,
            head=1280,
            head_norm="norm_head",
            pooled_first=True,
        ),
    }
)


def timm_network(name, input_shape, classes):
    """The plain Keras network, of pixels that are scaled already.

    Layers are called as timm's modules: `"blocks.1.0.conv_dw"`.

    Args:
        name: Key in `NETWORKS`.
        input_shape: `(height, width, 3)`.
        classes: Number of classes.
    """
    network, layers = NETWORKS[name], keras.layers

    def unit(x, conv, norm, filters, kernel=1, strides=1, relu=True):
        """Convolution (depthwise without `filters`), norm, perhaps ReLU."""
        padding = "same"
        if strides > 1:  # Keras pads an even image on one side only
            x = layers.ZeroPadding2D(
                kernel // 2, data_format="channels_last", name=f"{conv}.pad"
            )(x)
            padding = "valid"
        kind = layers.DepthwiseConv2D
        sizes = (kernel, strides, padding)
        if filters is not None:
            kind, sizes = layers.Conv2D, (filters, *sizes)
        x = kind(
            *sizes, use_bias=False, data_format="channels_last", name=conv
        )(x)
        x = layers.BatchNormalization(-1, epsilon=1e-5, name=norm)(x)
        return layers.ReLU(network.relu, name=f"{norm}.relu")(x) if relu else x

    def block(x, name, row):
        start, inner = x, x.shape[-1] * row.expansion
        conv, filters, strides = f"{name}.conv", row.filters, row.strides
        shortcut = strides == 1 and x.shape[-1] == filters
        if row.block == "conv":
            shortcut = False
            x = unit(x, conv, f"{name}.bn1", filters, row.kernel, strides)
        elif row.block.startswith("separable"):
            relu = row.block == "separable_relu"
            shortcut = shortcut and not relu
            x = unit(x, f"{conv}_dw", f"{name}.bn1", None, row.kernel, strides)
            x = unit(x, f"{conv}_pw", f"{name}.bn2", filters, relu=relu)
        elif row.block == "inverted":
            x = unit(x, f"{conv}_pw", f"{name}.bn1", inner)
            x = unit(x, f"{conv}_dw", f"{name}.bn2", None, row.kernel, strides)
            x = unit(x, f"{conv}_pwl", f"{name}.bn3", filters, relu=False)
        else:
            for part, part_filters, kernel, step, relu in (
                ("dw_start", None, row.start, 1, False),
                ("pw_exp", inner, 1, 1, True),
                ("dw_mid", None, row.kernel, strides, True),
                ("pw_proj", filters, 1, 1, False),
            ):
                part = f"{name}.{part}"
                if kernel:
                    x = unit(
                        x, f"{part}.conv", f"{part}.bn",
                        part_filters, kernel, step, relu,
                    )  # fmt: skip
        return layers.Add(name=f"{name}.add")([start, x]) if shortcut else x

    def head(x):
        if network.head is None:
            return x
        return unit(x, "conv_head", network.head_norm, network.head)

    inputs = keras.Input(input_shape)
    x = unit(inputs, "conv_stem", "bn1", 32, 3, 2)
    for stage, rows in enumerate(network.stages):
        blocks = [
            row._replace(strides=1) if repeat else row
            for row in rows
            for repeat in range(row.repeats)
        ]
        for index, row in enumerate(blocks):
            x = block(x, f"blocks.{stage}.{index}", row)
    if not network.pooled_first:
        x = head(x)
    x = layers.GlobalAveragePooling2D(
        data_format="channels_last",
        keepdims=network.pooled_first,
        name="global_pool",
    )(x)
    if network.pooled_first:
        x = layers.Flatten(name="flatten")(head(x))
    outputs = layers.Dense(classes, name="classifier")(x)
    return keras.Model(inputs, outputs, name=name)
