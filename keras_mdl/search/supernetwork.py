"""`SuperNetwork`: all paths of a space in one network; a path is an input."""

import keras
import numpy as np
from keras import ops

from keras_mdl.layers.depthwise import shifted_depthwise, shifts_are_faster
from keras_mdl.models.backbones.multi_path import EPSILON
from keras_mdl.search.encoding import COLUMNS, place_of, positions

_NEVER = -1e9  # logit of a class that another domain has


class SuperNetwork(keras.Model):
    """All networks of a `SearchSpace`, for several domains, as one model.

    Weights are those of the widest choice; a narrower one masks the trailing
    channels. Kernel sizes have a convolution and a norm of their own each,
    of which `keras.ops.switch` runs the chosen one. Kernels are shared by
    all domains and paths; norms belong to a node and a domain; heads to a
    domain. Norms always use the statistics of the batch. As path and domain
    are inputs, one traced step serves all (`traces` counts them).

    Args:
        space: `SearchSpace`.
        domains: `keras_mdl.Domain` objects.
        weight_decay: `lambda` of `lambda / 2 * |w|^2`, added to the loss for
            the kernels that the path uses.
        existing: `PathBlock`s of a model's trunk, which paths may use: their
            kernels are constants, norms are new.
        kernels: `{path: value}` of that model, `variables_by_path()`.

    Call arguments:
        inputs: `{"images": (b, size, size, 3)` pixels in 0..255, `"domain":`
            `(domains,)` one-hot, `"path": (positions, columns)` of
            `keras_mdl.search.encoding.encode}`.

    Output shape: `(b, most classes)`; classes beyond the domain's never win.

    Reference: one supernetwork and a path per domain: MPNAS. Masks, kernels
    apart, statistics and decay: TuNAS' code. Norms per node and domain, and
    heads per domain, are this package's choice: not published.
    """

    def __init__(
        self, space, domains, weight_decay=4e-5, existing=(), kernels=None,
        **kwargs,
    ):  # fmt: skip
        super().__init__(**kwargs)
        self.space = space
        self.weight_decay = weight_decay
        self.domain_list = list(domains)
        self.traces = 0
        count = len(self.domain_list)
        self.nodes = [
            _Node(
                p,
                [b for b in existing if b.position == p.name],
                count,
                name=f"{p.name}_node",
            )
            for p in positions(space)
        ]
        classes = [d.num_classes for d in self.domain_list]
        most = max(classes)
        features = max(space.feature_widths)
        small = keras.initializers.RandomNormal(stddev=0.01)
        self.head = self.add_weight(
            shape=(count, features, most), initializer=small, name="head"
        )
        self.bias = self.add_weight(
            shape=(count, most), initializer="zeros", name="bias"
        )
        self._never = np.float32(
            [_NEVER * (np.arange(most) >= n) for n in classes]
        )
        means, deviations = (
            np.float32([getattr(d, key) for d in self.domain_list])
            for key in ("mean", "std")
        )
        self._scales = 1 / (255 * deviations)
        self._offsets = -means / deviations
        for node in self.nodes:
            node.build()
            node.take_over(kernels)
        self.built = True

    def call(self, inputs, training=None):
        self.traces += 1
        domain = ops.reshape(inputs["domain"], (1, -1))
        of = lambda values: ops.matmul(domain, values)  # noqa: E731
        x = ops.cast(inputs["images"], "float32")
        x = x * of(self._scales) + of(self._offsets)
        decay = 0.0
        for i, node in enumerate(self.nodes):
            x, more = node(x, domain=domain, row=inputs["path"][i])
            decay = decay + more
        self.add_loss(self.weight_decay / 2 * decay)
        head = ops.tensordot(domain[0], self.head, axes=1)
        return ops.matmul(x, head) + of(self.bias) + of(self._never)

    def feed(self, images, domain, path):
        """The inputs for one batch.

        Args:
            images: `(b, size, size, 3)`.
            domain: Its number.
            path: Of `keras_mdl.search.encoding.encode`.
        """
        return {
            "images": np.asarray(images, np.float32),
            "domain": np.eye(len(self.domain_list), dtype=np.float32)[domain],
            "path": path,
        }


