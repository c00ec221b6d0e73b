"""`SlottedLayer`: shared parts, and parts that belong to one domain each."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import keras

from keras_mdl.domains import require_domain


class SlottedLayer(keras.layers.Layer):
    """Base of all layers with one slot per domain.

    A slotted layer is a chain of ordinary Keras layers, its *parts*. Some
    parts are shared by all domains (the trunk), the others exist once for
    every domain (the slots). Calling the layer for a domain runs the shared
    parts and that domain's own parts, and no other:

    ```
    y = part_n(...part_2(part_1(x)))     parts of (layer, domain)
    ```

    Each part is a sublayer of its own, held in an attribute that carries the
    domain's name. So the state of two domains is never in one variable, it is
    saved under the domain's name (never by position), and decay, statistics,
    counting and freezing follow from the object tree.

    **In a functional model a slotted layer is transparent**: called on a
    symbolic tensor it adds the nodes of its parts, not a node of its own. The
    functional model of one domain then consists of ordinary layers and holds
    the trunk's variables, this domain's variables and nothing else.

    Subclasses implement `make_shared()` and `make_slot(domain)`, which return
    dicts from role to unbuilt layer, and `order`, the roles in calling order.

    A domain's parts may be of another kind than those of the others: the
    constructor arguments that say so are named in `domain_options` and hold
    `{domain: value}`.

    Args:
        domains: The names of the domains that get a slot.

    Call arguments:
        inputs: The input tensor.
        domain: Name of the domain whose slot is used. Keyword only.
        training: As for any Keras layer.

    Raises:
        ValueError: If `domain` has no slot; the message lists those that do.
    """

    order = ()
    domain_options = ()

    def __init__(self, domains: Sequence[str], **kwargs) -> None:
        super().__init__(**kwargs)
        self.domains = ()
        for role, layer in self.make_shared().items():
            setattr(self, _shared_attribute(role), layer)
        for domain in unique_names(domains):
            self.add_domain(domain)

    def add_domain(self, domain: str, **options) -> None:
        """Makes the slot of one more domain. Only until the layer is built.

        Args:
            domain: Its name.
            **options: Its values of `domain_options`.
        """
        for option, value in options.items():
            getattr(self, option)[domain] = value
        self.domains = (*self.domains, domain)
        for role, layer in self.make_slot(domain).items():
            setattr(self, _slot_attribute(domain, role), layer)

    def make_shared(self) -> dict[str, keras.Layer]:
        """The parts that all domains use: `{role: layer}`."""
        return {}

    def make_slot(self, domain: str) -> dict[str, keras.Layer]:
        """The parts of one domain: `{role: layer}`."""
        return {}

    def part_options(self, role: str, domain: str | None = None) -> dict:
        """`name` and `dtype` for a part; every part has a unique name."""
        name = f"{self.name}_{role}"
        return {
            "name": f"{name}_{domain}" if domain else name,
            "dtype": self.dtype_policy,
        }

    @property
    def shared(self) -> dict[str, keras.Layer]:
        """The shared parts: `{role: layer}`."""
        return self._collect(_shared_attribute)

    def slot(self, domain: str) -> dict[str, keras.Layer]:
        """The parts of `domain` alone: `{role: layer}`."""
        require_domain(domain, self.domains)
        return self._collect(lambda role: _slot_attribute(domain, role))

    def parts(self, domain: str) -> dict[str, keras.Layer]:
        """The parts that `domain` runs through, in order: `{role: layer}`."""
        found = {**self.shared, **self.slot(domain)}
        return {role: found[role] for role in self.order if role in found}

    def _collect(self, attribute):
        found = {r: getattr(self, attribute(r), None) for r in self.order}
        return {r: layer for r, layer in found.items() if layer is not None}

    def walk(self, domain: str, x: Any, step: Callable) -> Any:
        """Passes `x` through the parts of `domain` and returns the result.

        The order of the parts is said here alone; what a step does with a
        part is not: `call` calls it, `build` builds it.

        Args:
            domain: Name of the domain.
            x: Whatever `step` takes: a tensor or a shape.
            step: Function of a part, its inputs and options of its call
                that returns the output.
        """
        for part in self.parts(domain).values():
            x = step(part, x)
        return x

    def build_domain(self, domain: str, input_shape: tuple) -> None:
        """Builds the parts that `domain` runs through."""

        def step(part, *shapes, **options):
            if not part.built:
                part.build(*shapes)
            return part.compute_output_shape(*shapes, **options)

        self.walk(domain, input_shape, step)

    def build(self, input_shape):
        for domain in self.domains:
            self.build_domain(domain, input_shape)

    def __call__(self, inputs, *args, domain=None, **kwargs):
        require_domain(domain, self.domains)
        if isinstance(inputs, keras.KerasTensor):
            if not self.built:
                self.build(inputs.shape)
            return self.call(inputs, domain=domain, **kwargs)
        return super().__call__(inputs, *args, domain=domain, **kwargs)

    def call(self, inputs, domain, training=None):
        def step(part, *xs, **options):
            # Without a value of its own, `training` reaches the part through
            # Keras' call context.
            if training is None or not _takes_training(part):
                return part(*xs, **options)
            return part(*xs, training=training, **options)

        return self.walk(domain, inputs, step)

    def compute_output_shape(self, input_shape):
        return self.walk(
            self.domains[0],
            input_shape,
            lambda part, *xs, **kw: part.compute_output_shape(*xs, **kw),
        )

    def get_config(self):
        return {**super().get_config(), "domains": list(self.domains)}


def unique_names(domains):
    """`domains` as a tuple.

    Raises:
        ValueError: If they are not one or more unique names.
    """
    if isinstance(domains, str):
        raise ValueError(
            f"`domains` must be a list of names. Received: domains={domains!r}"
        )
    names = tuple(domains)
    if not names or len(set(names)) < len(names):
        raise ValueError(
            "`domains` must be one or more unique names. "
            f"Received: domains={list(names)}"
        )
    return names


def _takes_training(layer):
    return "training" in inspect.signature(layer.call).parameters


def _shared_attribute(role):
    return f"shared_{role}"


def _slot_attribute(domain, role):
    return f"slot_{domain}_{role}"
