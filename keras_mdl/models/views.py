"""Trainable views of a `MultiDomainModel`: one domain, or several at once."""

import os
import types

import keras

from keras_mdl.domains import require_domain
from keras_mdl.files import atomic_path
from keras_mdl.models.freezing import PHASES, format_plan, get_plan


class PhasedModel(keras.Model):
    """A `keras.Model` whose trainable set is derived from a `FreezePlan`.

    Keras keeps trainability in flags on layers. Layers here are shared
    between views, so flags alone would let one view's training change what
    another view trains. A view therefore derives its `trainable_variables`
    from its own plan, and sets the layers' flags (which BatchNormalization
    reads to choose its mode) anew at the start of each forward pass.

    Everything else is `keras.Model`. A view loaded from a file by itself has
    no plan and behaves as any Keras model.
    """

    def attach(
        self,
        owner,
        parts,
        parameters,
        domains,
        phase,
        input_multiple=1,
        children=(),
        nested=False,
        endpoints=None,
    ):
        """Binds the view to the model it is a view of. Internal.

        Args:
            owner: The `MultiDomainModel`.
            parts: `{path prefix: layer}`, the layers that hold variables.
            parameters: `{path: variable}` of what can train (no statistics).
            domains: Names of the domains that the view trains.
            phase: Name of a phase, or a `FreezePlan`.
            input_multiple: Image sides must be divisible by this.
            children: Views nested in this one; they follow its plan.
            nested: Whether this is such a child. The plan of the whole then
                may leave nothing to train in it.
            endpoints: `{layer name: symbolic output}` of the view's graph.
        """
        # A namespace, because Keras tracks the content of dicts and lists.
        self._view = types.SimpleNamespace(
            owner=owner,
            parts=parts,
            parameters=parameters,
            domains=tuple(domains),
            children=tuple(children),
            input_multiple=input_multiple,
            nested=nested,
            endpoints=dict(endpoints or {}),
        )
        self.train_only(phase)
        return self

    def _attached(self):
        if not hasattr(self, "_view"):
            raise AttributeError(
                f"The network {self.name!r} was loaded by itself: it has no "
                "trunk to share and so no phases. Load the MultiDomainModel "
                "and ask it for a view (`for_domain`)"
            )
        return self._view

    @property
    def phase(self):
        """Name of the phase the view is in."""
        return self._attached().plan.phase

    @property
    def plan(self):
        """The `FreezePlan` of that phase."""
        return self._attached().plan

    @property
    def domains(self):
        """Names of the domains that the view trains."""
        return self._attached().domains

    def train_only(self, phase):
        """Puts the view into a phase: what trains from now on.

        A compiled view has to be compiled again before it is fitted (its
        optimizer belongs to the old set); `StagedFreezing` does this inside
        one `fit`. Calling it twice changes nothing.

        Args:
            phase: `"base"`, `"domain"`, `"head"`, `"head_and_norm"`,
                `"frozen"`, or a `FreezePlan`.

        Returns:
            The view.

        Raises:
            ValueError: For an unknown phase, or a plan that does not decide
                about a variable.
        """
        plan, view = get_plan(phase), self._attached()
        if plan == getattr(view, "plan", None):
            return self
        trained = {p for p in view.parameters if plan.trains(p, view.domains)}
        if not (trained or view.nested or plan == PHASES["frozen"]):
            raise ValueError(
                f"Phase {plan.phase!r} trains no variable of this network "
                f"(domains: {', '.join(view.domains)})"
            )
        view.plan = plan
        view.trained = trained
        view.trained_ids = {id(view.parameters[p]) for p in trained}
        for child in view.children:
            child.train_only(plan)
        self.apply_flags()
        flagged = {p for p, v in view.parameters.items() if v.trainable}
        if flagged != trained:
            raise RuntimeError(
                f"Phase {plan.phase!r} and Keras disagree about what trains: "
                f"{sorted(flagged ^ trained)}"
            )
        # The optimizer was built for the old set.
        self.compiled = False
        return self

    def apply_flags(self):
        """Sets the layers' `trainable` flags to what the plan says."""
        view = self._view
        for prefix, layer in view.parts.items():
            own = [p for p in view.parameters if p.startswith(prefix + "/")]
            layer.trainable = any(p in view.trained for p in own)
            for path in own:
                view.parameters[path].trainable = path in view.trained

    def plan_table(self):
        """The current plan, applied to this view's variables, as text."""
        view = self._attached()
        return format_plan(view.plan, view.domains, view.parameters)

    @property
    def trainable_paths(self):
        """Sorted paths of the variables that train in the current phase."""
        return sorted(self._attached().trained)

    # === What Keras asks ===

    def _split(self, variables, trained):
        ids = self._view.trained_ids
        return [v for v in variables if (id(v) in ids) == trained]

    @property
    def trainable_variables(self):
        if not hasattr(self, "_view"):
            return super().trainable_variables
        return self._split(self.variables, True)

    @property
    def non_trainable_variables(self):
        if not hasattr(self, "_view"):
            return super().non_trainable_variables
        return self._split(self.variables, False)

    @property
    def trainable_weights(self):
        if not hasattr(self, "_view"):
            return super().trainable_weights
        return self._split(self.weights, True)

    @property
    def non_trainable_weights(self):
        if not hasattr(self, "_view"):
            return super().non_trainable_weights
        return self._split(self.weights, False)

    def call(self, inputs, training=None, mask=None):
        if hasattr(self, "_view"):
            self._check_size(inputs)
            self.apply_flags()
        return super().call(inputs, training=training, mask=mask)

    def _check_size(self, inputs):
        multiple = self._view.input_multiple
        for x in keras.tree.flatten(inputs):
            for n in x.shape[1:3]:
                if n is not None and n % multiple:
                    raise ValueError(
                        f"Image height and width must be divisible by "
                        f"{multiple}: a strided convolution rounds up and the "
                        "average-pool shortcut rounds down, so they would "
                        f"disagree. Received: shape={tuple(x.shape)}"
                    )

    def compile(self, optimizer="rmsprop", loss=None, *args, **kwargs):
        """As `keras.Model.compile`, with two defaults that suit the network.

        - The outputs are logits, so the string losses are built with
          `from_logits=True`, and a loss object that expects probabilities is
          refused.
        - `jit_compile="auto"` leaves XLA off on TensorFlow without a GPU,
          where XLA's depthwise convolution is many times slower.

        Raises:
            ValueError: For a cross-entropy object with `from_logits=False`.
        """
        loss = keras.tree.map_structure(_from_logits, loss)
        if kwargs.get("jit_compile", "auto") == "auto" and _cpu_tensorflow():
            kwargs["jit_compile"] = False
        super().compile(optimizer, loss, *args, **kwargs)

    def compile_from_config(self, config):
        # Keras asks classes with a `compile` of their own to do this.
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.optimizer is not None:
            self.optimizer.build(self.trainable_variables)

    def save(self, filepath, overwrite=True, **kwargs):
        """As `keras.Model.save`; a `.keras` file is written atomically."""
        if hasattr(self, "_view"):
            # The file holds the layers' flags; another view may have set them.
            self.apply_flags()
        save_atomically(super().save, filepath, overwrite, kwargs)


