"""The file of a router (safetensors): about 13 kB a domain at 112 channels."""

import json

import numpy as np
import safetensors
import safetensors.numpy

from keras_mdl.files import atomic_path
from keras_mdl.routing.normal import Normal

FORMAT = "keras_mdl.router/1"


def write(router, path):
    """See `Router.save`."""
    tensors = {}
    for name, found in router.domains.items():
        rows = np.triu_indices(len(found.mean))
        tensors[f"{name}/mean"] = found.mean
        tensors[f"{name}/factor"] = found.factor[rows]
    header = {
        "format": FORMAT,
        "base": router.base,
        "layer": router.layer,
        "digests": router.digests,
        "rejected": router.rejected,
        "domains": {
            name: {"threshold": d.threshold, "images": d.images}
            for name, d in router.domains.items()
        },
    }
    with atomic_path(path) as temporary:
        safetensors.numpy.save_file(
            tensors, temporary, {"keras_mdl": json.dumps(header)}
        )


def read(path):
    """The fields of the `Router` in a file; see `Router.load`."""
    try:
        with safetensors.safe_open(path, framework="numpy") as f:
            header = json.loads((f.metadata() or {})["keras_mdl"])
            tensors = {key: f.get_tensor(key) for key in f.keys()}
        if header.pop("format") != FORMAT:
            raise ValueError(f"expected the format {FORMAT!r}")
        header["domains"] = {
            name: _normal(tensors, name, **facts)
            for name, facts in header["domains"].items()
        }
        names = ("base", "layer", "digests", "rejected", "domains")
        return {name: header[name] for name in names}
    except FileNotFoundError:
        raise
    except Exception as error:
        raise ValueError(
            f"{path} is not a complete keras_mdl router file: {error}"
        ) from error


def _normal(tensors, name, threshold, images):
    mean, stored = tensors[f"{name}/mean"], tensors[f"{name}/factor"]
    factor = np.zeros((len(mean),) * 2, np.float16)
    factor[np.triu_indices(len(mean))] = stored
    if not np.isfinite(mean).all() or not (np.diag(factor) > 0).all():
        raise ValueError(f"the numbers of {name!r} are damaged")
    return Normal(mean, factor, float(threshold), int(images))
