"""`SoftmaxDomainGate`: how much of each domain's filters an image gets."""

import math
from collections.abc import Sequence

import keras
from keras import ops

from keras_mdl.domains import require_domain
from keras_mdl.layers.slotted import unique_names


@keras.saving.register_keras_serializable("keras_mdl")
class SoftmaxDomainGate(keras.layers.Layer):
    """A softmax over domains, computed from an image's channel means.

    For `T` domains, an input of `C` channels and `h = C // 4 + 1`:

    ```
    m = mean of x over height and width
    s = softmax(W2 @ relu(W1 @ m + b1) + b2)        s_1 + ... + s_T = 1
    ```

    The weights are per image. A gate remembers the domains it was made for:
    `s` stands in the order of `domains`, sorted by name, whatever domains a
    model gains or loses later. It has `C*h + h + T*h + T` numbers: 649,344
    for all 25 layers of the paper's network with 10 domains.

    Args:
        domains: Names of the domains to weigh.

    Input shape: `(batch, height, width, channels)`.
    Output shape: `(batch, T)`, float32, each row sums to 1.

    Raises:
        ValueError: If `domains` are not unique names.

    Example:

    >>> gate = SoftmaxDomainGate(["signs", "flowers"])
    >>> gate.domains
    ('flowers', 'signs')
    >>> keras.ops.shape(gate(keras.ops.ones((3, 8, 8, 4))))
    (3, 2)

    Reference: Guo, Li, Wang, Rosing, "Depthwise Convolution Is All You Need
    for Learning Multiple Visual Domains", AAAI 2019, equations 8 and 9; the
    hidden size and the start (all numbers uniform in ±1/sqrt(inputs), so that
    weights start near 1/T) from the released code. There the target comes
    first in the order, here names do.
    """

    def __init__(self, domains: Sequence[str], **kwargs) -> None:
        super().__init__(**kwargs)
        self.domains = tuple(sorted(unique_names(domains)))

    def build(self, input_shape):
        channels = input_shape[-1]
        hidden, domains = channels // 4 + 1, len(self.domains)
        self.hidden_kernel = self._add("hidden_kernel", channels, hidden)
        self.hidden_bias = self._add("hidden_bias", channels, hidden)
        self.kernel = self._add("kernel", hidden, domains)
        self.bias = self._add("bias", hidden, domains)

    def _add(self, name, inputs, outputs):
        limit = inputs**-0.5
        return self.add_weight(
            shape=(inputs, outputs) if "kernel" in name else (outputs,),
            initializer=keras.initializers.RandomUniform(-limit, limit),
            name=name,
        )

    def call(self, inputs):
        x = ops.mean(inputs, axis=(1, 2))
        x = ops.relu(ops.matmul(x, self.hidden_kernel) + self.hidden_bias)
        x = ops.matmul(x, self.kernel) + self.bias
        # 16 bits would not sum to one.
        return ops.softmax(ops.cast(x, "float32"))

    def start_at(self, domain: str, weight: float) -> None:
        """Sets the gate so that every image gives `domain` this weight.

        The others share the rest equally; `weight = 1 / T` is the uniform
        mixture. Near 1 the gate starts next to the hard slot of `domain`. (At
        1 it would be that slot, but a saturated softmax cannot learn.)

        Args:
            domain: One of `domains`.
            weight: Its weight, above 0 and below 1.

        Raises:
            ValueError: For an unknown domain or another weight.
        """
        require_domain(domain, self.domains)
        if not 0 < weight < 1:
            raise ValueError(
                f"`weight` must be above 0 and below 1. Received: {weight!r}"
            )
        others = (1 - weight) / max(1, len(self.domains) - 1)
        shares = [weight if d == domain else others for d in self.domains]
        self.kernel.assign(ops.zeros(self.kernel.shape, self.kernel.dtype))
        self.bias.assign(ops.log(ops.convert_to_tensor(shares, "float32")))

    def macs(self, inputs: Sequence, output: keras.KerasTensor) -> int:
        """Multiply-accumulates of one image."""
        kernels = (self.hidden_kernel, self.kernel)
        return sum(math.prod(k.shape) for k in kernels)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], len(self.domains))

    def compute_output_spec(
        self, inputs: keras.KerasTensor
    ) -> keras.KerasTensor:
        shape = self.compute_output_shape(inputs.shape)
        return keras.KerasTensor(shape, dtype="float32")

    def get_config(self):
        return {**super().get_config(), "domains": list(self.domains)}