@keras.saving.register_keras_serializable("keras_mdl")
class DomainModel(PhasedModel):
    """One domain's network: an ordinary functional `keras.Model`.

    Made by `MultiDomainModel.for_domain`. It consists of the shared trunk and
    this domain's slot; training it changes both in place, as far as its phase
    lets it. Outputs are logits.
    """

    @property
    def domain(self):
        """Name of the domain."""
        return self.domains[0]

    @property
    def endpoints(self):
        """`{layer name: symbolic output}` of the slotted layers, in order.

        The weights of a gate are there as `"<layer>/gate"`.

        For feature extraction and attribution:
        `keras.Model(view.inputs, view.endpoints["stage2_block1_norm2"])`.
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
    def loss_weights(self):
        """`{domain: keras.Variable}`, the weights in the total loss."""
        return {d: getattr(self, f"loss_weight_{d}") for d in self.domains}

    def set_loss_weights(self, weights):
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

    def make_loss_weights(self):
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
        self, optimizer="rmsprop", loss=None, loss_weights=None, **kwargs
    ):
        """As `keras.Model.compile`.

        Args:
            optimizer: As for Keras.
            loss: One loss for all domains, or `{domain: loss}`.
            loss_weights: `{domain: number}`, the values to start from.
            **kwargs: As for Keras. `metrics` given as one list is used for
                every domain.

        Raises:
            ValueError: If `loss_weights` names a domain that is not here.
        """
        self.set_loss_weights(loss_weights or {})
        if loss is not None and not isinstance(loss, dict):
            loss = {d: loss for d in self.domains}
        for name in ("metrics", "weighted_metrics"):
            if isinstance(kwargs.get(name), (list, tuple)):
                kwargs[name] = {d: _clones(kwargs[name]) for d in self.domains}
        super().compile(
            optimizer, loss, loss_weights=self.loss_weights, **kwargs
        )

    def save(self, filepath, overwrite=True, **kwargs):
        """Saves the whole `MultiDomainModel` (load it with `load_model`).

        A joint view by itself would store the trunk once per domain.
        """
        self._view.owner.save(filepath, overwrite=overwrite, **kwargs)


def save_atomically(save, filepath, overwrite, kwargs):
    """Calls Keras' `save(path, ...)` so that the old file survives a failure.

    Raises:
        FileExistsError: If the file exists and `overwrite` is false.
    """
    path = str(filepath)
    if not path.endswith(".keras") or "://" in path:
        return save(filepath, overwrite=overwrite, **kwargs)
    if not overwrite and os.path.exists(path):
        raise FileExistsError(
            f"The file exists and `overwrite` is false. Received: {path}"
        )
    with atomic_path(path) as temporary:
        save(str(temporary), overwrite=True, **kwargs)


def _from_logits(loss):
    name = loss if isinstance(loss, str) else getattr(loss, "__name__", "")
    for class_name, function_name in _LOGIT_LOSSES.items():
        function = getattr(keras.losses, function_name)
        if name in (class_name, function_name) and (loss in (name, function)):
            return getattr(keras.losses, class_name)(from_logits=True)
    if isinstance(loss, keras.losses.Loss) and not loss.get_config().get(
        "from_logits", True
    ):
        raise ValueError(
            "The network's outputs are logits: the loss needs "
            f"`from_logits=True`. Received: {loss!r}"
        )
    return loss


_LOGIT_LOSSES = {
    "SparseCategoricalCrossentropy": "sparse_categorical_crossentropy",
    "CategoricalCrossentropy": "categorical_crossentropy",
    "CategoricalFocalCrossentropy": "categorical_focal_crossentropy",
    "BinaryCrossentropy": "binary_crossentropy",
    "BinaryFocalCrossentropy": "binary_focal_crossentropy",
}


def _clones(metrics):
    return [
        m.__class__.from_config(m.get_config())
        if isinstance(m, keras.metrics.Metric)
        else m
        for m in metrics
    ]


def _cpu_tensorflow():
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return not tf.config.list_physical_devices("GPU")
