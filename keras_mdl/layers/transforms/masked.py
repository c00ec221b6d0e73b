"""Piggyback: a learnt mask over frozen weights, one or two bits each."""

import math

import keras
import numpy as np
from keras import ops

from keras_mdl.layers.transforms.base import KernelTransform

# The released code has 0.005 and 0.01. Measured in hundredths, a mask moves as
# fast as it should (0.0001 of theirs a step) at the rate that suits a linear
# classifier: Adam's steps do not depend on the size of what they change, and
# with one rate for both, either masks flipped at random or heads stood still.
THRESHOLD, START = 0.5, 1.0
_KEPT, _NEGATIVE = ".kept", ".negative"


def hard_mask(mask, ternary=False):
    """`b(m)`: 1 where `m > 0.5`, else 0 (ternary: -1 where `m < 0`).

    In the mask's own precision; the gradient passes it unchanged.
    """
    mask = ops.convert_to_tensor(mask)
    hard = ops.cast(mask > THRESHOLD, mask.dtype)
    if ternary:
        hard = hard - ops.cast(mask < 0, mask.dtype)
    hard = ops.stop_gradient(hard)
    # The difference is exactly 0: the value stays a whole number.
    return hard + (mask - ops.stop_gradient(mask))


@keras.saving.register_keras_serializable("keras_mdl")
class PiggybackMask(KernelTransform):
    """Uses a subset of a frozen kernel's weights.

    ```
    y = (W . b(m)) * x        m: a real number for every weight
    ```

    `b` is `hard_mask`. All masks are 1 at the start, `m` = 1. Folds into an
    ordinary kernel; in a domain's file a mask takes one bit per weight
    (ternary: two).

    Args:
        ternary: Whether weights may also change their sign.
        **kwargs: As `KernelTransform`.

    Reference: Mallya, Davis, Lazebnik, "Piggyback: adapting a single network
    to multiple tasks by learning to mask weights", ECCV 2018; constants from
    the released code, times 100, so that one learning rate suits masks and
    classifier (ours; with Adam the same as a rate of their own for the masks,
    a hundredth of the classifier's).
    """

    kernels = ("shared", "grouped", "depthwise")
    undecayed = ("mask",)  # decay would pull it over its threshold

    def __init__(self, ternary: bool = False, **kwargs) -> None:
        super().__init__(**kwargs)
        self.ternary = ternary

    def build(self, kernel_shape):
        self.mask = self.add_weight(
            shape=tuple(kernel_shape),
            initializer=keras.initializers.Constant(START),
            name="mask",
        )

    def call(self, kernel):
        return kernel * ops.cast(
            hard_mask(self.mask, self.ternary), kernel.dtype
        )

    def stored_bits(self, variable: keras.Variable) -> int | None:
        return 2 if self.ternary else 1

    def pack(self, name: str, value: np.ndarray) -> dict[str, np.ndarray]:
        # A mask works through its signs alone: only they are stored.
        found = {_KEPT: np.packbits(value > THRESHOLD)}
        if self.ternary and (value < 0).any():
            found[_NEGATIVE] = np.packbits(value < 0)
        return found

    def unpack(
        self, name: str, arrays: dict[str, np.ndarray], shape: tuple
    ) -> np.ndarray | None:
        size = math.prod(shape)
        signs = _bits(arrays, _KEPT, size, name)
        if _NEGATIVE in arrays:
            signs = signs - _bits(arrays, _NEGATIVE, size, name)
        return (START * signs).reshape(shape)

    def get_config(self):
        return {**super().get_config(), "ternary": self.ternary}


def _bits(arrays, suffix, size, name):
    packed = arrays.pop(suffix, None)
    expected = (-(-size // 8),)
    if packed is None or packed.dtype != np.uint8 or packed.shape != expected:
        raise ValueError(
            f"the bits {suffix!r} of the mask {name!r} are missing or of "
            "another size"
        )
    return np.unpackbits(packed, count=size).astype("float32")
