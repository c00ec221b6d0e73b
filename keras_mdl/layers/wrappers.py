"""`SharedLayer`, `PerDomainLayer`: any Keras layer, shared or per domain."""

import json

import keras

from keras_mdl.layers.slotted import SlottedLayer


def without_keys(value, *keys):
    """A serialised object without what stands under some keys, at any depth."""
    if isinstance(value, dict):
        return {
            k: without_keys(v, *keys) for k, v in value.items() if k not in keys
        }
    if isinstance(value, list):
        return [without_keys(v, *keys) for v in value]
    return value


class _Wrapper(SlottedLayer):
    def __init__(self, layer, domains, role="layer", **kwargs):
        if isinstance(layer, dict):
            layer = keras.saving.deserialize_keras_object(layer)
        if not isinstance(layer, keras.layers.Layer) or layer.built:
            raise ValueError(
                "`layer` must be a Keras layer that is not built yet: it is "
                f"the pattern from which the parts are made. Received: {layer}"
            )
        self.role = role
        # Only the pattern's config is kept: the pattern itself has no state.
        # While a file is loaded Keras writes addresses of objects into configs,
        # to find those again that occur twice. This one is thrown away, and
        # another may get its address: it must not be taken for that.
        config = keras.saving.serialize_keras_object(layer)
        self._pattern = json.dumps(without_keys(config, "shared_object_id"))
        super().__init__(domains, **kwargs)

    @property
    def order(self):
        return (self.role,)

    @property
    def last_role(self):
        """The role of its only part, as convolutions name their last one."""
        return self.role

    def _make(self, domain=None):
        layer = keras.saving.deserialize_keras_object(json.loads(self._pattern))
        config = {**layer.get_config(), **self.part_options(self.role, domain)}
        return type(layer).from_config(config)

    def build_domain(self, domain, input_shape):
        # Not every layer can tell its output shape, and nobody asks here.
        (part,) = self.parts(domain).values()
        if not part.built:
            part.build(input_shape)

    def get_config(self):
        return {
            **super().get_config(),
            "layer": json.loads(self._pattern),
            "role": self.role,
        }


@keras.saving.register_keras_serializable("keras_mdl")
class SharedLayer(_Wrapper):
    """One Keras layer that all domains share: a part of the trunk.

    For what has no layer of its own here, such as the dense layers of
    squeeze-and-excitation. Methods that change kernels do not see it: a
    convolution is a `SharedConv2D`.

    Args:
        layer: An unbuilt Keras layer. A copy of it, made from its config, is
            the shared part.
        domains: Names of the domains.
        role: Name of the part in variable paths.

    Call arguments:
        inputs: As for `layer`.
        domain: Name of the domain. Keyword only.

    Raises:
        ValueError: If `layer` is no layer, or is built.

    Example:

    >>> squeeze = SharedLayer(keras.layers.Dense(8), domains=["a", "b"])
    """

    def make_shared(self) -> dict:
        return {self.role: self._make()}


@keras.saving.register_keras_serializable("keras_mdl")
class PerDomainLayer(_Wrapper):
    """A Keras layer of its own for each domain: a slot.

    Args:
        layer: An unbuilt Keras layer. Each domain gets a copy, made from its
            config, with its own state. A seedless initialiser is drawn anew
            for each copy.
        domains: Names of the domains.
        role: Name of the part in variable paths. Phases know `"norm"` and
            `"depthwise"`.

    Call arguments:
        inputs: As for `layer`.
        domain: Name of the domain. Keyword only.

    Raises:
        ValueError: As `SharedLayer`, and for a depthwise convolution: phases
            and methods find those of a `DomainDepthwiseConv2D`.

    Example:

    >>> norm = PerDomainLayer(
    ...     keras.layers.LayerNormalization(), domains=["a", "b"], role="norm"
    ... )
    """

    def make_slot(self, domain: str) -> dict:
        layer = self._make(domain)
        if isinstance(layer, keras.layers.DepthwiseConv2D):
            raise ValueError(
                "A depthwise convolution per domain is a "
                "`DomainDepthwiseConv2D`, where phases and methods find it. "
                f"Received: PerDomainLayer of {type(layer).__name__}"
            )
        return {self.role: layer}