class _Node(keras.layers.Layer):
    """One position: a new block of any kind, or an existing one."""

    def __init__(self, position, existing, domains, **kwargs):
        super().__init__(**kwargs)
        self.position, self.known = position, tuple(existing)
        self.new = _Block(position, domains, name=position.name)
        self.existing = [
            _Block(place_of(b), domains, frozen=True, name=b.name)
            for b in existing
        ]

    def build(self, input_shape=None):
        for block in (self.new, *self.existing):
            block.build()
        self.built = True

    def take_over(self, kernels):
        for block, layer in zip(self.known, self.existing, strict=True):
            for role, variables in layer.kernels().items():
                prefix = f"trunk/{block.name}_{role}/"
                values = {
                    p.rpartition("/")[2]: v
                    for p, v in kernels.items()
                    if p.startswith(prefix)
                }
                for kind, variable in variables.items():
                    # Squeeze and excite are 1x1 convolutions there. A copy:
                    # on JAX a step gives the arrays that it takes away.
                    value = ops.copy(values[kind])
                    variable.assign(ops.reshape(value, variable.shape))

    def call(self, x, domain, row):
        def new():
            return self.new(x, domain=domain, row=row)

        def existing(block, layer):
            def run():
                start = x[..., : block.inputs]
                alone = np.float32(
                    [0, block.expanded, 1, block.squeezed, block.filters, 1, 0]
                )
                y, _ = layer(start, domain=domain, row=alone)
                y = start + y if block.residual else y
                rest = self.position.filters - block.filters
                pads = [(0, 0)] * (len(y.shape) - 1) + [(0, rest)]
                return ops.pad(y, pads), ops.zeros(())

            return run

        if not self.known:
            return new()
        known = zip(self.known, self.existing, strict=True)
        return ops.switch(
            ops.cast(row[COLUMNS.index("existing")], "int32"),
            [new, *(existing(*pair) for pair in known)],
        )


class _Block(keras.layers.Layer):
    """`bottleneck`, `separable`, `convolution` or `features`."""

    def __init__(self, position, domains, frozen=False, **kwargs):
        super().__init__(**kwargs)
        self.position = p = position
        self.frozen = frozen

        def convolution(name, kernels, inputs, filters, strides=1, depthwise=0):
            return _Convolution(
                kernels, inputs, filters, strides, bool(depthwise), domains,
                frozen, name=f"{p.name}_{name}",
            )  # fmt: skip

        if p.kind == "convolution":
            self.conv = convolution(
                "conv", p.kernels, p.inputs, p.filters, p.strides
            )
        if p.kind in ("bottleneck", "separable"):
            wide = p.expanded or p.inputs
            if p.expanded:
                self.expand = convolution("expand", (1,), p.inputs, wide)
            self.spatial = convolution(
                "spatial", p.kernels, wide, wide, p.strides, depthwise=1
            )
            self.project = convolution("project", (1,), wide, p.filters)

    def build(self, input_shape=None):
        p = self.position
        for name in ("conv", "expand", "spatial", "project"):
            if hasattr(self, name):
                getattr(self, name).build()
        if p.kind == "features":
            self.dense = self._dense("dense", p.inputs, p.filters)
        if p.squeezed:
            self.squeeze = self._dense("squeeze", p.expanded, p.squeezed)
            self.excite = self._dense("excite", p.squeezed, p.expanded)
        self.built = True

    def _dense(self, name, inputs, filters):
        return (
            self.add_weight(shape=(inputs, filters), initializer="he_normal",
                            name=f"{name}_kernel", trainable=not self.frozen),
            self.add_weight(shape=(filters,), initializer="zeros",
                            name=f"{name}_bias", trainable=not self.frozen),
        )  # fmt: skip

    def kernels(self):
        """`{role: {"kernel": variable, "bias": variable}}`, of one size."""
        found = {}
        for role in ("conv", "expand", "spatial", "project"):
            if hasattr(self, role):
                kernel, _, _ = getattr(self, role).weights_by_size[0]
                found[role] = {"kernel": kernel}
        for role in ("dense", "squeeze", "excite"):
            if hasattr(self, role):
                kernel, bias = getattr(self, role)
                found[role] = {"kernel": kernel, "bias": bias}
        return found

    def call(self, x, domain, row):
        """`(x through the choices in row, squares of their kernels)`."""
        c = {name: row[i] for i, name in enumerate(COLUMNS)}
        if not self.position.optional:
            y, decay = self._run(x, domain, c)
        else:
            # A layer that is left out costs nothing; one that is averaged
            # with its absence counts half.
            y, decay = ops.cond(
                c["keep"] > 0,
                lambda: self._run(x, domain, c),
                lambda: (x, ops.zeros(())),
            )
            y = x + c["keep"] * y
        return y, c["keep"] * decay

    def _run(self, x, domain, c):
        p = self.position
        act = getattr(keras.activations, p.activation)
        index = ops.cast(c["kernel"], "int32")
        out = _mask(p.filters, c["filters"])
        if p.kind == "features":
            # No norm before: the channels left out are zeros already.
            kernel, bias = self.dense
            y = ops.mean(x, axis=(1, 2))
            y = act(ops.matmul(y, kernel) + bias) * out
            return y, ops.sum(kernel**2 * out)
        if p.kind == "convolution":
            y, decay = self.conv(x, domain=domain, index=index)
            return act(y) * out, decay
        decay, inside = 0.0, out
        y = x
        if p.expanded:
            inside = _mask(p.expanded, c["expanded"])
            y, more = self.expand(y, domain=domain)
            y, decay = act(y) * inside, decay + more
        y, more = self.spatial(y, domain=domain, index=index)
        y, decay = act(y) * inside, decay + more
        if p.squeezed:
            y, more = self._squeezed(y, c)
            decay = decay + more
        y, more = self.project(y, domain=domain)
        return y * out, decay + more

    def _squeezed(self, x, c):
        (w1, b1), (w2, b2) = self.squeeze, self.excite
        some = _mask(self.position.squeezed, c["squeezed"])
        y = ops.mean(x, axis=(1, 2), keepdims=True)
        y = ops.relu(ops.matmul(y, w1) + b1) * some
        y = ops.sigmoid(ops.matmul(y, w2) + b2)
        decay = ops.sum(w1**2 * some) + ops.sum(w2**2 * some[:, None])
        share = c["squeeze"]
        return x * (1 - share + share * y), share * decay


