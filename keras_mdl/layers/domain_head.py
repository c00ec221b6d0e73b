"""`DomainHead`: a linear classifier for each domain."""

from collections.abc import Mapping, Sequence

import keras

from keras_mdl.layers.slotted import SlottedLayer


@keras.saving.register_keras_serializable("keras_mdl")
class DomainHead(SlottedLayer):
    """A dense layer per domain, with that domain's number of classes.

    ```
    logits = features @ W_d + b_d
    ```

    Args:
        units: `{domain name: number of classes}`.
        dropout: `{domain name: rate}` of the dropout before the classifier
            (missing domains: 0). No layer is made for rate 0.

    Call arguments:
        inputs: Tensor `(batch, features)`.
        domain: Name of the domain. Keyword only.

    Input shape: `(batch, features)`.
    Output shape: `(batch, classes of the domain)`, float32 logits.

    Weights and biases start uniform in ±1/sqrt(features), the default of the
    released code's framework.
    """

    order = ("dropout", "head", "logits")
    domain_options = ("units", "dropout")

    def __init__(
        self,
        units: Mapping[str, int],
        domains: Sequence[str] | None = None,
        dropout: float | Mapping[str, float] | None = None,
        **kwargs,
    ) -> None:
        self.units = dict(units)
        self.dropout = dict(dropout or {})
        domains = self.units if domains is None else domains
        if not isinstance(domains, str) and set(domains) != set(self.units):
            raise ValueError(
                "`units` and `domains` must name the same domains. Received: "
                f"units={self.units}, domains={list(domains)}"
            )
        super().__init__(domains, **kwargs)

    def make_slot(self, domain: str) -> dict:
        uniform = keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform")
        parts = {
            "head": _Linear(
                self.units[domain],
                kernel_initializer=uniform,
                **self.part_options("head", domain),
            ),
            # Losses want float32 even when the network computes in 16 bits.
            "logits": keras.layers.Activation(
                "linear", name=f"{self.name}_logits_{domain}", dtype="float32"
            ),
        }
        rate = self.dropout.get(domain, 0.0)
        if rate:
            parts["dropout"] = keras.layers.Dropout(
                rate, **self.part_options("dropout", domain)
            )
        return parts

    def get_config(self):
        return {
            **super().get_config(),
            "units": dict(self.units),
            "dropout": dict(self.dropout),
        }


@keras.saving.register_keras_serializable("keras_mdl")
class _Linear(keras.layers.Dense):
    """Dense whose bias, too, starts uniform in ±1/sqrt(features)."""

    def build(self, input_shape):
        limit = input_shape[-1] ** -0.5
        self.bias_initializer = keras.initializers.RandomUniform(-limit, limit)
        super().build(input_shape)
