"""What converts domains with TensorFlow's converter, in a process of its own.

The converter does not give back memory, and where it fails it may take the
process with it.
"""

import importlib
import os
import pathlib
import tempfile


def convert_domains(folder, module, domains, input_dtype):
    """Converts some domains; see `converting.convert_all`.

    Args:
        folder: With `model.keras`, and for full int8 `calibration.npz`:
            images in the order of the model's domains. The `.tflite` files
            are written there.
        module: Of the backbone.
        domains: Names of those to convert.
        input_dtype: Of the images.
    """
    # Whatever trained the model: only TensorFlow's graphs can be converted.
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import numpy as np

    import keras_mdl

    importlib.import_module(module)
    folder = pathlib.Path(folder)
    model = keras_mdl.load_model(folder / "model.keras")
    images = dict.fromkeys(model)
    if (folder / "calibration.npz").exists():
        with np.load(folder / "calibration.npz") as found:
            images = {n: found[f"arr_{i}"] for i, n in enumerate(model)}
    # What a killed process leaves in there is swept.
    tempfile.tempdir = str(folder)
    for name in domains:
        content = convert(model[name], name, input_dtype, images[name])
        (folder / f"{name}.tflite").write_bytes(content)


def convert_router(folder, module, input_dtype):
    """Converts a router: router.safetensors and router.keras, of its base."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import keras_mdl
    from keras_mdl.routing import Router, router_network

    importlib.import_module(module)
    folder = pathlib.Path(folder)
    tempfile.tempdir = str(folder)
    router = Router.load(folder / "router.safetensors")
    model = keras_mdl.load_model(folder / "router.keras")
    network = router_network(router, model[router.base])
    content = convert(network, "router", input_dtype)
    (folder / "router.tflite").write_bytes(content)


def convert(view, name, input_dtype, calibration=None):
    """One domain's network as a TFLite file that computes logits.

    Args:
        view: The domain's view.
        name: Of the domain: the key of the file's one signature.
        input_dtype: Of the images: `"uint8"` or `"float32"`.
        calibration: Images `(n, h, w, 3)` to measure activations on: full
            int8. `None`: everything in float32.
    """
    import tensorflow as tf

    network = plain_network(view, constant_pools=calibration is not None)
    shape = (1, *network.input_shape[1:])

    def logits(images):
        images = tf.cast(images, network.inputs[0].dtype)
        return {"logits": network(images, training=False)}

    module = tf.Module()
    # Keras' own variables are not seen by TensorFlow's tracking, and without
    # them the file would be written with no weights and no error.
    module.weights = [v.value for v in network.variables]
    # A name of its own: the converter takes functions of one name for one.
    logits.__name__ = f"logits_{name.replace('-', '_')}"
    module.logits = tf.function(
        logits, [tf.TensorSpec(shape, input_dtype, name="images")]
    )
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, {name: module.logits})
        converter = tf.lite.TFLiteConverter.from_saved_model(folder, [name])
        ops = tf.lite.OpsSet.TFLITE_BUILTINS
        if calibration is not None:
            ops = tf.lite.OpsSet.TFLITE_BUILTINS_INT8
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = lambda: (
                {"images": x[None].astype(input_dtype)} for x in calibration
            )
        # Builtins alone: an operator that needs the Flex library fails here
        # and not on the phone.
        converter.target_spec.supported_ops = [ops]
        return converter.convert()


def plain_network(view, constant_pools):
    """The view as an ordinary functional model with variables of its own.

    Args:
        view: The domain's view.
        constant_pools: Whether average pooling becomes the depthwise
            convolution with constant kernels that it is. XNNPACK takes int8
            convolutions but no int8 average pooling.
    """
    import keras

    def clone(layer):
        if (
            constant_pools
            and isinstance(layer, keras.layers.AveragePooling2D)
            # (At a border "same" divides by the pixels inside alone.)
            and layer.padding == "valid"
        ):
            return _pool_as_convolution(layer)
        return type(layer).from_config(layer.get_config())

    graph = keras.Model(view.input, view.output)
    network = keras.models.clone_model(graph, clone_function=clone)
    for old, new in zip(graph.layers, network.layers, strict=True):
        if isinstance(old, keras.Layer) and type(old) is type(new):
            for v, w in zip(old.variables, new.variables, strict=True):
                w.assign(v)
    return network


def _pool_as_convolution(layer):
    import keras

    height, width = layer.pool_size
    return keras.layers.DepthwiseConv2D(
        layer.pool_size,
        layer.strides,
        layer.padding,
        use_bias=False,
        depthwise_initializer=keras.initializers.Constant(1 / height / width),
        name=layer.name,
    )
