"""`DomainVerbs`: what changes which domains a model has, and how."""

from keras_mdl.models import domain_file, widening


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

        Returns:
            A new `MultiDomainModel`.

        Raises:
            ValueError: If the name is taken or invalid, or `init_from` or
                `depthwise` unknown.
        """
        return widening.widen(
            self, domain, classes, init_from, dropout, depthwise
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
        return widening.narrow(self, set(self._mdl.domains) - {name})

    def only_domain(self, name):
        """The model of one domain alone, bit-identical (for `individual` nets).

        Raises:
            ValueError: If `name` is unknown.
        """
        self._require(name)
        return widening.narrow(self, {name})

    def folded(self, domains=None):
        """The same model with over-parameterised slots folded (DO-Conv).

        The factor of each depthwise kernel is multiplied into it; outputs are
        equal up to float rounding. Trunk and other domains are bit-identical.

        Args:
            domains: Names; default all that have `depthwise="do"`.

        Returns:
            A new `MultiDomainModel`, with ordinary slots for `domains`.

        Raises:
            ValueError: If a domain is unknown.
        """
        depthwise = self._mdl.depthwise
        if domains is None:
            domains = [n for n, kind in depthwise.items() if kind != "plain"]
        return widening.fold_slots(self, [self._require(n) for n in domains])

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
        if self._mdl.depthwise[name] != "plain":
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
