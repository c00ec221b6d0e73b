"""`build_resnet26`: the network of Guo et al. as released."""

from collections.abc import Callable, Mapping, Sequence

import keras

from keras_mdl.layers import (
    DomainBatchNormalization,
    SharedPointwiseDepthwiseConv,
)
from keras_mdl.layers.domain_norm import GAMMA_FLOOR
from keras_mdl.models.backbones.record import backbone
from keras_mdl.models.multi_domain import MultiDomainModel

SIZE_MULTIPLE = 8  # three halvings


def build_resnet26(
    domains: Sequence | Mapping[str, int] | None = None,
    input_shape: tuple = (72, 72, 3),
    width: float = 1.0,
    dropout: float = 0.0,
    input_dtype: str = "float32",
    include_top: bool = True,
    depthwise: str | Mapping[str, str] = "plain",
    gamma_floor: float | None = GAMMA_FLOOR,
    **kwargs,
) -> MultiDomainModel:
    """The depthwise-separable ResNet-26 with a shared pointwise trunk.

    Stem; 3 macro blocks of 4 residual blocks with 128, 256 and 512 channels,
    the first block of each with stride 2; BatchNorm, ReLU, global average
    pooling, linear classifier. 25 separable convolutions and the classifier
    make 26 layers. The pointwise kernels of layers 1 to 24 are shared by all
    domains; the depthwise kernels, BatchNorms, the pointwise kernel of layer
    25 and the classifier belong to one domain each.

    Args:
        domains: `keras_mdl.Domain` objects or `{name: classes}`. Default: the
            paper's base domain, `imagenet12` with 1000 classes.
        input_shape: `(height, width, 3)`, divisible by 8, or `None` for sizes
            that vary (the released recipes train on 64 and test on 72).
        width: Multiplier of all channel numbers (rounded, at least 1).
        dropout: Rate before the classifier, a number or `{domain: rate}`.
        input_dtype: `"float32"` or `"uint8"`; pixels are in `[0, 255]`.
        include_top: `False` leaves out the classifiers.
        depthwise: `"plain"`, or `"do"` for slots that are over-parameterised
            while they train (81 numbers more per channel) and folded after:
            `model.folded()`. One for all domains, or `{domain: kind}`.
        gamma_floor: As `DomainBatchNormalization`; `None` as published.
        **kwargs: `name` and `dtype`, as for any Keras model.

    Returns:
        A `MultiDomainModel`. With no arguments it has 3,169,667 trainable
        parameters; 2,656,667 without the head; each further domain adds 338,139
        and its head.

    Raises:
        ValueError: For a size that is not divisible by 8 (the strided
            convolution and the average-pool shortcut would disagree), or a
            `width` that is not positive.

    Example:

    >>> model = build_resnet26({"base": 10}, (32, 32, 3), width=0.25)
    >>> model = model.with_domain("signs", classes=["stop", "yield"])
    >>> model["signs"].output_shape
    (None, 2)

    Reference: Guo, Li, Wang, Rosing, "Depthwise Convolution Is All You Need
    for Learning Multiple Visual Domains", AAAI 2019; details (no ReLU after
    the stem, initialisation, zero-padded shortcuts) from the released code.
    """
    return build(
        resnet26,
        domains,
        width,
        gamma_floor,
        input_shape=input_shape,
        input_dtype=input_dtype,
        dropout=dropout,
        include_top=include_top,
        depthwise=depthwise,
        **kwargs,
    )


def build(function, domains, width, gamma_floor, **options):
    """The `MultiDomainModel` of a ResNet-26 backbone, named after it.

    Args:
        function: A function of `(x, scope, width, gamma_floor)`.
        domains, width, gamma_floor: As `build_resnet26`.
        **options: As `MultiDomainModel`.

    Raises:
        ValueError: For a `width` that is not positive.
    """
    if not width > 0:
        raise ValueError(f"`width` must be positive. Received: width={width}")
    return MultiDomainModel(
        {"imagenet12": 1000} if domains is None else domains,
        function,
        {"width": width, "gamma_floor": gamma_floor},
        **{"name": function.__name__, **options},
    )


# The paper draws the three regions of its gates without saying where they
# end; these are the macro blocks, the stem among the early.
@backbone(
    size_multiple=SIZE_MULTIPLE,
    regions={
        "early": ["stem", "stage1_*"],
        "middle": ["stage2_*"],
        "late": ["stage3_*"],
    },
)
@keras.saving.register_keras_serializable("keras_mdl")
def resnet26(
    x: keras.KerasTensor,
    scope: Callable,
    width: float = 1.0,
    gamma_floor: float | None = GAMMA_FLOOR,
) -> keras.KerasTensor:
    """The backbone function: image tensor -> feature map `(b, h/8, w/8, c)`."""

    def channels(n):
        return max(1, round(n * width))

    def conv(x, name, n, strides=1, pointwise="shared"):
        return scope(
            SharedPointwiseDepthwiseConv,
            name,
            filters=n,
            strides=strides,
            pointwise=pointwise,
        )(x)

    def norm(x, name):
        return scope(DomainBatchNormalization, name, gamma_floor=gamma_floor)(x)

    def relu(x, name):
        return keras.layers.ReLU(name=name)(x)

    x = norm(conv(x, "stem", channels(64)), "stem_norm")
    for stage, n in enumerate((128, 256, 512), start=1):
        for block in range(1, 5):
            name = f"stage{stage}_block{block}"
            first = block == 1
            last = stage == 3 and block == 4
            y = conv(x, f"{name}_conv1", channels(n), 2 if first else 1)
            y = relu(norm(y, f"{name}_norm1"), f"{name}_relu1")
            # Layer 25, the last pointwise, is private to give each domain
            # some capacity of its own.
            y = conv(
                y,
                f"{name}_conv2",
                channels(n),
                pointwise="domain" if last else "shared",
            )
            y = norm(y, f"{name}_norm2")
            if first:
                x = halved_and_widened(x, y.shape[-1], name)
            x = keras.layers.Add(name=f"{name}_add")([x, y])
            x = relu(x, f"{name}_relu2")
    return relu(norm(x, "end_norm"), "end_relu")


def halved_and_widened(x, channels, name):
    """The shortcut without parameters: average pool, zeros as new channels."""
    x = keras.layers.AveragePooling2D(
        2, data_format="channels_last", name=f"{name}_pool"
    )(x)
    extra = channels - x.shape[-1]
    return _ZeroChannels(extra, name=f"{name}_zeros")(x) if extra else x


@keras.saving.register_keras_serializable("keras_mdl")
class _ZeroChannels(keras.layers.Layer):
    """Appends `channels` channels of zeros."""

    def __init__(self, channels, **kwargs):
        super().__init__(**kwargs)
        self.channels = channels

    def call(self, inputs):
        pad = [(0, 0)] * (len(inputs.shape) - 1) + [(0, self.channels)]
        return keras.ops.pad(inputs, pad)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], input_shape[-1] + self.channels)

    def get_config(self):
        return {**super().get_config(), "channels": self.channels}
