"""The dense ResNet-26 of the residual-adapter papers, without adapters.

3x3 convolutions with 32, 64, 128, 256 channels (times `width`), the stem plain
or over-parameterised (`DOConv2D`).
"""

import keras

from keras_mdl.layers import DOConv2D, FusedBatchNormalization
from keras_mdl.layers.shared_pointwise import released_initializer


def dense_resnet26(classes, input_shape, mean, std, width=1.0, stem="plain"):
    """An ordinary functional model from pixels in [0, 255] to logits."""
    layers = keras.layers

    def channels(n):
        return max(1, round(n * width))

    def conv(x, n, strides=1, kind="plain"):
        layer = {"plain": layers.Conv2D, "do": DOConv2D}[kind]
        padding = "same"
        if strides > 1:
            x, padding = layers.ZeroPadding2D(1)(x), "valid"
        x = layer(
            channels(n),
            3,
            strides,
            padding,
            use_bias=False,
            kernel_initializer=released_initializer("fan_out"),
        )(x)
        return FusedBatchNormalization(momentum=0.9, epsilon=1e-5)(x)

    inputs = keras.Input(input_shape)
    x = layers.Rescaling(
        [1 / (255 * s) for s in std],
        [-m / s for m, s in zip(mean, std, strict=True)],
    )(inputs)
    x = conv(x, 32, kind=stem)
    for n in (64, 128, 256):
        for block in range(4):
            y = layers.ReLU()(conv(x, n, 1 if block else 2))
            y = conv(y, n)
            if not block:
                x = layers.AveragePooling2D(2)(x)
                x = layers.Concatenate()([x, keras.ops.zeros_like(x)])
            x = layers.ReLU()(layers.Add()([x, y]))
    x = layers.ReLU()(FusedBatchNormalization(momentum=0.9, epsilon=1e-5)(x))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(classes)(x))
