"""Kernels on the grid of coarser exports, by tensorflow-model-optimization."""

import contextlib
import os


@contextlib.contextmanager
def optimization():
    """tensorflow-model-optimization, imported late.

    Its import says to every later one that `tf.keras` is tf_keras; that is
    taken back.

    Raises:
        RuntimeError: On another backend than TensorFlow.
        ModuleNotFoundError: Without the extra `compression`.
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        raise RuntimeError(
            "Compression trains with tensorflow-model-optimization, on "
            "TensorFlow alone: set KERAS_BACKEND=tensorflow. Received: "
            f"{keras.backend.backend()}"
        )
    before = os.environ.get("TF_USE_LEGACY_KERAS")
    try:
        import tensorflow_model_optimization

        yield tensorflow_model_optimization
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "Compression needs tensorflow-model-optimization and tf-keras: "
            "pip install 'keras-mdl[compression]'"
        ) from error
    finally:
        if before is None:
            os.environ.pop("TF_USE_LEGACY_KERAS", None)
        else:
            os.environ["TF_USE_LEGACY_KERAS"] = before


def require_compression() -> None:
    """Refuses to start without TensorFlow or the extra `compression`.

    Raises:
        RuntimeError: On another backend.
        ModuleNotFoundError: Without the extra.
    """
    with optimization():
        pass


def grid(tfmot, scopes, kernels, depthwise):
    """What puts the kernels of a model on the grid of an export.

    ```
    s[n] = max |K[n]| / levels        K[n] -> s[n] * round(K[n] / s[n])
    ```

    Gradients pass as if nothing were rounded.

    Args:
        tfmot: The module.
        scopes: `{name: class}` that a model is cloned with.
        kernels: Levels of convolution and dense kernels.
        depthwise: Levels of depthwise kernels.

    Returns:
        Three functions: of a tf_keras layer and its kind, the layer to use in
        its place; of the model of these, the one to train; of that, trained,
        `{layer name: (kernel, bias or None)}` on the grid.
    """
    import tensorflow as tf

    keras_api = tfmot.quantization.keras

    class Grid(keras_api.quantizers.Quantizer):
        def __init__(self, levels, axes):
            self.levels, self.axes = levels, list(axes)

        def build(self, tensor_shape, name, layer):
            return {}

        def __call__(self, inputs, training, weights, **kwargs):
            scale = tf.reduce_max(tf.abs(inputs), self.axes, keepdims=True)
            scale = tf.where(scale > 0, scale, 1.0) / self.levels
            rounded = scale * tf.round(inputs / scale)
            return inputs + tf.stop_gradient(rounded - inputs)

        def get_config(self):
            return {"levels": self.levels, "axes": self.axes}

    class OnGrid(keras_api.QuantizeConfig):
        def __init__(self, attribute, levels, axes):
            self.attribute, self.levels = attribute, levels
            self.axes = list(axes)

        def get_weights_and_quantizers(self, layer):
            kernel = getattr(layer, self.attribute)
            return [(kernel, Grid(self.levels, self.axes))]

        def set_quantize_weights(self, layer, quantize_weights):
            setattr(layer, self.attribute, quantize_weights[0])

        def get_activations_and_quantizers(self, layer):
            return []

        def set_quantize_activations(self, layer, quantize_activations):
            pass

        def get_output_quantizers(self, layer):
            return []

        def get_config(self):
            return {
                "attribute": self.attribute,
                "levels": self.levels,
                "axes": self.axes,
            }

    def wrap(layer, kind):
        config = {
            "Conv2D": ("kernel", kernels, (0, 1, 2)),
            "Dense": ("kernel", kernels, (0,)),
            "DepthwiseConv2D": ("depthwise_kernel", depthwise, (0, 1)),
        }[kind]
        return keras_api.quantize_annotate_layer(layer, OnGrid(*config))

    def apply(model):
        with keras_api.quantize_scope({**scopes, "OnGrid": OnGrid}):
            return keras_api.quantize_apply(model)

    def found(model):
        names = {}
        for layer in model.layers:
            if isinstance(getattr(layer, "quantize_config", None), OnGrid):
                # (The layer itself holds the rounded tensor of a graph.)
                ((kernel, grid, _),) = layer._weight_vars
                names[layer.layer.name] = (
                    grid(kernel, False, {}), layer.layer.bias,
                )  # fmt: skip
        return names

    return wrap, apply, found
