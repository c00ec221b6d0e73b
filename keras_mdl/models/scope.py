"""`Scope`: what a backbone function makes the layers of one domain with."""

import json

import keras

from keras_mdl.layers import SharedLayer, SoftmaxDomainGate
from keras_mdl.layers.slotted_convolution import SlottedConvolution
from keras_mdl.layers.transforms import KernelTransform
from keras_mdl.layers.wrappers import without_keys
from keras_mdl.models.macs import layer_macs


class Scope:
    """Makes slotted layers and binds them to one domain.

    ```
    x = scope(SharedConv2D, "stem", filters=32, strides=2)(x)
    ```

    Calling it with a class and a name gives the slotted layer of that name,
    bound to the domain: a function of tensors, which may be called more than
    once. The layer is made on its first use; a domain gets a slot in it when
    its network uses it. Layers without variables (ReLU, pooling, Add) are
    used as in any functional model.

    Attributes:
        domain: The `Domain`.
        spec: Its `SlotSpec`.
    """

    def __init__(self, domain, spec, slotted, asked, policy):
        self.domain = domain
        self.spec = spec
        self.endpoints = {}
        self.makers = {}  # {endpoint: the part that made it}
        self.parts = []
        self._inputs = {}  # {id of a part: the tensor it was called on}
        self._made = {}  # {id of a tensor: the part that made it}
        self.macs = []
        self.transform_macs = []
        self._slotted = slotted  # {name: layer}, of all domains
        self._asked = asked  # {name: what it was asked for}
        self._policy = policy
        self._used = set()  # what of the spec a layer took
        self._read = set()  # its options that the backbone read
        self._unadapted = []  # layers that the adapter cannot change

    def __call__(self, layer_class, name, **options):
        if name in self.endpoints:
            raise ValueError(f"The backbone uses the layer name {name!r} twice")
        self.endpoints[name] = None
        own = {
            option: options.pop(option, getattr(self.spec, option, None))
            for option in layer_class.domain_options
            if option != "transforms"
        }
        self._require_same(name, layer_class, options)
        layer = self._slotted.get(name)
        kinds = self.spec.transforms(name)
        if kinds and "transforms" in layer_class.domain_options:
            # An unbuilt layer says which of the transforms it can take.
            pattern = layer or layer_class(domains=["pattern"], **options)
            own["transforms"] = self._taken(kinds, name, pattern)
        if layer is None:
            layer = layer_class(
                name=name,
                dtype=self._policy,
                domains=[self.domain.name],
                **options,
                **{o: {self.domain.name: v} for o, v in own.items()},
            )
            self._slotted[name] = layer
        elif self.domain.name not in layer.domains:
            layer.add_domain(self.domain.name, **own)
        self._used.update(own)

        def apply(x):
            layer.build_domain(self.domain.name, x.shape)
            self._note_wrapped(name, layer, x)
            self.endpoints.pop(name, None)  # its gate stands before it
            self.makers.pop(name, None)
            self.endpoints[name] = layer.walk(
                self.domain.name, x, lambda *a, **kw: self._step(name, *a, **kw)
            )
            self._note_halves(name, layer)
            return self.endpoints[name]

        return apply

    def option(self, name, default=None):
        """The value of an option of the domain's spec, for the backbone."""
        self._read.add(name)
        return self.spec.options.get(name, default)

    def _note_halves(self, name, layer):
        """In a separable convolution, what the depthwise half gives."""
        if "depthwise" in getattr(layer, "kernel_roles", {}):
            second = layer.parts(self.domain.name).get("pointwise")
            if second is not None:
                between = self._inputs[id(second)]
                whole = self.endpoints.pop(name)
                self.endpoints[f"{name}/depthwise"] = between
                self.makers[f"{name}/depthwise"] = self._made[id(between)]
                self.endpoints[name] = whole

    def _step(self, name, part, *xs, **options):
        y = part(*xs, **options)
        self._inputs[id(part)] = xs[0]
        self._made[id(y)] = part
        self.macs.append(layer_macs(part, xs, y))
        if isinstance(part, KernelTransform):
            self.transform_macs.append(self.macs[-1])
        self.makers[name] = part
        self.parts.append(part)
        if isinstance(part, SoftmaxDomainGate):
            self.endpoints[f"{name}/gate"] = y
            self.makers[f"{name}/gate"] = part
        return y

    def _taken(self, kinds, name, layer):
        """Those of the spec's transforms that the layer's kernels can take."""
        taken = {}
        for kind, options in kinds.items():
            if layer.roles_for(kind):
                taken[kind] = options
                self._used.add((kind, name if kind == "mixed" else None))
            elif kind == self.spec.adapter and layer.has_trunk_kernel:
                self._unadapted.append(name)
        return taken

    def _note_wrapped(self, name, layer, x):
        """A convolution over an image that an adapter cannot see."""
        if self.spec.adapter and isinstance(layer, SharedLayer):
            part = next(iter(layer.shared.values()))
            over_image = tuple(x.shape[1:3]) != (1, 1)
            if isinstance(part, keras.layers.Conv2D) and over_image:
                self._unadapted.append(name)

    def require_all_used(self):
        """Refuses a spec of which something was left unused.

        Raises:
            ValueError: With the option and the reason.
        """
        spec, name = self.spec, self.domain.name
        known = [n for n, x in self._slotted.items() if gateable(x)]
        for layer in spec.gates:
            if ("mixed", layer) not in self._used:
                raise ValueError(
                    "`gates` must name layers with depthwise slots: "
                    f"{', '.join(known) or 'this network has none'}. "
                    f"Received for {name!r}: {layer}"
                )
        if spec.depthwise != "plain" and (
            (spec.depthwise, None) not in self._used
        ):
            raise ValueError(
                f"This network has no depthwise kernel of a domain's own for "
                f"depthwise={spec.depthwise!r} (domain {name!r})"
            )
        if spec.adapter and (
            self._unadapted or (spec.adapter, None) not in self._used
        ):
            raise ValueError(
                f"The adapter {spec.adapter!r} (domain {name!r}) cannot change "
                "every convolution of the trunk, which would count and train "
                "as another method. Convolutions that it cannot change: "
                f"{', '.join(self._unadapted) or 'there is none at all'}"
            )
        unread = spec.options.keys() - self._read
        if unread:
            raise ValueError(
                f"The backbone does not read these options of domain {name!r}: "
                f"{', '.join(sorted(unread))}"
            )
        if spec.dropout and "dropout" not in self._used:
            raise ValueError(
                f"`dropout` stands before the classifier, and this network has "
                f"none. Received: dropout={spec.dropout} for {name!r}"
            )

    def _require_same(self, name, layer_class, options):
        """Refuses a layer that another domain asked for otherwise."""
        asked = keras.saving.serialize_keras_object(
            {"class": layer_class.__name__, **options}
        )
        # Without what Keras makes up for each object.
        made_up = ("name", "build_config", "shared_object_id")
        asked = json.dumps(without_keys(asked, *made_up), sort_keys=True)
        first = self._asked.setdefault(name, asked)
        if asked != first:
            raise ValueError(
                f"The backbone asks for the layer {name!r} otherwise for "
                f"domain {self.domain.name!r} than for the first domain. What "
                "differs by domain needs another name. Expected: "
                f"{first}, received: {asked}"
            )


def gateable(layer):
    """Whether a layer has depthwise kernels that a gate can mix."""
    return isinstance(layer, SlottedConvolution) and layer.roles_for("mixed")
