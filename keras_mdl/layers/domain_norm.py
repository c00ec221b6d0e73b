"""`DomainBatchNormalization`: a batch normalisation for each domain."""

import keras

from keras_mdl.layers.batch_norm import FusedBatchNormalization
from keras_mdl.layers.slotted import SlottedLayer


@keras.saving.register_keras_serializable("keras_mdl")
class DomainBatchNormalization(SlottedLayer):
    """Batch normalisation with scale, offset and statistics per domain.

    For domain `d`:

    ```
    y = gamma_d * (x - mean_d) / sqrt(variance_d + epsilon) + beta_d
    ```

    A batch holds images of one domain. When the domain is frozen, its running
    mean and variance are frozen too.

    Args:
        domains: Names of the domains.
        momentum: Weight of the old value in the running statistics. The
            default 0.9 is what PyTorch calls 0.1, as in the released code.
        epsilon: Added to the variance. Default 1e-5, as in the released code.

    Call arguments:
        inputs: Tensor `(batch, height, width, channels)`.
        domain: Name of the domain. Keyword only.
        training: Whether to use (and record) the batch's statistics.

    Input shape: `(batch, ..., channels)`. Output shape: the same.

    Reference: Guo et al., AAAI 2019 ("batch normalisation is domain
    specific"); epsilon and momentum from the released code. Deviation: the
    running variance averages the biased batch variance, as Keras does.
    """

    order = ("norm",)

    def __init__(self, domains, momentum=0.9, epsilon=1e-5, **kwargs):
        self.momentum = momentum
        self.epsilon = epsilon
        super().__init__(domains, **kwargs)

    def make_slot(self, domain):
        return {
            "norm": FusedBatchNormalization(
                momentum=self.momentum,
                epsilon=self.epsilon,
                **self.part_options("norm", domain),
            )
        }

    def get_config(self):
        return {
            **super().get_config(),
            "momentum": self.momentum,
            "epsilon": self.epsilon,
        }
