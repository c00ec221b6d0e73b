"""Trainable views of a `MultiDomainModel`: one domain, or several at once."""

import types
from collections.abc import Mapping
from typing import Any

import keras

from keras_mdl import devices
from keras_mdl.domains import require_domain
from keras_mdl.models.logits import expects_logits
from keras_mdl.models.phased import PhasedModel


@keras.saving.register_keras_serializable("keras_mdl")
class DomainModel(PhasedModel):
    """One domain's network: an ordinary functional `keras.Model`.

    Made by `MultiDomainModel.for_domain`. It consists of the shared trunk and
    this domain's slot; training it changes both in place, as far as its phase
    lets it, and `load_weights` replaces both. Outputs are logits. Flags set on
    single layers are not looked at: what trains is the phase.
    """

    @property
    def domain(self) -> str:
        """Name of the domain."""
        return self.domains[0]

    @property
    def endpoints(self) -> dict[str, keras.KerasTensor]:
        """`{layer name: symbolic output}` of all layers, in order.

        Of slotted layers the output of the whole layer, what the depthwise
        half of a separable one gives as `"<layer>/depthwise"`, and the weights
        of a gate as `"<layer>/gate"`; of the layers between (activations,
        pooling, the sums at the end of blocks) each one's.

        For feature extraction and attribution:
        `keras.Model(view.inputs, view.endpoints["stage2_block1_relu2"])`.
        """
        return dict(self._attached().endpoints)


