"""Logits of timm's own networks, which ours must give.

    pip install timm==1.0.31 torch==2.13.0 torchvision==0.28.0
    python benchmarks/timm_reference.py

Weights cannot be part of a test, so they are drawn: `drawn` makes a
checkpoint, BatchNorm statistics included, of names and shapes alone. The names
and shapes that timm has, its logits of the images of `images`, and what it
states of each checkpoint's pixels are stored where `tests/models/test_timm.py`
draws the same numbers and compares.
"""

import json
import pathlib
import zlib

import numpy as np

OUT = pathlib.Path(__file__).parents[1] / "tests/models/timm_logits.npz"
NAMES = (
    "efficientnet_lite0",
    "mobilenetv1_100",
    "mobilenetv2_100",
    "mobilenetv4_conv_small",
)
SIZE = (64, 49)  # even and odd: padding differs


def drawn(shapes):
    """Tensors by name, each from a generator that its name seeds.

    Args:
        shapes: `{name: shape}`, under timm's names.
    """
    return {name: _drawn(name, shape) for name, shape in shapes.items()}


def _drawn(name, shape):
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    if name.endswith("num_batches_tracked"):
        return np.array(1)
    if len(shape) > 1:
        bound = (6 / np.prod(shape[1:])) ** 0.5
    elif name.endswith("running_var"):
        return rng.uniform(0.5, 1.5, shape).astype("float32")
    elif name.endswith("weight"):  # negative factors too
        sign = np.where(rng.random(shape) < 0.1, -1, 1)
        return (sign * rng.uniform(0.5, 1.5, shape)).astype("float32")
    else:
        bound = 0.3
    return rng.uniform(-bound, bound, shape).astype("float32")


def images():
    """A light and a dark image `(2, height, width, 3)` in [0, 255]."""
    rng = np.random.default_rng(0)
    both = [rng.uniform(*span, (*SIZE, 3)) for span in ((99, 255), (0, 150))]
    return np.stack(both).astype("float32")


def main():
    import timm
    import torch

    versions = {m.__name__: m.__version__ for m in (timm, torch, np)}
    shapes_of, default, checkpoints, found = {}, {}, {}, {}
    for name in NAMES:
        network = timm.create_model(name, pretrained=False).eval()
        shapes = {k: list(v.shape) for k, v in network.state_dict().items()}
        network.load_state_dict(
            {k: torch.tensor(v) for k, v in drawn(shapes).items()}
        )
        mean, std = (network.pretrained_cfg[k] for k in ("mean", "std"))
        default[name] = f"{name}.{network.pretrained_cfg['tag']}"
        for known in timm.list_pretrained(f"{name}.*"):
            config = timm.get_pretrained_cfg(known)
            checkpoints[known] = [config.mean, config.std, config.input_size]
        scaled = ((images() / 255 - mean) / std).transpose(0, 3, 1, 2)
        with torch.no_grad():
            logits = network(torch.tensor(scaled, dtype=torch.float32))
        shapes_of[name], found[name] = shapes, logits.numpy()
        print(name, found[name].std(-1), np.ptp(found[name], 0).mean())
    facts = {
        "versions": versions,
        "shapes": shapes_of,
        "default": default,
        "checkpoints": checkpoints,
    }
    np.savez_compressed(OUT, facts=json.dumps(facts), **found)


if __name__ == "__main__":
    main()
