"""The same ResNet-26 without slots: the peer that slots are measured against.

`kernels="keras"` uses Keras' own layers throughout; `kernels="ours"` uses this
package's depthwise and BatchNorm kernels, so that only the slots differ.
"""

import keras

from keras_mdl.layers import DepthwiseConv2D, FusedBatchNormalization
from keras_mdl.layers.shared_pointwise import released_initializer


def plain_resnet26(classes, input_shape, width=1.0, kernels="keras"):
    """An ordinary functional model; outputs are logits."""
    layers = keras.layers
    depthwise = DepthwiseConv2D if kernels == "ours" else layers.DepthwiseConv2D
    norm_class = (
        FusedBatchNormalization
        if kernels == "ours"
        else layers.BatchNormalization
    )

    def conv(x, filters, strides=1):
        padding = "same"
        if strides > 1:
            x, padding = layers.ZeroPadding2D(1)(x), "valid"
        x = depthwise(
            3,
            strides,
            padding,
            use_bias=False,
            depthwise_initializer=released_initializer("fan_in"),
        )(x)
        return layers.Conv2D(
            filters,
            1,
            use_bias=False,
            kernel_initializer=released_initializer("fan_out"),
        )(x)

    def norm(x):
        return norm_class(momentum=0.9, epsilon=1e-5)(x)

    def channels(n):
        return max(1, round(n * width))

    inputs = keras.Input(input_shape)
    x = layers.Rescaling(1 / 64, offset=-2.0)(inputs)
    x = norm(conv(x, channels(64)))
    for n in (128, 256, 512):
        for block in range(4):
            y = layers.ReLU()(norm(conv(x, channels(n), 1 if block else 2)))
            y = norm(conv(y, channels(n)))
            if not block:
                x = layers.AveragePooling2D(2)(x)
                x = layers.Concatenate()([x, keras.ops.zeros_like(x)])
            x = layers.ReLU()(layers.Add()([x, y]))
    x = layers.ReLU()(norm(x))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(classes)(x))
