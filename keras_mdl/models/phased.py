"""`PhasedModel`: a model that trains what its plan says."""

import contextlib
import functools
import types

import keras

from keras_mdl import devices
from keras_mdl.models import weight_files
from keras_mdl.models.first_step import cpu_tensorflow, make_variables
from keras_mdl.models.freezing import PHASES, format_plan, get_plan
from keras_mdl.models.keras_files import save_atomically
from keras_mdl.models.logits import expects_logits, metric_of_logits

# What is missing where a phase trains nothing.
_ADVICE = {
    "gate": ". It has no gates: add them with `with_gate`",
    "adapter": ". It has no adapters: `with_domain(..., adapter=...)`",
}


def _synced(name):
    """Keras' method of that name, with values as they are and to be kept."""

    @functools.wraps(getattr(keras.Model, name))
    def method(self, *args, **kwargs):
        if self.attached:
            self.owner.running.sync(reader=self)
        try:
            return getattr(super(PhasedModel, self), name)(*args, **kwargs)
        finally:
            if hasattr(self, "jax_state_sync"):
                self.jax_state_sync()

    return method


def _by_plan(attribute, trained):
    """Keras' property of those variables or weights that train, or do not."""
    name = f"trainable_{attribute}"
    name = name if trained else f"non_{name}"

    @property
    def found(self):
        if not self.attached:
            return getattr(super(PhasedModel, self), name)
        ids = self._view.trained_ids
        return [
            v for v in getattr(self, attribute) if (id(v) in ids) == trained
        ]

    return found


