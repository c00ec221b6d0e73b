"""`CoupledSGD`: the update rule of the released scripts."""

from typing import Any

import keras
from keras import ops

from keras_mdl.layers.transforms import UNDECAYED


@keras.saving.register_keras_serializable("keras_mdl")
class CoupledSGD(keras.optimizers.Optimizer):
    """SGD with momentum and L2 decay inside the gradient, as PyTorch has it.

    ```
    g <- gradient + l2 * w
    v <- momentum * v + g          (first step: v = g)
    w <- w - learning_rate * v
    ```

    Keras' `SGD(weight_decay=...)` is another rule: it shrinks the weights
    apart from the momentum, and it scales the momentum by the learning rate of
    the step that made it. Published decays (1e-4 to 2e-3) belong to this one.
    The decay applies to every trainable variable, BatchNorm scales and biases
    included, but not to masks of Piggyback: it would pull them over their
    threshold and switch weights off by itself.

    Args:
        learning_rate: A number or a schedule.
        momentum: Weight of the old velocity.
        l2: Decay coefficient.
        **kwargs: As for any Keras optimizer.

    Source: released code of Guo et al. (AAAI 2019), its `sgd.py`.
    """

    def __init__(
        self,
        learning_rate: Any = 0.1,
        momentum: float = 0.9,
        l2: float = 0.0,
        name: str = "coupled_sgd",
        **kwargs,
    ) -> None:
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        self.momentum = momentum
        self.l2 = l2

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self.velocities = [
            self.add_variable_from_reference(v, name="velocity")
            for v in variables
        ]
        self._decays = [
            0.0 if v.name in UNDECAYED else self.l2 for v in variables
        ]

    def update_step(
        self,
        gradient: keras.KerasTensor,
        variable: keras.Variable,
        learning_rate: keras.KerasTensor,
    ) -> None:
        index = self._get_variable_index(variable)
        velocity, l2 = self.velocities[index], self._decays[index]
        gradient = ops.cast(gradient, variable.dtype)
        rate = ops.cast(learning_rate, variable.dtype)
        new = velocity * self.momentum + gradient + variable * l2
        self.assign(velocity, new)
        self.assign_sub(variable, new * rate)

    def get_config(self):
        return {
            **super().get_config(),
            "momentum": self.momentum,
            "l2": self.l2,
        }
