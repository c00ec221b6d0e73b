"""`SlottedConvolution`: padding, kernels, and what a domain does to them."""

import keras

from keras_mdl.domains import require_domain
from keras_mdl.layers.padding import pair, standardized
from keras_mdl.layers.slotted import SlottedLayer, unique_names
from keras_mdl.layers.transforms import TRANSFORMS, Branch, as_kinds

# Role of a kernel: role of what a domain does to it.
TRANSFORM_ROLES = {
    "depthwise": "depthwise_transform",
    "conv": "adapter",
    "pointwise": "adapter",
}


class SlottedConvolution(SlottedLayer):
    """Base of the layers with convolution kernels.

    Zeros are put around the image, then the convolutions in `kernel_roles`
    run in order, each as the domain's transform (if it has one) uses it:

    ```
    y = place(conv, x)        conv: the trunk's, or the domain's own
    ```

    Args:
        domains: Names of the domains.
        kernel_size: Height and width, one integer or two; default 3.
        strides: Rows and columns, one integer or two.
        padding: `"same"` or `"valid"`, as Keras has them (with stride 2
            Keras' `"same"` pads an even image on one side only);
            `"symmetric"`, `(k - 1) // 2` zeros on every side, as PyTorch
            networks have it; a number of zeros for every side, or
            `((top, bottom), (left, right))`. Default `"symmetric"`.
        dilation_rate: Rows and columns, one integer or two.
        transforms: `{domain: kind or kinds}`, of
            `keras_mdl.layers.transforms`; `{kind: options}` where one has
            options.

    Raises:
        ValueError: For sizes, padding, domains or transforms that cannot be.
    """

    # Role: which kernel it is, as `KernelTransform.kernels` names it.
    kernel_roles = {}
    domain_options = ("transforms",)
    depth_multiplier = 1

    def __init__(
        self,
        domains,
        kernel_size=3,
        strides=1,
        padding="symmetric",
        dilation_rate=1,
        transforms=None,
        **kwargs,
    ):
        self.kernel_size = pair("kernel_size", kernel_size)
        self.strides = pair("strides", strides)
        self.dilation_rate = pair("dilation_rate", dilation_rate)
        self.padding = standardized(
            padding, self.kernel_size, self.strides, self.dilation_rate
        )
        self.transforms = {
            d: as_kinds(t) for d, t in (transforms or {}).items()
        }
        for domain in self.transforms:
            require_domain(domain, unique_names(domains))
        super().__init__(domains, **kwargs)

    @property
    def order(self):
        roles = ["gate", "pad"]
        for role in self.kernel_roles:
            roles += [role, TRANSFORM_ROLES[role]]
        return tuple(roles)

    def make_shared(self):
        if isinstance(self.padding, str):
            return {}
        return {
            "pad": keras.layers.ZeroPadding2D(
                self.padding,
                data_format="channels_last",
                **self.part_options("pad"),
            )
        }

    def convolution_options(self, role, domain=None):
        """What the convolution gets that the padding stands before."""
        explicit = not isinstance(self.padding, str)
        return {
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": "valid" if explicit else self.padding,
            "dilation_rate": self.dilation_rate,
            "data_format": "channels_last",
            **self.part_options(role, domain),
        }

    def accepts(self, kind, role):
        """Whether a transform can change the kernel of a role."""
        if kind == "do" and self.kernel_size == (1, 1):
            return False  # nothing to factor
        plain = self.depth_multiplier == 1 and self.dilation_rate == (1, 1)
        if kind == "mixed" and not plain:
            return False  # no convolution with a kernel for each image
        even = not all(k % 2 for k in self.kernel_size)
        if kind == "parallel" and even and max(self.dilation_rate) > 1:
            return False  # no tap in the middle
        return self.kernel_roles[role] in TRANSFORMS[kind][0].kernels

    def roles_for(self, kind):
        """The roles of the kernels that a transform can change."""
        return [r for r in self.kernel_roles if self.accepts(kind, r)]

    @property
    def has_trunk_kernel(self):
        """Whether one of its kernels is no depthwise kernel of a domain."""
        return set(self.kernel_roles.values()) != {"depthwise"}

    @property
    def last_role(self):
        """The role of the convolution at the end."""
        return list(self.kernel_roles)[-1]

    def make_transforms(self, domain, private=()):
        """The transforms of a domain and their companions: `{role: layer}`.

        Args:
            domain: Name of the domain.
            private: Roles of kernels that are the domain's own anyway.
        """
        parts = {}
        for kind, options in self.transforms.get(domain, {}).items():
            transform, defaults = TRANSFORMS[kind]
            roles = self.roles_for(kind)
            if not roles:
                raise ValueError(
                    f"The layer {self.name!r} has no kernel that {kind!r} can "
                    f"change. Its kernels: {dict(self.kernel_roles)}; "
                    f"{kind!r} changes: {', '.join(transform.kernels)}"
                )
            for role in roles:
                if kind == "own" and role in private:
                    continue
                name = TRANSFORM_ROLES[role]
                if name in parts:
                    raise ValueError(
                        f"Two transforms of domain {domain!r} change the same "
                        f"kernel of {self.name!r}, {role}. "
                        f"Received: {list(self.transforms[domain])}"
                    )
                options = {**defaults, **options}
                if issubclass(transform, Branch):
                    options = {**options, **self._geometry()}
                part = transform(
                    domain=domain, **options, **self.part_options(name, domain)
                )
                parts[name] = part
                parts.update(
                    part.companions(lambda r: self.part_options(r, domain))
                )
        return parts

    def _geometry(self):
        return {
            "filters": self.filters,
            "kernel_size": [
                (k - 1) * d + 1
                for k, d in zip(
                    self.kernel_size, self.dilation_rate, strict=True
                )
            ],
            "strides": self.strides,
            "padding": self.padding,
        }

    def walk(self, domain, x, step):
        parts, source = self.parts(domain), x
        if "pad" in parts:
            x = step(parts["pad"], x)
        for role in self.kernel_roles:
            transform = parts.get(TRANSFORM_ROLES[role])
            if transform is None:
                x = step(parts[role], x)
            else:
                x = transform.place(step, parts[role], x, source, parts)
        return x

    def transformed(self, domain):
        """`[(role, convolution, transform), ...]` of a domain."""
        parts = self.parts(domain)
        return [
            (role, parts[role], parts[TRANSFORM_ROLES[role]])
            for role in self.kernel_roles
            if TRANSFORM_ROLES[role] in parts
        ]

    def get_config(self):
        return {
            **super().get_config(),
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
            "dilation_rate": self.dilation_rate,
            "transforms": {d: dict(t) for d, t in self.transforms.items()},
        }


def released_initializer(mode):
    """N(0, 2 / fan): the rule of the released code for every convolution.

    It computes `fan = k * k * Cout` for each convolution, its own output
    channels. For a depthwise kernel `(k, k, C, 1)` that is what Keras calls
    `fan_in`, for a dense one `fan_out`.
    """
    return keras.initializers.VarianceScaling(2.0, mode, "untruncated_normal")


def fresh(initializer):
    """A copy: a Keras initializer object repeats its values, and each part
    draws its own."""
    return initializer.clone()
