"""`SharedLayer`, `PerDomainLayer`: any Keras layer, shared or per domain."""

import json

import keras

from keras_mdl.layers.slotted import SlottedLayer


class _Wrapper(SlottedLayer):
    order = ("layer",)

    def __init__(self, layer, domains, **kwargs):
        if isinstance(layer, dict):
            layer = keras.saving.deserialize_keras_object(layer)
        if not isinstance(layer, keras.layers.Layer) or layer.built:
            raise ValueError(
                "`layer` must be a Keras layer that is not built yet: it is "
                f"the pattern from which the parts are made. Received: {layer}"
            )
        # Only the pattern's config is kept: the pattern itself has no state.
        self._pattern = json.dumps(keras.saving.serialize_keras_object(layer))
        super().__init__(domains, **kwargs)

    def _make(self, domain=None):
        layer = keras.saving.deserialize_keras_object(json.loads(self._pattern))
        config = {**layer.get_config(), **self.part_options("layer", domain)}
        return type(layer).from_config(config)

    def get_config(self):
        return {**super().get_config(), "layer": json.loads(self._pattern)}


@keras.saving.register_keras_serializable("keras_mdl")
class SharedLayer(_Wrapper):
    """One Keras layer that all domains share: a part of the trunk.

    Args:
        layer: An unbuilt Keras layer. A copy of it, made from its config, is
            the shared part.
        domains: Names of the domains.

    Call arguments:
        inputs: As for `layer`.
        domain: Name of the domain. Keyword only.

    Example:

    >>> stem = SharedLayer(keras.layers.Conv2D(8, 3), domains=["a", "b"])
    """

    def make_shared(self):
        return {"layer": self._make()}


@keras.saving.register_keras_serializable("keras_mdl")
class PerDomainLayer(_Wrapper):
    """A Keras layer of its own for each domain: a slot.

    Args:
        layer: An unbuilt Keras layer. Each domain gets a copy, made from its
            config, with its own state. A seedless initialiser is drawn anew
            for each copy.
        domains: Names of the domains.

    Call arguments:
        inputs: As for `layer`.
        domain: Name of the domain. Keyword only.

    Example:

    >>> spatial = PerDomainLayer(
    ...     keras.layers.DepthwiseConv2D(3), domains=["a", "b"]
    ... )
    """

    def make_slot(self, domain):
        return {"layer": self._make(domain)}