class PhasedModel(keras.Model):
    """A `keras.Model` whose trainable set is derived from a `FreezePlan`.

    Keras keeps trainability in flags on layers, and layers are shared between
    views. So a view derives its `trainable_variables` from its own plan, and
    sets the flags (which BatchNormalization reads) anew for each forward pass.
    A view loaded from a file by itself has no plan and is as any Keras model.
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
        # Keras tracks the content of dicts and lists, and not of namespaces.
        self._view = types.SimpleNamespace(
            owner=owner,
            parts=parts,
            parameters=parameters,
            domains=tuple(domains),
            children=tuple(children),
            input_multiple=input_multiple,
            nested=nested,
            endpoints=dict(endpoints or {}),
            by_part={
                prefix: {
                    p: v
                    for p, v in parameters.items()
                    if p.startswith(prefix + "/")
                }
                for prefix in parts
            },
        )
        self.train_only(phase)
        return self

    def _attached(self):
        if not self.attached:
            raise AttributeError(
                f"The network {self.name!r} was loaded by itself: it has no "
                "trunk to share and so no phases. Load the MultiDomainModel "
                "and ask it for a view (`for_domain`)"
            )
        return self._view

    @property
    def attached(self):
        """Whether this is a view of a `MultiDomainModel` in memory."""
        return hasattr(self, "_view")

    @property
    def owner(self):
        """The `MultiDomainModel` that this is a view of."""
        return self._attached().owner

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
            phase: As for `MultiDomainModel.for_domain`.

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
                + _ADVICE.get(plan.phase.partition("_")[0], "")
            )
        plan.require_kept(view.parts, trained)
        view.plan = plan
        view.trained = trained
        view.trained_ids = {id(view.parameters[p]) for p in trained}
        for child in view.children:
            child.train_only(plan)
        with self.flags():
            flagged = {p for p, v in view.parameters.items() if v.trainable}
        if flagged != trained:
            raise RuntimeError(
                f"Phase {plan.phase!r} and Keras disagree about what trains: "
                f"{sorted(flagged ^ trained)}"
            )
        # The optimizer was built for the old set.
        self.compiled = False
        return self

    @contextlib.contextmanager
    def flags(self):
        """Inside, the layers' flags say what the plan says; outside, nothing.

        Layers are shared: what else is built on them (a model over
        `endpoints`) must not train the trunk.
        """
        view = self._view
        self._flag(view.trained, view.plan.keep_statistics)
        try:
            yield
        finally:
            self._flag(())

    def _flag(self, trained, keep_statistics=False):
        for prefix, layer in self._view.parts.items():
            own = self._view.by_part[prefix]
            layer.trainable = any(p in trained for p in own)
            if hasattr(layer, "keep_statistics"):
                layer.keep_statistics = keep_statistics
            for path, variable in own.items():
                variable.trainable = path in trained

    @property
    def trainable(self):
        """Whether anything trains. Setting it to `False` freezes the view.

        Flags of single layers are not looked at: what trains is the phase.

        Raises:
            ValueError: When set to `True` while frozen: say which phase.
        """
        if not self.attached:
            return super().trainable
        return bool(self._view.trained)

    @trainable.setter
    def trainable(self, value):
        if not self.attached:
            keras.Model.trainable.fset(self, value)
        elif not value:
            self.train_only("frozen")
        elif not self._view.trained:
            raise ValueError(
                "A frozen view does not know what to train: say it with "
                "`train_only`, for example `train_only('domain')`"
            )

    def plan_table(self):
        """The current plan, applied to this view's variables, as text."""
        view = self._attached()
        return format_plan(view.plan, view.domains, view.parameters)

    @property
    def trainable_paths(self):
        """Sorted paths of the variables that train in the current phase."""
        return sorted(self._attached().trained)

    # === What Keras asks ===

    trainable_variables = _by_plan("variables", True)
    non_trainable_variables = _by_plan("variables", False)
    trainable_weights = _by_plan("weights", True)
    non_trainable_weights = _by_plan("weights", False)

    def call(self, inputs, training=None, mask=None):
        if self.attached:
            self._check_size(inputs)
            if not self._view.nested:
                # Already done where this call is a part of a traced step.
                self.owner.running.sync(reader=self)
            inputs = devices.divided(inputs)
            with self.flags():
                return super().call(inputs, training=training, mask=mask)
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

        - The outputs are logits, so losses and metrics given by name are
          built with `from_logits=True`, and objects that expect probabilities
          are refused.
        - `jit_compile="auto"` leaves XLA off on TensorFlow without a GPU,
          where XLA's depthwise convolution is many times slower.

        Raises:
            ValueError: For a loss or metric of probabilities.
        """
        loss = keras.tree.map_structure(expects_logits, loss)
        for name in ("metrics", "weighted_metrics"):
            if kwargs.get(name):
                kwargs[name] = keras.tree.map_structure(
                    metric_of_logits, kwargs[name]
                )
        if kwargs.get("jit_compile", "auto") == "auto" and cpu_tensorflow():
            kwargs["jit_compile"] = False
        super().compile(optimizer, loss, *args, **kwargs)

    def train_step(self, *args):
        make_variables(self, args[-1])
        return super().train_step(*args)

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        """As `keras.Model.compute_loss`; on several devices each image counts
        the same, however many of them a device has."""
        if training and devices.replicas() > 1:
            sample_weight = devices.weights_of_part(y, sample_weight)
        return super().compute_loss(x, y, y_pred, sample_weight, training)

    # === Runs that fail ===

    # On JAX Keras takes the variables' values away while it runs, and some
    # errors (a wrong shape, Ctrl-C in `predict`) would leave them lost: with
    # the trunk, for every domain in memory.
    def _purge_model_variables(self, *args, **kwargs):
        pass  # the buffers are donated anyway, where they are

    def fit(self, *args, **kwargs):
        """As `keras.Model.fit`. Callbacks may use other views of the model."""
        if not self.attached:
            return super().fit(*args, **kwargs)
        devices.require_scope(self)
        with self.owner.running.running(self):
            return super().fit(*args, **kwargs)

    predict = _synced("predict")
    evaluate = _synced("evaluate")
    train_on_batch = _synced("train_on_batch")
    test_on_batch = _synced("test_on_batch")
    predict_on_batch = _synced("predict_on_batch")

    def compile_from_config(self, config):
        # Keras asks classes with a `compile` of their own to do this.
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.optimizer is not None:
            self.optimizer.build(self.trainable_variables)

    # === Copies and files ===

    # A copy has flags and no plan: while it is made, flags say what the plan
    # says. `save`, pickle, `deepcopy`, `to_json`, `clone_model` come by here.

    def get_config(self):
        if not self.attached:
            return super().get_config()
        self._require_whole_layers()
        self.owner.running.sync()
        with self.flags():
            return super().get_config()

    def _run_through_graph(self, *args, **kwargs):
        # Keras has no public place for this: `clone_model` asks each layer
        # for its config from in here.
        if not self.attached or kwargs.get("call_fn") is not None:
            return super()._run_through_graph(*args, **kwargs)
        with self.flags():
            return super()._run_through_graph(*args, **kwargs)

    def _require_whole_layers(self):
        view = self._view
        split = [
            prefix
            for prefix, own in view.by_part.items()
            if 0 < len(view.trained & own.keys()) < len(own)
        ]
        if split:
            raise ValueError(
                f"Phase {view.plan.phase!r} trains a part of the variables of "
                f"{', '.join(split)}; the file of a view keeps whole layers. "
                "Save the MultiDomainModel, or `train_only` another phase first"
            )

    def save(self, filepath, overwrite=True, **kwargs):
        """As `keras.Model.save`; a `.keras` file is written atomically.

        Loaded by itself, such a file has layers with flags and no plan: a
        plan that trains a part of a layer's variables cannot be kept.

        Raises:
            ValueError: For such a plan (save the `MultiDomainModel`), or a
                file name that does not end in `.keras`.
        """
        save_atomically(super().save, filepath, overwrite, kwargs)

    def save_weights(self, filepath, overwrite=True):
        """As `keras.Model.save_weights`, with a note of domains and trunk."""
        if not self.attached:
            return super().save_weights(filepath, overwrite=overwrite)
        self.owner.running.sync()
        weight_files.save(
            super().save_weights, filepath, self.domains, self._trunk(),
            overwrite,
        )  # fmt: skip

    def load_weights(self, filepath, **kwargs):
        """As `keras.Model.load_weights`, for files of this domain alone.

        Trunk and slot are replaced.

        Raises:
            ValueError: For a file of other domains; for one of another trunk,
                if other domains live on this one and the phase does not
                train it (callbacks in `fit` may load what they like).
        """
        load = super().load_weights
        if not self.attached:
            return load(filepath, **kwargs)
        # Such a phase changes the trunk for the others anyway; and in `fit` it
        # is a callback that goes back to a state of this very training.
        changes_trunk = self in self.owner.running or any(
            p.startswith("trunk/") for p in self._view.trained
        )
        others = set(self.owner) - set(self.domains)
        weight_files.load(
            lambda: load(filepath, **kwargs),
            filepath,
            self.domains,
            self._trunk(),
            () if changes_trunk else sorted(others),
            self.variables,
        )

    def _trunk(self):
        return {
            p: v
            for p, v in self.owner.variables_by_path().items()
            if p.startswith("trunk/")
        }

    def summary(self, *args, **kwargs):
        """As `keras.Model.summary`; what trains is what the phase says."""
        if not self.attached:
            return super().summary(*args, **kwargs)
        with self.flags():
            return super().summary(*args, **kwargs)
