"""Checkpoints of timm as trunks, from a file or the hub."""

import importlib.util
import pathlib
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import safetensors.numpy

from keras_mdl.models.multi_domain import MultiDomainModel
from keras_mdl.models.pretrained.timm_networks import timm_network
from keras_mdl.models.pretrained.trunk import as_trunk
from keras_mdl.models.pretrained.weights import assign_torch


class _Checkpoint(NamedTuple):
    scaling: str  # as `from_keras`, from timm's mean and std
    size: int = 224


# The first of each network is the one that its name alone means, as in timm.
CHECKPOINTS = MappingProxyType(
    {
        "efficientnet_lite0.ra_in1k": _Checkpoint("imagenet"),
        "mobilenetv1_100.ra4_e3600_r224_in1k": _Checkpoint("-1..1"),
        "mobilenetv2_100.ra_in1k": _Checkpoint("imagenet"),
        "mobilenetv4_conv_small.e2400_r224_in1k": _Checkpoint("imagenet"),
        "mobilenetv4_conv_small.e1200_r224_in1k": _Checkpoint("imagenet"),
        "mobilenetv4_conv_small.e3600_r256_in1k": _Checkpoint("-1..1", 256),
    }
)
_FILE = "model.safetensors"


def build_timm(
    name: str,
    domains: Sequence | Mapping[str, int] | None | None = None,
    input_shape: tuple | None = None,
    weights: str | None = "hub",
    **options,
) -> MultiDomainModel:
    """A mobile network with weights of timm as a trunk.

    MobileNetV1, V2 and V4 (small) and EfficientNet-Lite0, with the names,
    padding and norms of timm's definitions. With weights the norms'
    statistics stay as they are while domains train: the model's default phase
    is `"domain_kept"`.

    Args:
        name: A checkpoint of timm, `"mobilenetv4_conv_small.e2400_r224_in1k"`,
            or the network alone, `"mobilenetv4_conv_small"`: timm's default
            checkpoint of it. Checkpoints of one network may expect pixels
            scaled otherwise, so name the one that a file holds.
        domains: As `build_efficientnet_lite0`.
        input_shape: `(height, width, 3)`, from 32 pixels on; `None` for sizes
            that vary. Default: the size that the checkpoint was trained with.
        weights: `"hub"` (which `huggingface_hub` downloads from
            `timm/<checkpoint>`, once), a path to such a `.safetensors` file,
            or `None` for random ones.
        **options: As `from_keras`.

    Returns:
        A `MultiDomainModel`. Pixels are in `[0, 255]`; the mean and deviation
        that timm's configuration states are in the network.

    Raises:
        ImportError: For `"hub"` without the package `huggingface_hub`.
        OSError: If the file is not there (`FileNotFoundError`) or cannot be
            downloaded.
        ValueError: For a name that is not known, images below 32 pixels, or a
            file that is damaged or of another network.

    Example:

    >>> model = build_timm("mobilenetv1_100", {"signs": 43}, weights=None)
    >>> model["signs"].output_shape
    (None, 43)

    Reference: Wightman, PyTorch Image Models (timm); Howard et al. 2017
    (MobileNet); Sandler et al., CVPR 2018 (V2); Qin et al., ECCV 2024 (V4);
    Tan and Le, ICML 2019.
    """
    name = _checkpoint(name)
    scaling, size = CHECKPOINTS[name]
    shape = (size, size, 3) if input_shape is None else tuple(input_shape)
    if (
        len(shape) != 3
        or shape[2] != 3
        or any(n is not None and n < 32 for n in shape[:2])
    ):
        raise ValueError(
            "`input_shape` must be (height, width, 3) with at least 32 pixels "
            f"on each side. Received: {shape}"
        )
    network = timm_network(name.partition(".")[0], shape, classes=1000)
    if weights is not None:
        tensors = _read(_download(name) if weights == "hub" else weights)
        names = {x.name: x.name for x in network.layers if x.weights}
        assign_torch(network, tensors, names)
        options = {"default_phase": "domain_kept", **options}
    return as_trunk(network, domains, "classifier", scaling, **options)


def _checkpoint(name):
    for known in CHECKPOINTS:
        if name in (known, known.partition(".")[0]):
            return known
    raise ValueError(
        f"Unknown network or checkpoint of timm: {name!r}. Known ones: "
        f"{', '.join(CHECKPOINTS)}, or the part before the dot"
    )


def _download(name):
    if importlib.util.find_spec("huggingface_hub") is None:
        raise ImportError(
            "Weights from the hub need a package that is not installed: pip "
            f"install huggingface_hub. Or download {_FILE} of timm/{name} "
            "and give its path as `weights`. For random weights: weights=None"
        )
    from huggingface_hub import hf_hub_download

    try:
        return hf_hub_download(f"timm/{name}", _FILE)
    except Exception as error:  # of the hub, the network or the disk
        raise OSError(
            f"Cannot download {_FILE} of timm/{name} "
            f"({type(error).__name__}: {error}). Give the path of a copy as "
            "`weights`"
        ) from error


def _read(path):
    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no file {path}. `weights` is 'hub', a path to a "
            ".safetensors file, or None"
        )
    try:
        tensors = safetensors.numpy.load_file(path)
    except Exception as error:  # what a damaged file leads to
        raise ValueError(
            f"Cannot read {path} as a .safetensors file: it is damaged or of "
            f"another format ({type(error).__name__}: {error})"
        ) from error
    return {k: v.astype(np.float32) for k, v in tensors.items()}
