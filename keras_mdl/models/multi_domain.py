"""`MultiDomainModel`: one trunk, a slot per domain, and the verbs."""

import types
from collections.abc import Callable, Mapping, Sequence

import keras

from keras_mdl.domains import Domain, as_domains, require_domain
from keras_mdl.models import weight_files
from keras_mdl.models.backbones.record import backbone_of, require_registered
from keras_mdl.models.fingerprint import fingerprint
from keras_mdl.models.freezing import FreezePlan, get_plan, kept
from keras_mdl.models.graph import (
    all_endpoints,
    check_input,
    domain_graph,
    policy_scope,
    require_owned,
)
from keras_mdl.models.keras_files import save_atomically
from keras_mdl.models.paths import by_path
from keras_mdl.models.running import RunningViews
from keras_mdl.models.slots import SlotSpec, specs_by_domain
from keras_mdl.models.summary import DomainSummary, summarize
from keras_mdl.models.verbs import DomainVerbs
from keras_mdl.models.views import DomainModel, JointModel


@keras.saving.register_keras_serializable("keras_mdl")
class MultiDomainModel(DomainVerbs, keras.Model):
    """One network for many visual domains: a shared trunk and a slot for each.

    The model is a value: verbs that add or remove a domain return another
    model and leave this one as it is. To train, evaluate or predict, ask for
    a view: `model.for_domain("dtd")` is an ordinary `keras.Model` over the
    trunk and that domain's slot; `model.joint()` trains several domains in
    one `fit`. Views share the model's variables.

    Args:
        domains: `keras_mdl.Domain` objects, or `{name: classes}`.
        backbone: A function `backbone(x, scope, **backbone_config)`,
            registered with `keras.saving.register_keras_serializable`. It is
            called once per domain with a symbolic image tensor and returns
            the features: a map `(b, h, w, c)`, which is then averaged over
            space, or vectors `(b, c)`. `scope(layer_class, name, **options)`
            gives the slotted layer of that name bound to the current domain
            (see `Scope`). What else the package must know about it stands in
            its record (`keras_mdl.models.backbones.record.Backbone`).
        backbone_config: Keyword arguments of `backbone`.
        input_shape: `(height, width, 3)`; height and width may be `None`.
        input_dtype: `"float32"` or `"uint8"`. Pixels are in `[0, 255]` either
            way; each domain's mean and std are applied inside the model.
        slots: `{domain: SlotSpec}`, what is otherwise in a domain's slot than
            in an ordinary one.
        include_top: `False` leaves out the heads: outputs are the features.
        default_phase: What views train that are not told: a phase. Default:
            `"base"` while there is one domain, `"domain"` from two on. With a
            single domain nobody is disturbed and everything trains; as soon
            as others depend on the trunk, it stays as it is unless a view
            asks for `phase="base"`. A pretrained trunk has `"domain_kept"`.
        name, dtype: As for any Keras model.
        **options: Fields of `SlotSpec`, one value for all domains or
            `{domain: value}`: `dropout=0.5`, `depthwise={"dtd": "do"}`.

    Call arguments:
        inputs: `{domain: images}`, for any of the domains.

    Output: `{domain: logits}` (or features).

    Raises:
        ValueError: For invalid domains, input shape, dtype or slots; for a
            backbone that is not registered, holds variables that belong to
            nobody, or leaves an option of a domain unused.
    """

    def __init__(
        self,
        domains: Sequence | Mapping[str, int],
        backbone: Callable,
        backbone_config: Mapping | None = None,
        input_shape: tuple = (72, 72, 3),
        input_dtype: str = "float32",
        slots: Mapping | None = None,
        include_top: bool = True,
        default_phase: str | None = None,
        name: str | None = None,
        dtype: str | None = None,
        **options,
    ) -> None:
        domains = as_domains(domains)
        if isinstance(backbone, (str, dict)):
            backbone = keras.saving.deserialize_keras_object(backbone)
        require_registered(backbone)
        names = [d.name for d in domains]
        specs = specs_by_domain(names, slots, **options)
        multiple = backbone_of(backbone).size_multiple
        check_input(input_shape, input_dtype, multiple)
        # Pixels stay float32: each network does its own casting.
        super().__init__(autocast=False, name=name, dtype=dtype)
        # A namespace, because Keras tracks (and saves) what dicts and lists
        # hold, and the views and layers here are saved by name instead.
        self._mdl = types.SimpleNamespace(
            domains={d.name: d for d in domains},
            slots=specs,
            backbone=backbone,
            backbone_config=dict(backbone_config or {}),
            input_shape=tuple(input_shape),
            input_dtype=input_dtype,
            include_top=include_top,
            default_phase=default_phase and get_plan(default_phase).phase,
            size_multiple=multiple,
            slotted={},
            asked={},
            macs={},
            views={},
            running=RunningViews(),
            parameters=frozenset(),
        )
        graphs = {name: self._graph(name) for name in names}
        for name, layer in self._mdl.slotted.items():
            layer.built = True
            setattr(self, f"slotted_{name}", layer)
        self.built = True
        # Fresh layers are trainable: what is a parameter and what a
        # statistic can be read off now, before any plan sets a flag.
        self._mdl.parameters = frozenset(
            p for p, v in self.variables_by_path().items() if v.trainable
        )
        default = get_plan(self.default_phase)
        for name, graph in graphs.items():
            self._mdl.views[name, default] = self._view(name, graph, default)

    # === Building ===

    def _graph(self, domain):
        """The functional graph of one domain; see `domain_graph`."""
        with policy_scope(self.dtype_policy):
            return domain_graph(self._mdl, domain, self.dtype_policy)

    def _view(self, domain, graph, phase, name=None, nested=False):
        with policy_scope(self.dtype_policy):
            view = DomainModel(graph.inputs, graph.outputs, name=name or domain)
        attachment = self._attachment([domain])
        require_owned(view, attachment["parts"].values())
        view.attach(
            phase=phase,
            nested=nested,
            endpoints=all_endpoints(view, graph),
            **attachment,
        )
        return view

    def _attachment(self, domains):
        """What every view of `domains` is bound to."""
        parts = self._parts(domains)
        return {
            "owner": self,
            "parts": parts,
            "parameters": {
                p: v
                for p, v in by_path(parts).items()
                if p in self._mdl.parameters
            },
            "domains": domains,
            "input_multiple": self._mdl.size_multiple,
        }

    def _parts(self, domains):
        """`{path prefix: layer}` of the trunk and of `domains`."""
        found, slotted = {}, self._mdl.slotted.items()
        for name, layer in slotted:
            if not set(domains).isdisjoint(layer.domains):
                for role, part in layer.shared.items():
                    found[f"trunk/{name}/{role}"] = part
        for domain in domains:
            for name, layer in slotted:
                if domain in layer.domains:
                    for role, part in layer.slot(domain).items():
                        found[f"domains/{domain}/{name}/{role}"] = part
        return {prefix: part for prefix, part in found.items() if part.weights}

    @property
    def running(self) -> RunningViews:
        """The views in `fit` at the moment; see `RunningViews`."""
        return self._mdl.running

    # === Looking ===

    @property
    def domains(self) -> dict[str, Domain]:
        """`{name: Domain}`, in the order in which they were added."""
        return dict(self._mdl.domains)

    @property
    def slots(self) -> dict[str, SlotSpec]:
        """`{name: SlotSpec}`, what each domain's slot is like."""
        return dict(self._mdl.slots)

    @property
    def default_phase(self) -> str:
        """Name of the phase of views that are not told one."""
        alone = "base" if len(self._mdl.domains) == 1 else "domain"
        return self._mdl.default_phase or alone

    @property
    def keeps_statistics(self) -> bool:
        """Whether domains keep the statistics of the trunk's norms."""
        return get_plan(self.default_phase).keep_statistics

    def suited(self, phase: str) -> str:
        """The phase, or its `_kept` kind where domains keep statistics."""
        return kept(phase) if self.keeps_statistics else phase

    def variables_by_path(
        self, domain: str | None = None
    ) -> dict[str, keras.Variable]:
        """`{path: variable}`: trunk and all domains, or only one domain's own.

        Args:
            domain: If given, only `domains/<domain>/...`.
        """
        self.running.sync()
        if domain is None:
            return by_path(self._parts(self._mdl.domains))
        self._require(domain)
        own = f"domains/{domain}/"
        return {
            p: v
            for p, v in by_path(self._parts([domain])).items()
            if p.startswith(own)
        }

    def fingerprint(self) -> dict[str, str]:
        """SHA-256 of the trunk and of each domain's slot, statistics included.

        Returns:
            `{"trunk": hex digest, "domains/<name>": hex digest, ...}`. Equal
            digests mean bit-identical variables.
        """
        variables = self.variables_by_path()
        owners = ["trunk", *(f"domains/{d}" for d in self._mdl.domains)]
        return {
            o: fingerprint(
                {p: v for p, v in variables.items() if p.startswith(o + "/")}
            )
            for o in owners
        }

    def summary_by_domain(self) -> DomainSummary:
        """What is shared, and what each domain costs: parameters, MACs, bytes.

        Returns:
            A `DomainSummary`; `print` shows it as a table.
        """
        return DomainSummary(summarize(self))

    def __iter__(self):
        return iter(self._mdl.domains)

    def __contains__(self, name):
        return name in self._mdl.domains

    def _require(self, name):
        return require_domain(name, self._mdl.domains)

    # === Views ===

    def for_domain(
        self, name: str, phase: str | FreezePlan | None = None
    ) -> DomainModel:
        """The network of one domain, as an ordinary `keras.Model`.

        Args:
            name: Name of the domain.
            phase: What trains: `"base"` (trunk and slot), `"domain"` (the
                slot), `"head"`, `"head_and_norm"`, `"frozen"`; for gates
                `"gate"`, `"gate_and_slot"`; for adapters `"adapter"`,
                `"adapter_and_norm"`, `"pointwise"`; those that train norms
                also as `"domain_kept"` and so on, where batch norms keep
                their running statistics; or a `FreezePlan`. Default:
                `default_phase`.

        Returns:
            A `DomainModel`. The same arguments give the same object, unless
            that has been moved to another phase meanwhile.

        Raises:
            ValueError: For an unknown domain or phase.
        """
        self._require(name)
        plan = get_plan(phase or self.default_phase)
        key = (name, plan)
        known = self._mdl.views.get(key)
        if known is None or known.plan != plan:
            self._mdl.views[key] = self._view(name, self._graph(name), plan)
        return self._mdl.views[key]

    def __getitem__(self, name):
        return self.for_domain(name)

    def joint(
        self,
        domains: Sequence[str] | None = None,
        phase: str | FreezePlan | None = None,
    ) -> JointModel:
        """Several domains for one `fit`, a batch of each in every step.

        Args:
            domains: Names; default all.
            phase: As for `for_domain`; `"base"` trains the trunk on all.

        Returns:
            A new `JointModel`.

        Raises:
            ValueError: For an unknown or repeated domain, or an unknown phase.
        """
        if isinstance(domains, str):
            domains = [domains]
        names = [self._require(n) for n in (domains or self._mdl.domains)]
        if len(set(names)) < len(names):
            raise ValueError(
                f"A domain can be in a joint view once. Received: {names}"
            )
        plan = get_plan(phase or self.default_phase)
        # In one graph the inputs and the nested networks need unique names.
        suffix = "_network"
        while any(n + suffix in names for n in names):
            suffix += "_"
        parts = {
            n: self._view(n, self._graph(n), plan, n + suffix, nested=True)
            for n in names
        }
        inputs = {
            n: keras.Input(
                self._mdl.input_shape, dtype=self._mdl.input_dtype, name=n
            )
            for n in names
        }
        with policy_scope(self.dtype_policy):
            model = JointModel(
                inputs=inputs,
                outputs={n: view(inputs[n]) for n, view in parts.items()},
                name="joint",
            )
        model.attach(
            phase=plan, children=parts.values(), **self._attachment(names)
        )
        return model.make_loss_weights()

    def call(self, inputs, training=None):
        if not isinstance(inputs, dict):
            raise ValueError(
                "A MultiDomainModel takes `{domain: images}`. For one domain "
                f"use `model[name]`, with a name of {list(self._mdl.domains)}. "
                f"Received: inputs of type {type(inputs).__name__}"
            )
        return {
            name: self.for_domain(name)(x, training=training)
            for name, x in inputs.items()
        }

    def compile(self, *args, **kwargs) -> None:
        """Not here: views train, so that it is said what trains.

        Raises:
            TypeError: Always.
        """
        raise TypeError(
            "A MultiDomainModel is trained through its views: compile "
            "`model[name]` for one domain, or `model.joint()` for several. "
            f"Domains: {', '.join(self._mdl.domains)}"
        )

    def export(self, *args, **kwargs) -> None:
        """Not here: see `keras_mdl_export.export`.

        Raises:
            TypeError: Always.
        """
        raise TypeError(
            "A MultiDomainModel is exported by `keras_mdl_export.export(model, "
            "folder)` (extra `export`), which makes files of all domains that "
            "share the trunk's bytes"
        )

    # === Files ===

    def save_weights(self, filepath: str, overwrite: bool = True) -> None:
        """As `keras.Model.save_weights`, with a note of domains and trunk."""
        weight_files.save(
            super().save_weights, filepath, list(self), {}, overwrite
        )

    def load_weights(self, filepath: str, **kwargs) -> None:
        """As `keras.Model.load_weights`, for files of the same domains.

        Raises:
            ValueError: For a file of other domains. Nothing is changed then.
        """
        load = super().load_weights
        weight_files.load(
            lambda: load(filepath, **kwargs), filepath, list(self), {}, (),
            self.variables,
        )  # fmt: skip

    def save(self, filepath: str, overwrite: bool = True, **kwargs) -> None:
        """As `keras.Model.save`; a `.keras` file is written atomically.

        Raises:
            ValueError: If the file name does not end in `.keras`.
        """
        self.running.sync()
        save_atomically(super().save, filepath, overwrite, kwargs)

    def get_build_config(self) -> None:
        return None  # everything is built by the constructor

    def get_config(self):
        mdl = self._mdl
        return {
            "name": self.name,
            "dtype": keras.dtype_policies.serialize(self.dtype_policy),
            "domains": [d.to_config() for d in mdl.domains.values()],
            "backbone": keras.saving.serialize_keras_object(mdl.backbone),
            "backbone_config": dict(mdl.backbone_config),
            "input_shape": list(mdl.input_shape),
            "input_dtype": mdl.input_dtype,
            "slots": {d: spec.to_config() for d, spec in mdl.slots.items()},
            "include_top": mdl.include_top,
            "default_phase": mdl.default_phase,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(**config)
