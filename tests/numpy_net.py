"""The released network in plain NumPy: an oracle that shares no code.

Everything is float64. A variable is looked up by its path; convolutions are
loops over output pixels, with one zero of padding on every side.
"""

import numpy as np


def depthwise(x, kernel, stride=1, pads=((1, 1), (1, 1))):
    """`kernel`: (k, k, C, 1). `pads`: zeros before and after, per axis."""
    x = np.pad(np.asarray(x, "float64"), [(0, 0), *pads, (0, 0)])
    k = np.asarray(kernel, "float64")[..., 0]
    kh, kw, c = k.shape
    h = (x.shape[1] - kh) // stride + 1
    w = (x.shape[2] - kw) // stride + 1
    out = np.empty((len(x), h, w, c))
    for i in range(h):
        for j in range(w):
            top, left = i * stride, j * stride
            window = x[:, top : top + kh, left : left + kw]
            out[:, i, j] = np.einsum("bijc,ijc->bc", window, k)
    return out


def pointwise(x, kernel):
    """`kernel`: (1, 1, C, N)."""
    return np.einsum("bhwc,cn->bhwn", x, np.asarray(kernel, "float64")[0, 0])


class NumpyNet:
    """The network of one domain, from `{path: array}`.

    Args:
        weights: What `tiny.values` returns.
        domain: Name of the domain.
        training: Whether BatchNorm uses the batch's statistics.
    """

    def __init__(self, weights, domain, training=False):
        self.weights = weights
        self.domain = domain
        self.training = training

    def own(self, path):
        return self.weights[f"domains/{self.domain}/{path}"]

    def sep_conv(self, x, name, stride=1):
        x = depthwise(x, self.own(f"{name}/depthwise/kernel"), stride)
        shared = f"trunk/{name}/pointwise/kernel"
        if shared in self.weights:
            return pointwise(x, self.weights[shared])
        return pointwise(x, self.own(f"{name}/pointwise/kernel"))

    def norm(self, x, name):
        if self.training:
            mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
        else:
            mean = self.own(f"{name}/norm/moving_mean")
            variance = self.own(f"{name}/norm/moving_variance")
        scale = self.own(f"{name}/norm/gamma") / np.sqrt(variance + 1e-5)
        return (x - mean) * scale + self.own(f"{name}/norm/beta")

    def block(self, x, name, stride=1):
        y = self.norm(
            self.sep_conv(x, f"{name}_conv1", stride), f"{name}_norm1"
        )
        y = np.maximum(y, 0)
        y = self.norm(self.sep_conv(y, f"{name}_conv2"), f"{name}_norm2")
        if stride == 2:
            quarters = [x[:, i::2, j::2] for i in (0, 1) for j in (0, 1)]
            x = sum(quarters) / 4
            # The new channels are zero, and they are the second half.
            x = np.concatenate([x, np.zeros_like(x)], -1)
        return np.maximum(x + y, 0)

    def __call__(self, pixels, mean, std):
        x = (np.asarray(pixels, "float64") / 255 - mean) / std
        x = self.norm(self.sep_conv(x, "stem"), "stem_norm")
        for stage in (1, 2, 3):
            for number in (1, 2, 3, 4):
                stride = 2 if number == 1 else 1
                x = self.block(x, f"stage{stage}_block{number}", stride)
        x = np.maximum(self.norm(x, "end_norm"), 0).mean((1, 2))
        return x @ self.own("head/head/kernel") + self.own("head/head/bias")