class _Convolution(keras.layers.Layer):
    """A convolution and norm for each kernel size, and their mean."""

    def __init__(self, kernels, inputs, filters, strides, depthwise, domains,
                 frozen, **kwargs):  # fmt: skip
        super().__init__(**kwargs)
        self.frozen = frozen
        self.kernels, self.shape = kernels, (inputs, filters)
        self.strides, self.depthwise, self.domains = strides, depthwise, domains

    def build(self, input_shape=None):
        inputs, filters = self.shape
        self.weights_by_size = []
        for k in self.kernels:
            shape = (k, k, inputs, 1 if self.depthwise else filters)
            he = keras.initializers.VarianceScaling(
                2.0, "fan_out" if self.depthwise else "fan_in"
            )
            norm = (self.domains, filters)
            self.weights_by_size.append(
                (
                    self.add_weight(shape=shape, initializer=he,
                                    name=f"kernel{k}",
                                    trainable=not self.frozen),
                    self.add_weight(shape=norm, initializer="ones",
                                    name=f"gamma{k}"),
                    self.add_weight(shape=norm, initializer="zeros",
                                    name=f"beta{k}"),
                )
            )  # fmt: skip
        self.built = True

    def call(self, x, domain, index=0):
        """`(output, sum of squares of the kernel)` of kernel number `index`;
        the mean of all for the number after the last."""

        def branch(weights):
            kernel, gamma, beta = map(ops.convert_to_tensor, weights)

            def run():
                y = self._convolved(x, kernel)
                y = batch_normalized(
                    y,
                    ops.reshape(ops.matmul(domain, gamma), (-1,)),
                    ops.reshape(ops.matmul(domain, beta), (-1,)),
                )
                return y, ops.sum(kernel**2)

            return run

        branches = [branch(w) for w in self.weights_by_size]
        if len(branches) == 1:
            return branches[0]()

        def mean():
            found = [b() for b in branches]
            return tuple(sum(f[i] for f in found) / len(found) for i in (0, 1))

        return ops.switch(index, [*branches, mean])

    def _convolved(self, x, kernel):
        if not self.depthwise:
            return ops.conv(x, kernel, self.strides, "same", "channels_last")
        if shifts_are_faster():
            strides = (self.strides, self.strides)
            return shifted_depthwise(x, kernel[..., 0], strides)
        return ops.depthwise_conv(
            x, kernel, self.strides, "same", "channels_last"
        )


def _mask(size, count):
    return ops.cast(ops.arange(size, dtype="float32") < count, "float32")


def batch_normalized(x, gamma, beta):
    """Normalised by the batch's own statistics; `(b, h, w, c)`."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        # In one kernel: a third of the time of the composed operation.
        return tf.compat.v1.nn.fused_batch_norm(
            x, gamma, beta, epsilon=EPSILON, is_training=True
        )[0]
    mean, variance = ops.moments(x, axes=(0, 1, 2))
    return (x - mean) * (gamma * ops.rsqrt(variance + EPSILON)) + beta
