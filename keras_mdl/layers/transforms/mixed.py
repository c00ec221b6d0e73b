"""`MixedKernels`: the depthwise kernels of several domains, mixed by a gate."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
from keras import ops

from keras_mdl.layers.gate import SoftmaxDomainGate
from keras_mdl.layers.slotted import unique_names
from keras_mdl.layers.transforms.base import KernelTransform


@keras.saving.register_keras_serializable("keras_mdl")
class MixedKernels(KernelTransform):
    """A mixture of domains' depthwise kernels for every image.

    A convolution is linear in its kernel. So the sum of `T` convolutions,
    weighted by a gate `s`, is ONE convolution with the mixed kernel:

    ```
    sum_t  s_t * conv(x, K_t)  =  conv(x, sum_t  s_t * K_t)
    ```

    The kernel of the domain itself is the convolution's. Those of other
    domains are copies, one variable each, that never train: whatever becomes
    of those domains, this layer computes the same.

    Args:
        sources: Names of the other domains.
        **kwargs: As `KernelTransform`.

    Call arguments:
        kernel: Tensor `(kh, kw, channels, 1)`.
        weights: Tensor `(batch, T)`, in the order of `domains` (by name).

    Output shape: `(batch, kh, kw, channels, 1)`.

    Reference: Guo et al., AAAI 2019, equation 8. That the released code runs
    `T` convolutions is a matter of speed alone.
    """

    kernels = ("depthwise",)

    def __init__(self, sources: Sequence[str], **kwargs) -> None:
        super().__init__(**kwargs)
        self.sources = unique_names(sources)
        if self.domain in self.sources:
            raise ValueError(
                f"A gate mixes the kernels of {self.domain!r} with those of "
                f"OTHER domains. Received: {list(self.sources)}"
            )
        self.domains = tuple(sorted([self.domain, *self.sources]))

    def companions(self, options: Callable[[str], dict]) -> dict:
        return {"gate": SoftmaxDomainGate(self.domains, **options("gate"))}

    def place(
        self,
        step: Callable,
        conv: keras.Layer,
        x: Any,
        source: Any,
        parts: Mapping[str, keras.Layer],
    ) -> Any:
        # A gate looks at the input of the layer, before it is padded.
        weights = step(parts["gate"], source)
        kernel = step(conv, x, kernel_only=True)
        return step(conv, x, step(self, kernel, weights))

    def build(self, kernel_shape, weights_shape):
        for source in self.sources:
            copy = self.add_weight(
                shape=tuple(kernel_shape),
                initializer="zeros",
                trainable=False,
                name=f"source_{source}",
            )
            setattr(self, f"source_{source}", copy)

    def call(self, kernel, weights):
        stack = self.stack(kernel)
        weights = ops.cast(weights, stack.dtype)
        return ops.einsum("bt,tijco->bijco", weights, stack)

    def stack(self, kernel: keras.KerasTensor) -> keras.KerasTensor:
        """All kernels `(T, kh, kw, channels, 1)`, in the order of `domains`."""
        own = kernel.value if isinstance(kernel, keras.Variable) else kernel
        return ops.stack(
            [
                own if d == self.domain else getattr(self, f"source_{d}").value
                for d in self.domains
            ]
        )

    def fold(self, conv: keras.Layer, dense: bool = True) -> tuple:
        raise ValueError(
            f"The gates of {self.domain!r} depend on the image: `collapsed` "
            "folds their mean over images"
        )

    def compute_output_shape(self, kernel_shape, weights_shape):
        return (weights_shape[0], *kernel_shape)

    def macs(self, inputs: Sequence, output: keras.KerasTensor) -> int | None:
        # Kernels are mixed once an image.
        return len(self.domains) * math.prod(inputs[0].shape)

    def get_config(self):
        return {**super().get_config(), "sources": list(self.sources)}
