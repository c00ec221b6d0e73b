"""`explain`: where in an image the evidence for a class is, by tf-keras-vis."""

from types import MappingProxyType

import keras
import numpy as np

from keras_mdl.analysis.activations import last_maps, with_maps
from keras_mdl.analysis.tally import resized

# Class of tf-keras-vis, and options of its call. Maps of layers are enlarged
# here: the library's enlargement puts the outermost values at the borders.
_CAM = {"seek_penultimate_conv_layer": False, "expand_cam": False}
METHODS = MappingProxyType(
    {
        "gradcam": ("tf_keras_vis.gradcam", "Gradcam", _CAM),
        "gradcam++": (
            "tf_keras_vis.gradcam_plus_plus", "GradcamPlusPlus", _CAM,
        ),
        "layercam": ("tf_keras_vis.layercam", "Layercam", _CAM),
        "scorecam": ("tf_keras_vis.scorecam", "Scorecam", _CAM),
        "saliency": ("tf_keras_vis.saliency", "Saliency", {}),
        "smoothgrad": (
            "tf_keras_vis.saliency", "Saliency",
            {"smooth_samples": 20, "smooth_noise": 0.15},
        ),
    }
)  # fmt: skip


def explain(
    view: keras.Model,
    images: np.ndarray,
    classes: np.ndarray | None = None,
    method: str = "gradcam++",
    layer: str | None = None,
) -> np.ndarray:
    """Heat maps of what speaks for a class, for each image.

    The methods are those of tf-keras-vis, on a float32 copy of the domain's
    network alone: layers that domains share have several outputs, of which
    the library would take the first domain's, and in half precision some of
    its methods fail. Outputs are logits, as the methods want them. SmoothGrad's
    noise is drawn anew each time. Needs the TensorFlow backend.

    Args:
        view: A view of a `MultiDomainModel`.
        images: What it takes: `(n, height, width, 3)` in [0, 255].
        classes: Integers `(n,)`; default the most probable class of each.
        method: Key of `METHODS`.
        layer: Endpoint with the maps that the CAM methods weigh; default the
            last before the pooling. Saliency looks at pixels and takes none.

    Returns:
        float32 `(n, height, width)` in [0, 1], the hottest place of each
        image at 1; all 0 where nothing speaks for the class.

    Raises:
        ImportError: Without tf-keras-vis.
        ValueError: On another backend than TensorFlow; for an unknown method,
            class, or a layer without maps, or a network without classes.

    Reference: Selvaraju et al. 2017 (Grad-CAM), Chattopadhay et al. 2018
    (Grad-CAM++), Jiang et al. 2021 (Layer-CAM), Wang et al. 2020 (Score-CAM),
    Simonyan et al. 2014 (saliency), Smilkov et al. 2017 (SmoothGrad).
    """
    check(view, method, layer)
    network, layers = alone(view)
    return _explained(
        network, layers[layer or last_maps(view)], images, classes, method
    )


def _explained(network, layer, images, classes, method):
    """`explain` of a network that shares no layer."""
    images = np.asarray(images, np.float32)
    classes = _classes(network, images) if classes is None else classes
    classes, count = np.asarray(classes), network.output_shape[-1]
    if (
        classes.shape != (len(images),)
        or not ((classes >= 0) & (classes < count)).all()
    ):
        raise ValueError(
            f"`classes` must be {len(images)} integers from 0 to {count - 1}. "
            f"Received: {classes}"
        )
    visualization, options = _visualization(method)
    if "expand_cam" in options:
        options["penultimate_layer"] = layer

    maps = []
    for image, label in zip(images, classes, strict=True):
        # One image at a time: some of the methods would mix the images'.
        found = visualization(network)(
            lambda output, label=int(label): output[:, label],
            image[None],
            **options,
        )
        maps.append(np.asarray(found, np.float32)[0])
    large = [resized(m[..., None], images.shape[1:3])[..., 0] for m in maps]
    return np.stack([_normalised(m) for m in large])


def _classes(network, images):
    return network.predict_on_batch(images).argmax(axis=-1)


