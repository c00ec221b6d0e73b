"""`DomainVerbs`: what changes which domains a model has, and how."""

from keras_mdl.models import domain_file, editing, gating


class DomainVerbs:
    """The verbs of `MultiDomainModel` that return another model.

    Every one leaves the model it is called on as it is, and every domain that
    it does not name bit-identical in the new one.
    """

    def with_domain(
        self,
        domain,
        classes=None,
        init_from=None,
        dropout=0.0,
        depthwise=None,
        adapter=None,
        options=None,
    ):
        """A wider model: the same trunk and domains, and one more.

        Every existing domain is bit-identical in the new model.

        Args:
            domain: A `Domain`, or a name (then `classes` is needed).
            classes: Class names, or their number.
            init_from: Name of the domain whose slot the new one starts from,
                BatchNorm statistics included (the paper: ImageNet's). The
                head starts fresh. Default: the model's first domain.
            dropout: Rate before the new domain's classifier.
            depthwise: `"plain"`, or `"do"` for depthwise kernels that are
                over-parameterised while they train (see `folded`). Default:
                the kind of the slot it starts from. Any slot can start any
                other: the new one computes the same at first.
            adapter: How the domain changes the trunk's kernels for itself, a
                kind of `keras_mdl.layers.transforms.ADAPTERS`, for example
                `"serial"`, `"piggyback"`. Default: not at all.
            options: `{name: plain value}` for the backbone function, where
                it reads any.

        Returns:
            A new `MultiDomainModel`.

        Raises:
            ValueError: If the name is taken or invalid, `init_from`,
                `depthwise` or `adapter` unknown, `init_from` has gates or
                adapters, or the network has nothing that an option acts on.
        """
        return editing.widen(
            self,
            domain,
            classes,
            init_from or next(iter(self._mdl.domains)),
            {
                "dropout": dropout,
                "depthwise": depthwise,
                "adapter": adapter,
                "options": options or {},
            },
        )

    def without_domain(self, name):
        """The narrower model: without `name`, the rest bit-identical.

        Raises:
            ValueError: If `name` is unknown or the last domain.
        """
        self._require(name)
        if len(self._mdl.domains) == 1:
            raise ValueError(
                f"{name!r} is the only domain: a model needs at least one"
            )
        return editing.narrow(self, set(self._mdl.domains) - {name})

    def only_domain(self, name):
        """The model of one domain alone, bit-identical (for `individual` nets).

        Raises:
            ValueError: If `name` is unknown.
        """
        self._require(name)
        return editing.narrow(self, {name})

    def folded(self, domains=None):
        """The same model with slots folded into ordinary kernels.

        The factor of an over-parameterised kernel (DO-Conv) and a mask over
        depthwise kernels are multiplied in: an ordinary slot. What an adapter
        makes of the trunk's kernels becomes kernels of the domain's own (and
        a bias): no further cost in time, but nothing shared there any more.
        Outputs are equal up to float rounding; trunk and other domains are
        bit-identical.

        Args:
            domains: Names; default all that are not ordinary.

        Returns:
            A new `MultiDomainModel`.

        Raises:
            ValueError: If a domain is unknown, or has adapters that no
                ordinary kernel stands for (parallel ones beside separable
                convolutions).
        """
        if isinstance(domains, str):
            domains = [domains]
        if domains is None:
            domains = [n for n, s in self._mdl.slots.items() if not s.ordinary]
        return editing.fold_slots(self, [self._require(n) for n in domains])

    def with_gate(self, domain, layers="all", sources=None, own_weight=None):
        """The same model with one domain's depthwise kernels softly shared.

        In each chosen layer a `SoftmaxDomainGate` looks at the image and mixes
        the domain's depthwise kernel with copies of the others', as they are
        now. Train it in phase `"gate"` (the gates alone, as the paper says)
        or `"gate_and_slot"` (also BatchNorm, last pointwise and head, as the
        released code does). Trunk and other domains are bit-identical; what
        becomes of them later does not change the gated domain.

        Args:
            domain: Name of the target domain.
            layers: `"all"`; `"early"`, `"middle"` or `"late"` (for ResNet-26:
                stem and macro block 1, 2 or 3); or a list of layer names and
                patterns such as `"stage3_*"`.
            sources: Names of the domains to mix in; default all others.
            own_weight: Weight of the domain's own kernel at the start, above
                0 and below 1: near 1 the gated domain starts next to its hard
                slot. Default: the released code's random start, near `1/T`.

        Returns:
            A new `MultiDomainModel`.

        Raises:
            ValueError: For an unknown domain, source or layer, a domain that
                has gates already, or no source at all.
        """
        return gating.add_gate(self, domain, layers, sources, own_weight)

    def without_gate(self, domain):
        """The same model with the gates of `domain` taken out.

        Its own depthwise kernels stand alone again; what was trained beside
        the gates (BatchNorm, head) stays.

        Raises:
            ValueError: If the domain is unknown or has no gate.
        """
        return gating.remove_gate(self, domain)

    def collapsed(self, domain, images, max_variation=0.1, batch_size=64):
        """The same model with the gates of `domain` folded into its kernels.

        Every gate is replaced by its mean weights over `images`, and the
        mixture by ONE ordinary kernel: an ordinary slot, at no cost. Exact
        if the gates do not depend on the image, see
        `GateStatistics.variation`.

        Args:
            domain: Name of a gated domain.
            images: Images of the domain, as its view's `predict` takes them.
            max_variation: Largest variation of a mixed kernel, as a fraction
                of its size, that is taken for "does not depend".
            batch_size: For arrays.

        Returns:
            A new `MultiDomainModel`; trunk and other domains bit-identical.

        Raises:
            ValueError: If the domain has no gate, or a gate varies more.
        """
        return gating.collapse(self, domain, images, max_variation, batch_size)

    def save_domain(self, name, path):
        """Saves one domain's slot alone, bound to the trunk by its hash.

        The file holds an ordinary slot: over-parameterised kernels are folded.

        Args:
            name: Name of the domain.
            path: File to write (safetensors format), atomically.

        Raises:
            ValueError: If the domain is unknown.
        """
        self._require(name)
        model = self
        if self._mdl.slots[name].depthwise != "plain":
            model = self.folded([name])
        domain_file.save(model, name, path)

    def load_domain(self, path):
        """A wider model with the domain saved in `path`.

        Returns:
            A new `MultiDomainModel`.

        Raises:
            ValueError: If the file is not a complete domain file, was saved
                for another trunk or backbone, or the name is taken.
        """
        return domain_file.load(self, path)
