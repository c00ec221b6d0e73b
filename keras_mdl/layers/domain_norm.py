"""`DomainBatchNormalization`: a batch normalisation for each domain."""

from collections.abc import Sequence

import keras
from keras import ops

from keras_mdl.layers.batch_norm import FusedBatchNormalization
from keras_mdl.layers.slotted import SlottedLayer

GAMMA_FLOOR = 1e-3


@keras.saving.register_keras_serializable("keras_mdl")
class Floor(keras.constraints.Constraint):
    """`w = max(w, floor)`, after each update.

    Args:
        floor: The smallest value.
    """

    def __init__(self, floor):
        self.floor = floor

    def __call__(self, w):
        return ops.maximum(w, self.floor)

    def get_config(self):
        return {"floor": self.floor}


@keras.saving.register_keras_serializable("keras_mdl")
class DomainBatchNormalization(SlottedLayer):
    """Batch normalisation with scale, offset and statistics per domain.

    For domain `d`:

    ```
    y = gamma_d * (x - mean_d) / sqrt(variance_d + epsilon) + beta_d
    ```

    A batch holds images of one domain. When the domain is frozen, its running
    mean and variance are frozen too.

    Training keeps `gamma_d >= gamma_floor`. A positive gamma folds into an
    int8 scale of the convolution before, one per channel, and leaves the
    shared kernel's bytes as they are in every exported domain. A negative one
    negates a row of the kernel and 0 wipes it out: either ends the sharing.
    Only an optimizer's update applies the floor (after it has taken its moving
    averages, with `use_ema`); what is assigned or loaded stays as it is until
    then.

    Args:
        domains: Names of the domains.
        momentum: Weight of the old value in the running statistics. The
            default 0.9 is what PyTorch calls 0.1, as in the released code.
        epsilon: Added to the variance. Default 1e-5, as in the released code.
        gamma_floor: The smallest gamma that training leaves, or `None`.
        center, scale: Whether there are offsets `beta` and factors `gamma`.

    Call arguments:
        inputs: Tensor `(batch, height, width, channels)`.
        domain: Name of the domain. Keyword only.
        training: Whether to use (and record) the batch's statistics.

    Input shape: `(batch, ..., channels)`. Output shape: the same.

    Reference: Guo et al., AAAI 2019 ("batch normalisation is domain
    specific"); epsilon and momentum from the released code. Deviations: the
    running variance averages the biased batch variance, as Keras does; the
    published networks have no floor (`gamma_floor=None`).
    """

    order = ("norm",)

    def __init__(
        self,
        domains: Sequence[str],
        momentum: float = 0.9,
        epsilon: float = 1e-5,
        gamma_floor: float | None = GAMMA_FLOOR,
        center: bool = True,
        scale: bool = True,
        **kwargs,
    ) -> None:
        self.center = center
        self.scale = scale
        self.momentum = momentum
        self.epsilon = epsilon
        self.gamma_floor = gamma_floor
        super().__init__(domains, **kwargs)

    def make_slot(self, domain: str) -> dict:
        floor = self.gamma_floor
        return {
            "norm": FusedBatchNormalization(
                momentum=self.momentum,
                epsilon=self.epsilon,
                center=self.center,
                scale=self.scale,
                gamma_constraint=None if floor is None else Floor(floor),
                **self.part_options("norm", domain),
            )
        }

    def get_config(self):
        return {
            **super().get_config(),
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "gamma_floor": self.gamma_floor,
            "center": self.center,
            "scale": self.scale,
        }
