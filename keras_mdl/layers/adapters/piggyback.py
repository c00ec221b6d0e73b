"""Piggyback: a learnt mask over frozen weights, one or two bits each."""

import keras
from keras import ops

from keras_mdl.layers.adapters.base import Adapter
from keras_mdl.layers.depthwise import DepthwiseConv2D

# The released code has 0.005 and 0.01. Measured in hundredths, a mask moves as
# fast as it should (0.0001 of theirs a step) at the rate that suits a linear
# classifier: Adam's steps do not depend on the size of what they change, and
# with one rate for both, either masks flipped at random or heads stood still.
THRESHOLD, START = 0.5, 1.0
MASK = "mask"  # the variable's name


def masked(kernel, mask, ternary=False):
    """The weights that a mask lets through, with a straight-through gradient.

    ```
    W . b(m)      b = 1 if m > 0.5 else 0      (ternary: also -1 where m < 0)
                  db/dm := 1
    ```
    """
    kernel = ops.convert_to_tensor(kernel)
    return kernel * ops.cast(hard_mask(mask, ternary), kernel.dtype)


def hard_mask(mask, ternary=False):
    """`b(m)` of `masked`, in the mask's own precision."""
    mask = ops.convert_to_tensor(mask)
    hard = ops.cast(mask > THRESHOLD, mask.dtype)
    if ternary:
        hard = hard - ops.cast(mask < 0, mask.dtype)
    hard = ops.stop_gradient(hard)
    # The difference is exactly 0: the value stays a whole number.
    return hard + (mask - ops.stop_gradient(mask))


@keras.saving.register_keras_serializable("keras_mdl")
class PiggybackMask(Adapter):
    """Uses a subset of a frozen kernel's weights.

    ```
    y = (W . b(m)) * x        m: a real number for every weight
    ```

    `b` is `hard_mask`; the gradient passes it unchanged. All masks are 1 at
    the start, `m` = 1. Folds into an ordinary kernel; in a domain's file a
    mask takes one bit per weight (ternary: two).

    Args:
        ternary: Whether weights may also change their sign.
        *args, **kwargs: As `Adapter`.

    Reference: Mallya, Davis, Lazebnik, "Piggyback: adapting a single network
    to multiple tasks by learning to mask weights", ECCV 2018; constants from
    the released code, times 100, so that one learning rate suits masks and
    classifier (ours; with Adam the same as a rate of their own for the masks,
    a hundredth of the classifier's).
    """

    def __init__(self, *args, ternary=False, **kwargs):
        super().__init__(*args, **kwargs)
        self.ternary = ternary

    def build(self, inputs_shape, kernel_shape):
        self.mask = add_mask(self, kernel_shape)

    def call(self, inputs, kernel):
        return self.convolve(inputs, self.masked(kernel))

    def masked(self, kernel):
        """`W . b(m)`."""
        return masked(kernel, self.mask, self.ternary)

    def folded(self, kernel, dense):
        return self.masked(kernel), None

    def get_config(self):
        return {**super().get_config(), "ternary": self.ternary}


@keras.saving.register_keras_serializable("keras_mdl")
class MaskedDepthwiseConv2D(DepthwiseConv2D):
    """`DepthwiseConv2D` whose frozen kernel is seen through a mask.

    The depthwise companion of `PiggybackMask` in separable units.

    Args:
        ternary: As `PiggybackMask`.
        *args, **kwargs: As `DepthwiseConv2D`.
    """

    def __init__(self, *args, ternary=False, **kwargs):
        super().__init__(*args, **kwargs)
        self.ternary = ternary

    def build(self, input_shape):
        super().build(input_shape)
        self.mask = add_mask(self, self.kernel.shape)

    def convolution_op(self, inputs, kernel):
        kernel = masked(kernel, self.mask, self.ternary)
        return super().convolution_op(inputs, kernel)

    def fold(self):
        """The plain layer that computes the same: built, same name."""
        config = self.get_config()
        del config["ternary"]
        plain = DepthwiseConv2D.from_config(config)
        plain.build_from_config(self.get_build_config())
        plain.kernel.assign(masked(self.kernel, self.mask, self.ternary))
        return plain

    def get_config(self):
        return {**super().get_config(), "ternary": self.ternary}


def add_mask(layer, shape):
    """The variable of a mask over weights of `shape`, all of them kept."""
    return layer.add_weight(
        shape=tuple(shape),
        initializer=keras.initializers.Constant(START),
        name=MASK,
        # Rounded to half precision it would be another mask than the one
        # that is folded and stored.
        autocast=False,
    )
