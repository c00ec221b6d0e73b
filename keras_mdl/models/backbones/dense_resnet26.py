"""`build_dense_resnet26`: the network of the residual-adapter papers."""

from collections.abc import Callable, Mapping, Sequence

import keras

from keras_mdl.layers import DomainBatchNormalization, SharedConv2D
from keras_mdl.layers.domain_norm import GAMMA_FLOOR
from keras_mdl.models.backbones.record import backbone
from keras_mdl.models.backbones.resnet26 import (
    SIZE_MULTIPLE,
    build,
    halved_and_widened,
)
from keras_mdl.models.multi_domain import MultiDomainModel


def build_dense_resnet26(
    domains: Sequence | Mapping[str, int] | None = None,
    input_shape: tuple = (72, 72, 3),
    width: float = 1.0,
    dropout: float = 0.0,
    input_dtype: str = "float32",
    include_top: bool = True,
    gamma_floor: float | None = GAMMA_FLOOR,
    **kwargs,
) -> MultiDomainModel:
    """The ResNet-26 of dense 3x3 convolutions, with a shared trunk.

    Stem of 32 channels without ReLU; 3 macro blocks of 4 residual blocks with
    64, 128 and 256 channels, the first block of each with stride 2;
    BatchNorm, ReLU, global average pooling, linear classifier. All 25
    convolutions are the trunk; BatchNorms, classifier and adapters (see
    `MultiDomainModel.with_domain`) belong to one domain each.

    Args:
        domains, input_shape, width, dropout, input_dtype, include_top,
            gamma_floor: As `build_resnet26`.
        **kwargs: `name` and `dtype`, as for any Keras model.

    Returns:
        A `MultiDomainModel`. With no arguments it has 5,814,688 trainable
        parameters without the head and 6,071,688 with it.

    Raises:
        ValueError: As `build_resnet26`.

    Reference: Rebuffi, Bilen, Vedaldi, NIPS 2017 and CVPR 2018, and their
    released code.
    """
    return build(
        dense_resnet26,
        domains,
        width,
        gamma_floor,
        input_shape=input_shape,
        input_dtype=input_dtype,
        dropout=dropout,
        include_top=include_top,
        **kwargs,
    )


@backbone(size_multiple=SIZE_MULTIPLE)
@keras.saving.register_keras_serializable("keras_mdl")
def dense_resnet26(
    x: keras.KerasTensor,
    scope: Callable,
    width: float = 1.0,
    gamma_floor: float | None = GAMMA_FLOOR,
) -> keras.KerasTensor:
    """The backbone function: image tensor -> feature map `(b, h/8, w/8, c)`."""

    def norm(x, name):
        return scope(DomainBatchNormalization, name, gamma_floor=gamma_floor)(x)

    def unit(x, name, n, strides=1):
        n = max(1, round(n * width))
        x = scope(SharedConv2D, name, filters=n, strides=strides)(x)
        return norm(x, f"{name}_norm")

    def relu(x, name):
        return keras.layers.ReLU(name=name)(x)

    x = unit(x, "stem", 32)
    for stage, n in enumerate((64, 128, 256), start=1):
        for block in range(1, 5):
            name = f"stage{stage}_block{block}"
            first = block == 1
            y = unit(x, f"{name}_conv1", n, 2 if first else 1)
            y = unit(relu(y, f"{name}_relu1"), f"{name}_conv2", n)
            if first:
                x = halved_and_widened(x, y.shape[-1], name)
            x = keras.layers.Add(name=f"{name}_add")([x, y])
            x = relu(x, f"{name}_relu2")
    return relu(norm(x, "end_norm"), "end_relu")