@keras.saving.register_keras_serializable("keras_mdl")
class JointModel(PhasedModel):
    """Several domains in one `fit`: a batch of each domain in every step.

    Inputs, targets and outputs are dicts keyed by domain name; the batches of
    different domains may have different sizes. The loss is

    ```
    sum_d  loss_weights[d] * loss_d
    ```

    `loss_weights` are variables: a callback may change them while `fit` runs,
    with `set_loss_weights`. Made by `MultiDomainModel.joint`.

    A domain whose weight is 0 gets zero gradients, which momentum and weight
    decay still turn into changes. To keep a domain as it is, leave it out.
    """

    @property
    def loss_weights(self) -> dict[str, float]:
        """`{domain: keras.Variable}`, the weights in the total loss."""
        return {d: getattr(self, f"loss_weight_{d}") for d in self.domains}

    def set_loss_weights(self, weights: Mapping[str, float]) -> None:
        """Changes loss weights; also in the middle of an epoch.

        Args:
            weights: `{domain: number}`.

        Raises:
            ValueError: If a domain is not in this view.
        """
        for d in weights:
            require_domain(d, self.domains)
        # On JAX the state lives outside the variables while `fit` runs.
        if hasattr(self, "jax_state_sync"):
            self.jax_state_sync()
        for d, value in weights.items():
            self.loss_weights[d].assign(value)

    def make_loss_weights(self) -> None:
        """Creates the loss weights, 1 for every domain. Internal."""
        for d in self.domains:
            weight = self.add_weight(
                shape=(),
                initializer="ones",
                trainable=False,
                name=f"loss_weight_{d}",
                dtype="float32",
            )
            setattr(self, f"loss_weight_{d}", weight)
        return self

    def compile(
        self,
        optimizer: keras.Optimizer | str = "rmsprop",
        loss: Any = None,
        loss_weights: Mapping[str, float] | None = None,
        balancing: Any = None,
        **kwargs,
    ) -> None:
        """As `keras.Model.compile`.

        Args:
            optimizer: As for Keras.
            loss: One loss for all domains, or `{domain: loss}`.
            loss_weights: `{domain: number}`, the values to start from.
            balancing: A rule of `keras_mdl.training.balancing`, whose weights
                of each step multiply `loss_weights`; default none. It starts
                anew.
            **kwargs: As for Keras. `metrics` given as one list is used for
                every domain.

        Raises:
            ValueError: If `loss_weights` names a domain that is not here.
        """
        self.set_loss_weights(loss_weights or {})
        if loss is not None and not isinstance(loss, dict):
            loss = {d: loss for d in self.domains}
        if loss is not None and set(loss) != set(self.domains):
            raise ValueError(
                f"`loss` must name every domain of the view, "
                f"{', '.join(self.domains)}, and no other. For some of them "
                f"make another view (`joint([...])`). Received: {list(loss)}"
            )
        loss = keras.tree.map_structure(expects_logits, loss)
        for name in ("metrics", "weighted_metrics"):
            if isinstance(kwargs.get(name), (list, tuple)):
                kwargs[name] = {d: _clones(kwargs[name]) for d in self.domains}
        super().compile(
            optimizer, loss, loss_weights=self.loss_weights, **kwargs
        )
        self._balancing = None
        if balancing is not None:
            self._start_balancing(balancing, loss)

    def _start_balancing(self, rule, loss):
        classes = [self.owner.domains[d].num_classes for d in self.domains]
        state = rule.initial(classes)
        if hasattr(self, "jax_state_sync"):
            self.jax_state_sync()
        for name, value in state.items():
            if not hasattr(self, f"balancing_{name}"):
                variable = self.add_weight(
                    shape=value.shape,
                    trainable=False,
                    name=f"balancing_{name}",
                    dtype="float32",
                )
                setattr(self, f"balancing_{name}", variable)
            getattr(self, f"balancing_{name}").assign(value)
        # A namespace, because Keras tracks what dicts and lists hold.
        self._balancing = types.SimpleNamespace(
            rule=rule,
            losses={d: keras.losses.get(fn) for d, fn in loss.items()},
            state={n: getattr(self, f"balancing_{n}") for n in state},
        )

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> keras.KerasTensor:
        """As `keras.Model.compute_loss`, in training balanced."""
        loss = super().compute_loss(x, y, y_pred, sample_weight, training)
        balancing = getattr(self, "_balancing", None)
        if balancing is None or not training:
            return loss
        weights = sample_weight if isinstance(sample_weight, dict) else {}
        if devices.replicas() > 1:
            weights = devices.weights_of_part(y, sample_weight)
        losses = keras.ops.stack(
            [
                balancing.losses[d](y[d], y_pred[d], weights.get(d))
                for d in self.domains
            ]
        )
        own = keras.ops.stack([_tensor(w) for w in self.loss_weights.values()])
        own = keras.ops.cast(own, losses.dtype)
        whole = keras.ops.stop_gradient(devices.summed(losses))
        balance, after = balancing.rule(
            keras.ops.cast(whole, "float32"),
            {name: _tensor(v) for name, v in balancing.state.items()},
        )
        for name, variable in balancing.state.items():
            variable.assign(after[name])
        balance = keras.ops.cast(keras.ops.stop_gradient(balance), losses.dtype)
        # What Keras has summed has the weights of `compile` alone.
        return loss + keras.ops.sum((balance - 1) * own * losses)

    def get_config(self):
        """Refused: a file of a joint view would hold the trunk many times.

        Raises:
            TypeError: Always, for a view in memory.
        """
        if self.attached:
            raise TypeError(
                "A joint view is not copied or saved by itself: `save` writes "
                "the MultiDomainModel, whose views can be made again"
            )
        return super().get_config()

    def save(self, filepath: str, overwrite: bool = True, **kwargs) -> None:
        """Saves the whole `MultiDomainModel` (load it with `load_model`).

        A joint view by itself would store the trunk once per domain.
        """
        self._view.owner.save(filepath, overwrite=overwrite, **kwargs)


def _tensor(variable):
    return keras.ops.cast(variable.value, "float32")


def _clones(metrics):
    return [
        m.__class__.from_config(m.get_config())
        if isinstance(m, keras.metrics.Metric)
        else m
        for m in metrics
    ]
