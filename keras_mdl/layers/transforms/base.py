"""`KernelTransform`: what one domain does to a kernel."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops


class KernelTransform(keras.layers.Layer):
    """Base of all ways in which one domain changes a convolution for itself.

    A transform belongs to one domain. It stands beside a convolution `conv`,
    whose kernel may be the trunk's, and decides how `conv` is used (`place`).
    The usual kind makes another kernel of the kernel and implements `build`
    and `call`; a `Branch` adds to the output instead. To add a method: a file
    with a subclass, and a line in `keras_mdl.layers.transforms.TRANSFORMS`.

    Attributes (of the class):
        kernels: Which kernels it can change: `"depthwise"` (the domain's
            own), `"shared"` (of the trunk, dense or pointwise), `"grouped"`.
        undecayed: Names of its variables that weight decay must leave alone.

    Args:
        domain: Name of the domain.
        **kwargs: As for any Keras layer.
    """

    kernels = ()
    undecayed = ()

    def __init__(
        self, domain: str | None = None, autocast: bool = False, **kwargs
    ) -> None:
        # Kernels are changed in the variables' precision and cast after: one
        # rounding, as for a plain kernel.
        super().__init__(autocast=autocast, **kwargs)
        self.domain = domain

    def add_weight(self, *args, **kwargs) -> keras.Variable:
        kwargs.setdefault("autocast", self.autocast)
        return super().add_weight(*args, **kwargs)

    def companions(
        self, options: Callable[[str], dict]
    ) -> dict[str, keras.Layer]:
        """Further layers of the slot that it needs: `{role: layer}`.

        Args:
            options: Function of a role: `name` and `dtype` of its layer.
        """
        return {}

    def place(
        self,
        step: Callable,
        conv: keras.Layer,
        x: Any,
        source: Any,
        parts: Mapping[str, keras.Layer],
    ) -> Any:
        """The output of `conv`, as this domain uses it.

        Args:
            step: Function of a layer and its inputs, see `SlottedLayer.walk`.
            conv: The convolution, a `KernelHolder`.
            x: Its input.
            source: The input of the whole slotted layer.
            parts: `{role: layer}` of the slotted layer, companions included.
        """
        changed = step(self, step(conv, x, kernel_only=True))
        if isinstance(changed, list):  # with a bias
            return step(conv, x, *changed)
        return step(conv, x, changed)

    def call(self, kernel):
        """The changed kernel, or a list of the kernel and a bias."""
        raise NotImplementedError

    def fold(self, conv: keras.Layer, dense: bool = True) -> tuple:
        """Kernel and further bias with which `conv` alone computes the same.

        Args:
            conv: The convolution, a `KernelHolder`.
            dense: Whether it is the whole of its slotted layer.

        Returns:
            `(kernel, bias or None)`.

        Raises:
            ValueError: If no kernel does.
        """
        changed = self(ops.convert_to_tensor(conv.kernel))
        return tuple(changed) if isinstance(changed, list) else (changed, None)

    def start_from(
        self, kernel: keras.KerasTensor, bias: keras.KerasTensor | None = None
    ) -> None:
        """Takes over values of the kernel that it stands beside, if it must."""

    def stored_bits(self, variable: keras.Variable) -> int | None:
        """Bits of one number of a variable where the domain is stored folded
        into as little as it can be; 0 for what is folded away, `None` for the
        bits of its dtype."""
        return None

    def pack(self, name: str, value: np.ndarray) -> dict[str, np.ndarray]:
        """A variable as the arrays that a domain's file holds: `{suffix:
        array}`; see `unpack`."""
        return {"": value}

    def unpack(
        self, name: str, arrays: dict[str, np.ndarray], shape: tuple
    ) -> np.ndarray | None:
        """The reverse of `pack`; takes what it uses out of `arrays`.

        Raises:
            ValueError: If an array is missing or of another size.
        """
        return arrays.pop("", None)

    def macs(self, inputs: Sequence, output: keras.KerasTensor) -> int | None:
        """Multiply-accumulates of one image. Kernels that are the same for
        all images count nothing: they are folded for inference."""
        return 0

    def compute_output_shape(self, kernel_shape):
        return tuple(kernel_shape)

    def compute_output_spec(self, *args, **kwargs) -> Any:
        shapes = self.compute_output_shape(*(x.shape for x in args))
        dtype = self.compute_dtype if self.autocast else self.variable_dtype
        return keras.tree.map_shape_structure(
            lambda s: keras.KerasTensor(s, dtype=dtype), shapes
        )

    def get_config(self):
        return {**super().get_config(), "domain": self.domain}


class Branch(KernelTransform):
    """Base of transforms that add to the output and leave the kernel alone.

    Args:
        filters: Output channels of the convolution.
        kernel_size, strides, padding: Of the whole slotted layer, as pairs
            and as `ZeroPadding2D` or Keras' `padding` take it.
        **kwargs: As `KernelTransform`.
    """

    kernels = ("shared",)

    def __init__(
        self,
        filters: int,
        kernel_size: Sequence[int],
        strides: Sequence[int],
        padding: str | Sequence,
        **kwargs,
    ) -> None:
        super().__init__(autocast=True, **kwargs)
        self.filters = filters
        self.kernel_size = tuple(kernel_size)
        self.strides = tuple(strides)
        self.padding = padding

    def compute_output_shape(self, inputs_shape, source_shape=None):
        return tuple(inputs_shape)

    def macs(self, inputs: Sequence, output: keras.KerasTensor) -> int | None:
        positions = output.shape[1:3]
        if None in positions:
            return None
        return positions[0] * positions[1] * _size(self.kernel)

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
        }


def released_rule(filters):
    """N(0, 2 / filters), the adapters' released rule for 1x1 kernels."""
    return keras.initializers.RandomNormal(stddev=(2 / filters) ** 0.5)


def _size(variable):
    size = 1
    for n in variable.shape:
        size *= n
    return size
