"""Small networks with lived-in numbers, and their exports."""

import keras
import numpy as np
from keras_mdl_export import export
from tiny import images, tiny_model

from keras_mdl import DomainBatchNormalization, SharedLayer
from keras_mdl.layers import DomainDepthwiseConv2D, SharedConv2D
from keras_mdl.models import backbone


@backbone(regions={"early": ["stem"], "late": ["project"]})
@keras.saving.register_keras_serializable("keras_mdl_tests")
def mobile(x, scope):
    """What mobile networks have: stem, squeeze-and-excite, residual sums."""
    layers = keras.layers

    def conv(x, name, filters, size=1, activation=None, **options):
        options = {"filters": filters, "kernel_size": size, **options}
        x = scope(SharedConv2D, name, **options)(x)
        x = scope(DomainBatchNormalization, f"{name}_norm")(x)
        return layers.Activation(activation)(x) if activation else x

    x = conv(x, "stem", 16, 3, "relu6", padding="same")
    y = conv(x, "expand", 32, activation="hard_silu")
    y = scope(DomainDepthwiseConv2D, "depthwise", padding=1)(y)
    y = scope(DomainBatchNormalization, "depthwise_norm")(y)
    y = layers.ReLU(6.0)(y)
    z = layers.GlobalAveragePooling2D()(y)
    z = scope(SharedLayer, "squeeze", layer=layers.Dense(8, "relu"))(z)
    z = scope(SharedLayer, "excite", layer=layers.Dense(32, "sigmoid"))(z)
    y = layers.Multiply()([y, layers.Reshape((1, 1, 32))(z)])
    x = layers.Add()([x, conv(y, "project", 16)])
    x = conv(x, "grouped", 16, 3, "relu6", padding="same", groups=2)
    return layers.AveragePooling2D(2)(x)


LOUD = 1.5  # of statistics and gammas, so that folding has something to do


def lived_in(model, seed=0):
    """Gives gammas, betas and statistics values as after a training."""
    rng = np.random.default_rng(seed)
    for path, v in model.variables_by_path().items():
        if "gamma" in path or "variance" in path:
            v.assign(rng.uniform(1 / LOUD, LOUD, v.shape))
        elif "beta" in path or "mean" in path:
            v.assign(rng.normal(0, 0.3, v.shape))
    return model


def small_model(domains=("a", "b"), **options):
    """The tiny backbone, wide enough that kernels differ."""
    options = {"backbone_config": {"channels": 16}, **options}
    return lived_in(tiny_model(domains, **options))


def pixels(model, n=100):
    """Random images for every domain, uint8."""
    size = model.get_config()["input_shape"][0]
    return {
        name: images(n, seed, size).astype("uint8")
        for seed, name in enumerate(model)
    }


def quiet_export(model, folder, **options):
    """`export` on random images; says nothing."""
    options = {"min_agreement": 0.5, **options}
    if "calibration" not in options:
        options["calibration"] = pixels(model)
    return export(model, folder, say=lambda _: None, **options)


def keras_outputs(model, name, x):
    """Probabilities of a domain's view."""
    view = model[name]
    x = x.astype(str(view.inputs[0].dtype))
    logits = keras.ops.convert_to_numpy(view(x)).astype("float32")
    e = np.exp(logits - logits.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def turn_gamma(model, name, value, channel=3):
    """Sets one gamma of a domain, behind the shared convolution."""
    path = f"domains/{name}/norm1/norm/gamma"
    gamma = model.variables_by_path()[path]
    values = np.array(keras.ops.convert_to_numpy(gamma))
    values[channel] = value
    gamma.assign(values)
    return model