def imagine(
    view: keras.Model, label: int | str, steps: int = 200, seed: int = 0
) -> np.ndarray:
    """An image that a class answers to: activation maximisation.

    Starts from noise; jitter, scale and total variation keep it from being
    noise (the library's defaults). What it shows is what the network reacts
    to, not what the class looks like.

    Args:
        view: A view of a `MultiDomainModel`.
        label: Index of the class.
        steps: Of gradient ascent.
        seed: Of the noise at the start; the jitter is drawn anew each time.

    Returns:
        uint8 `(height, width, 3)`.

    Raises:
        ImportError, ValueError: As `explain`.
    """
    check(view)
    from tf_keras_vis.activation_maximization import ActivationMaximization

    network, _ = alone(view)
    if not 0 <= label < network.output_shape[-1]:
        raise ValueError(
            f"`label` must be from 0 to {network.output_shape[-1] - 1}. "
            f"Received: label={label}"
        )
    start = np.random.default_rng(seed).uniform(
        96, 160, (1, *network.input_shape[1:])
    )
    found = ActivationMaximization(network)(
        lambda output: output[:, label],
        seed_input=start.astype(np.float32),
        steps=steps,
        input_range=(0, 255),
    )
    return np.clip(np.asarray(found)[0], 0, 255).astype(np.uint8)


def depends_on_weights(view, images, method="gradcam++", layer=None, seed=0):
    """How similar a method's maps stay when all weights become random.

    A method whose maps stay alike draws edges, not what the network has
    learnt.

    Args:
        view: A view of a `MultiDomainModel`.
        images, method, layer: As `explain`.
        seed: Of the shuffle.

    Returns:
        Mean Spearman rank correlation of the maps of the trained and of the
        random network, for the same classes: near 0 is good, near 1 bad.

    Reference: Adebayo et al., "Sanity Checks for Saliency Maps", NeurIPS
    2018, the test with all layers at once.
    """
    from scipy.stats import spearmanr

    check(view, method, layer)
    network, layers = alone(view)
    images = np.asarray(images, np.float32)
    use = network, layers[layer or last_maps(view)], images
    classes, rng = _classes(network, images), np.random.default_rng(seed)
    maps = [_explained(*use, classes, method)]
    for variable in network.variables:  # of a copy
        if not variable.path.endswith("variance"):
            value = keras.ops.convert_to_numpy(variable)
            # A shuffle keeps the sizes that activations have.
            value = rng.permutation(value.ravel()).reshape(value.shape)
            variable.assign(value)
    maps.append(_explained(*use, classes, method))
    found = []
    for a, b in zip(*maps, strict=True):
        if np.ptp(a) and np.ptp(b):
            found.append(spearmanr(a.ravel(), b.ravel()).statistic)
        else:
            found.append(0.0)  # a map of nothing is like no other
    return float(np.mean(found))


def alone(view):
    """A float32 copy of a view's network that shares no layer.

    Returns:
        The network, and `{endpoint: layer of it}`.
    """
    from keras_mdl.models.editing import assign

    owner = view.owner.only_domain(view.domain)
    config = owner.get_config()
    plain = {**config, "dtype": "float32", "input_dtype": "float32"}
    # (Of uint8 pixels there are no gradients.)
    if (owner.dtype_policy.name, config["input_dtype"]) != ("float32",) * 2:
        values = owner.variables_by_path()
        owner = type(owner).from_config(plain)
        assign(owner, values)
    own = owner[view.domain]
    network = keras.Model(own.inputs, own.outputs)
    return network, {
        name: tensor._keras_history.operation
        for name, tensor in own.endpoints.items()
    }


def check(view, method="gradcam++", layer=None):
    """Refuses what `explain` cannot do, before any work; see there."""
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            "Attributions need the TensorFlow backend (tf-keras-vis has no "
            f"other). Received: backend {keras.backend.backend()!r}"
        )
    if method not in METHODS:
        raise ValueError(
            f"Unknown method: {method!r}. Known methods: {', '.join(METHODS)}"
        )
    known = with_maps(view)
    if layer is not None and layer not in known:
        raise ValueError(
            f"`layer` must name a layer with maps (h, w, channels). Received: "
            f"{layer}. The network has {', '.join(known)}"
        )
    if not view.owner.get_config()["include_top"]:
        raise ValueError(
            "The network has no classes (include_top=False), so nothing can "
            "speak for one"
        )
    _visualization(method)


def _visualization(method):
    """The class and the options of a method."""
    import importlib
    import warnings

    module, name, options = METHODS[method]
    try:
        with warnings.catch_warnings():
            # It imports from a SciPy namespace that is on its way out.
            warnings.simplefilter("ignore", DeprecationWarning)
            found = getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        raise ImportError(
            f"Attributions need {error.name}: pip install 'keras-mdl[analysis]'"
        ) from error
    return found, dict(options)


def _normalised(heat):
    heat = heat - heat.min()
    return heat / heat.max() if heat.max() > 0 else heat
