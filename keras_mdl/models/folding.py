"""`fold`: a model in which every DO layer is the plain one it stands for."""

import keras

from keras_mdl.layers.do_conv import DOConvolution
from keras_mdl.models.phased import PhasedModel


def fold(model: keras.Model) -> keras.Model:
    """An ordinary model that computes the same without any DO factor.

    Each `DOConv2D` and `DODepthwiseConv2D` is replaced by its `fold()`; every
    other layer is cloned with equal weights. Nothing of the factor remains,
    in memory or in a saved file. Outputs are equal up to float rounding. The
    model given is left as it is. The view of a domain is folded as the
    domain is (`MultiDomainModel.folded`).

    Args:
        model: A functional or sequential Keras model, built. Models nested in
            it are folded too. The view of one domain is such a model; a
            `MultiDomainModel` is not.

    Returns:
        A functional `keras.Model` of the same name that shares no variable
        with `model`, not compiled.

    Raises:
        ValueError: If the model is not functional, or a DO layer hides inside
            another layer, which cannot be rebuilt.

    Example:

    >>> inputs = keras.Input((16, 16, 3))
    >>> model = keras.Model(inputs, DOConv2D(8, 3)(inputs))
    >>> [type(layer).__name__ for layer in fold(model).layers]
    ['InputLayer', 'Conv2D']
    """
    if isinstance(model, PhasedModel) and model.attached:
        domain = model.domain
        model = model.owner.folded([domain]).for_domain(domain, "frozen")
    inputs, outputs = _ends(model)
    pairs = []

    def plain_or_clone(layer):
        if isinstance(layer, DOConvolution):
            return layer.fold()
        clone = type(layer).from_config(layer.get_config())
        # Graphs also hold bare operations, which have no variables.
        if isinstance(layer, keras.Layer):
            if any(isinstance(x, DOConvolution) for x in _inner(layer)):
                raise ValueError(
                    f"Layer {layer.name!r} has a DO layer inside, which cannot "
                    "be replaced from without. Received: layer of type "
                    f"{type(layer).__name__}"
                )
            pairs.append((layer, clone))
        return clone

    # A new functional model over the same layers is of no special class and
    # not compiled; its clone is neither.
    graph = keras.Model(inputs, outputs, name=model.name)
    folded = keras.models.clone_model(
        graph, clone_function=plain_or_clone, recursive=True
    )
    for layer, clone in pairs:
        for v, w in zip(layer.variables, clone.variables, strict=True):
            # A copy: on JAX two variables must not hold the same buffer.
            w.assign(keras.ops.copy(v))
    return folded


def _ends(model):
    # Keras defines `inputs` on models that know their graph, and on no others.
    if getattr(model, "inputs", None) is None:
        raise ValueError(
            "`model` must be a functional Keras model, or a sequential one "
            f"that is built. Received: model={model!r}"
        )
    if isinstance(model, keras.Sequential):
        return model.inputs[0], model.outputs[0]
    # Unlike `inputs`, these keep the structure: a dict stays a dict.
    return model.input, model.output


def _inner(layer):
    return layer._flatten_layers(include_self=False)
