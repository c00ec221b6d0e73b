"""A network of a few slotted layers on 8x8 images, and what tests ask of it."""

import keras
import numpy as np
from PIL import Image

from keras_mdl import (
    DomainBatchNormalization,
    MultiDomainModel,
    SharedPointwiseDepthwiseConv,
)
from keras_mdl.layers import DomainDepthwiseConv2D, SharedConv2D
from keras_mdl.models import backbone
from keras_mdl.training import CoupledSGD

SIZE = 8
CLASSES = {"a": 3, "b": 2, "c": 4}
LOSS = "sparse_categorical_crossentropy"

OPTIMIZERS = {
    "sgd_decay": lambda: keras.optimizers.SGD(
        0.05, momentum=0.9, weight_decay=0.1
    ),
    "adamw": lambda: keras.optimizers.AdamW(0.01, weight_decay=0.1),
    "coupled_sgd": lambda: CoupledSGD(0.05, momentum=0.9, l2=0.1),
    "sgd_ema": lambda: keras.optimizers.SGD(
        0.05, momentum=0.9, use_ema=True, ema_momentum=0.5
    ),
}


@backbone(regions={"early": ["conv1"], "late": ["conv2"]}, size_multiple=8)
@keras.saving.register_keras_serializable("keras_mdl_tests")
def tiny(x, scope, channels=4):
    """Two separable convolutions; the second pointwise is private."""
    x = scope(SharedPointwiseDepthwiseConv, "conv1", filters=channels)(x)
    x = scope(DomainBatchNormalization, "norm1")(x)
    x = keras.layers.ReLU(name="relu1")(x)
    x = scope(
        SharedPointwiseDepthwiseConv,
        "conv2",
        filters=2 * channels,
        strides=2,
        pointwise="domain",
    )(x)
    x = scope(DomainBatchNormalization, "norm2")(x)
    return keras.layers.ReLU(name="relu2")(x)


@keras.saving.register_keras_serializable("keras_mdl_tests")
def inverted_residuals(x, scope, blocks=((4, 1), (6, 2), (6, 1)), expansion=2):
    """In the style of MobileNetV2: norm and ReLU6 between the two halves."""

    def mix(x, name, filters):
        x = scope(SharedConv2D, name, filters=filters, kernel_size=1)(x)
        return scope(DomainBatchNormalization, f"{name}_norm")(x)

    def relu6(x, name):
        return keras.layers.ReLU(6.0, name=name)(x)

    x = mix(x, "stem", 4)
    for index, (filters, strides) in enumerate(blocks):
        name = f"block{index}"
        y = mix(x, f"{name}_expand", expansion * x.shape[-1])
        y = relu6(y, f"{name}_expand_relu")
        spatial = {"kernel_size": 3, "strides": strides, "padding": "same"}
        y = scope(DomainDepthwiseConv2D, f"{name}_spatial", **spatial)(y)
        y = scope(DomainBatchNormalization, f"{name}_spatial_norm")(y)
        y = relu6(y, f"{name}_spatial_relu")
        y = mix(y, f"{name}_project", filters)
        if strides == 1 and filters == x.shape[-1]:
            y = keras.layers.Add(name=f"{name}_add")([x, y])
        x = y
    return x


@keras.saving.register_keras_serializable("keras_mdl_tests")
def tiny_dense(x, scope, channels=4):
    """Two dense convolutions."""
    x = scope(SharedConv2D, "conv1", filters=channels)(x)
    x = scope(DomainBatchNormalization, "norm1")(x)
    x = keras.layers.ReLU(name="relu1")(x)
    x = scope(SharedConv2D, "conv2", filters=2 * channels, strides=2)(x)
    x = scope(DomainBatchNormalization, "norm2")(x)
    return keras.layers.ReLU(name="relu2")(x)


def tiny_model(domains=("a", "b"), **options):
    """A `MultiDomainModel` with the tiny backbone; names from `CLASSES`."""
    if not isinstance(domains, dict):
        domains = {name: CLASSES[name] for name in domains}
    options = {"input_shape": (SIZE, SIZE, 3), "backbone": tiny, **options}
    return MultiDomainModel(domains, **options)


def tiny_network(domains, input_shape, width, dropout, depthwise):
    """What takes the place of `build_resnet26` in the commands' networks."""
    return MultiDomainModel(
        domains,
        backbone=tiny,
        input_shape=input_shape,
        dropout=dropout,
        depthwise=depthwise,
        name="tiny",
    )


def write_images(folder, colours, count, size):
    """A class folder of noisy plain pictures.

    Args:
        folder: The folder, without the ones of the classes.
        colours: `{class: RGB}`.
        count: Pictures of each class.
        size: `(height, width)`.
    """
    rng = np.random.default_rng(0)
    for name, colour in colours.items():
        (folder / name).mkdir(parents=True)
        for i in range(count):
            pixels = rng.normal(colour, 20, (*size, 3))
            picture = Image.fromarray(np.uint8(np.clip(pixels, 0, 255)))
            picture.save(folder / name / f"{i}.png")


def images(n=8, seed=0, size=SIZE):
    """Whole-number pixels in [0, 255], float32."""
    pixels = np.random.default_rng(seed).integers(0, 256, (n, size, size, 3))
    return pixels.astype("float32")


def labels(domain, n=8, seed=0):
    """Labels of a domain in `CLASSES`."""
    return np.random.default_rng(seed + 1).integers(0, CLASSES[domain], n)


def batch(domain, n=8, seed=0):
    return images(n, seed), labels(domain, n, seed)


def fit(view, domain=None, n=8, batch_size=4, seed=0, **options):
    """A short silent fit on random images, in a fixed order."""
    options = {"epochs": 1, "verbose": 0, "shuffle": False, **options}
    names = view.domains
    if len(names) == 1 and domain is None:
        x, y = batch(names[0], n, seed)
    elif domain is not None:
        x, y = batch(domain, n, seed)
    else:
        x = {d: images(n, seed + i) for i, d in enumerate(names)}
        y = {d: labels(d, n, seed + i) for i, d in enumerate(names)}
    return view.fit(x, y, batch_size=batch_size, **options)


def compiled(view, optimizer=None, **options):
    """The view, compiled with a plain optimizer and the usual loss."""
    view.compile(optimizer or keras.optimizers.SGD(0.05), LOSS, **options)
    return view


def values(model):
    """`{path: copy of the value}` of every variable of a model."""
    return {
        path: np.array(keras.ops.convert_to_numpy(v))
        for path, v in model.variables_by_path().items()
    }


def changed_paths(before, after):
    """Paths whose bits differ between two results of `values`."""
    assert before.keys() == after.keys()
    return {p for p in before if before[p].tobytes() != after[p].tobytes()}


def owner(path):
    """`trunk` or `domains/<name>`."""
    parts = path.split("/")
    return parts[0] if parts[0] == "trunk" else "/".join(parts[:2])


def changed_owners(before, after):
    return {owner(p) for p in changed_paths(before, after)}


def randomize(model, seed=0):
    """Random weights and statistics, variances positive."""
    rng = np.random.default_rng(seed)
    for path, v in model.variables_by_path().items():
        value = rng.normal(0, 0.5, v.shape)
        if path.endswith(("gamma", "moving_variance")):
            value = rng.uniform(0.5, 1.5, v.shape)
        v.assign(value)
    return model


def predict(model, domain, x=None):
    """Logits of a domain as NumPy, in inference mode, without compiling."""
    x = images() if x is None else x
    return keras.ops.convert_to_numpy(model[domain](x, training=False))
