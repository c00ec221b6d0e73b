"""A domain's network for tf_keras, with its private kernels to train."""

import keras
import numpy as np

from keras_mdl.models.backbones.keras_graph import steps_of, used_tensors

_KINDS = ("Conv2D", "DepthwiseConv2D", "Dense")
_TOLERANCE = 1e-3
LARGE = 4096  # numbers of a kernel that are worth compressing


def private_kernels(model, domain):
    """`{layer name: path of the kernel}` of a domain's own large kernels.

    Args:
        model: A `keras_mdl.MultiDomainModel` of ordinary slots.
        domain: Name of the domain.

    Returns:
        In the order of the network, so that the classifier is the last.
        Depthwise kernels count together: all, if they are worth it.
    """
    paths = {id(v): p for p, v in model.variables_by_path().items()}
    own, spatial = {}, {}
    for layer in _graph(model[domain]).layers:
        kind = kind_of(layer)
        if kind is None:
            continue
        path = paths[id(layer.kernel)]
        if path.startswith("domains/"):
            found = spatial if kind == "DepthwiseConv2D" else own
            found[layer.name] = (path, int(np.prod(layer.kernel.shape)))
    if sum(size for _, size in spatial.values()) < LARGE:
        spatial = {}
    own = {n: x for n, x in own.items() if x[1] >= LARGE}
    return {n: path for n, (path, _) in {**spatial, **own}.items()}


def kind_of(layer):
    """Name of the Keras class that computes what a layer does, or `None`."""
    for kind in _KINDS:
        if isinstance(layer, getattr(keras.layers, kind)):
            return kind
    return None


def twin_of(view, trained, wrap, scopes):
    """The view as a tf_keras model.

    The trained layers are layers of tf_keras with equal kernels. Every other
    step calls the layer of the view, in inference mode: so the trunk, the
    norms and their statistics are constants.

    Args:
        view: A `DomainModel`, on TensorFlow.
        trained: Names of the layers to train.
        wrap: Function of a tf_keras layer and its kind that returns a layer
            of tensorflow-model-optimization around it.
        scopes: A dict that gets the classes that the twin is cloned with.

    Returns:
        The model.
    """
    import tf_keras

    graph = _graph(view)
    steps, output, layers = steps_of(graph)
    replayed = _replayed_class(tf_keras, layers)
    scopes["Replayed"] = replayed
    inputs = tf_keras.Input(graph.input.shape[1:], dtype=graph.input.dtype)
    tensors = {"input": inputs}
    for step in steps:
        name, xs = step["name"], [tensors[k] for k in used_tensors(step)]
        if name in trained:
            layer = _layer(tf_keras, layers[name], xs[0].shape)
            y = wrap(layer, kind_of(layers[name]))(xs[0])
        else:
            y = replayed(step=step, name=f"replayed_{len(tensors)}")(xs)
        tensors[step["output"]] = y
    return tf_keras.Model(inputs, tensors[output])


def require_equal(view, twin):
    """Refuses a twin that answers otherwise than its view.

    Raises:
        ValueError: With the largest difference.
    """
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (4, *view.input_shape[1:]))
    x = x.astype(keras.backend.standardize_dtype(view.inputs[0].dtype))
    ours = keras.ops.convert_to_numpy(view(x, training=False))
    gap = np.abs(np.asarray(twin(x, training=False)) - ours).max()
    if not gap <= _TOLERANCE * max(1, np.abs(ours).max()):
        raise ValueError(
            "The network cannot be rebuilt for tf_keras: its outputs differ "
            f"by {gap:.1e}"
        )


def _graph(view):
    return keras.Model(view.input, view.output)


def _layer(tf_keras, layer, input_shape):
    """The same for tf_keras, with equal kernel and bias."""
    kind = kind_of(layer)
    names = ["name", "activation", "use_bias"]
    if kind != "Dense":
        names += ["kernel_size", "strides", "padding", "dilation_rate"]
    names += {
        "Conv2D": ["filters", "groups"],
        "DepthwiseConv2D": ["depth_multiplier"],
        "Dense": ["units"],
    }[kind]
    config = layer.get_config()
    found = getattr(tf_keras.layers, kind)(**{n: config[n] for n in names})
    found.build(input_shape)
    values = [layer.kernel] + ([layer.bias] if layer.use_bias else [])
    found.set_weights([keras.ops.convert_to_numpy(v) for v in values])
    return found


def _replayed_class(tf_keras, layers):
    class Replayed(tf_keras.layers.Layer):
        """Calls what the view has; nothing in it trains."""

        def __init__(self, step, **kwargs):
            super().__init__(trainable=False, **kwargs)
            # In a function, or tf_keras would look for variables in it.
            self._run = _runner(step, layers)
            self._step = repr(step)

        def call(self, inputs):
            return self._run(inputs)

        def get_config(self):
            import ast

            step = ast.literal_eval(self._step)
            return {**super().get_config(), "step": step}

        @classmethod
        def from_config(cls, config):
            config = {k: v for k, v in config.items() if k != "trainable"}
            return cls(**config)

    return Replayed


def _runner(step, layers):
    part = layers.get(step["name"])
    if part is None:
        part = keras.saving.deserialize_keras_object(step["layer"])
    layer = isinstance(part, keras.Layer)

    def run(xs):
        # (Cloning unwraps a list of one.)
        rest = list(xs) if isinstance(xs, list | tuple) else [xs]

        def value(v):
            if isinstance(v, dict):
                if "tensor" in v:
                    return rest.pop(0)
                return {k: value(x) for k, x in v.items()}
            return [value(x) for x in v] if isinstance(v, list) else v

        args, kwargs = value(step["args"]), value(step["kwargs"])
        return part(*args, **kwargs, **({"training": False} if layer else {}))

    return run
