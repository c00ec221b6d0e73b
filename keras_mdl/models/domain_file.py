"""One domain's slot in a file of its own (safetensors), bound to its trunk."""

import json

import keras
import numpy as np
import safetensors
import safetensors.numpy

from keras_mdl.domains import Domain
from keras_mdl.files import atomic_path
from keras_mdl.models import masks, widening
from keras_mdl.models.fingerprint import fingerprint

FORMAT = "keras_mdl.domain/1"
_HEADER = {"trunk", "domain", "dropout", "backbone", "slot"}


def save(model, name, path):
    """Writes the slot of `name` with its classes, statistics and trunk hash."""
    config = model.get_config()
    adapter = config["adapters"].get(name)
    values = {
        p: masks.hardened(p, v, adapter == "piggyback_ternary")
        for p, v in model.variables_by_path(name).items()
    }
    tensors, shapes = masks.packed(
        {_inner(p): _storable(v) for p, v in values.items()}
    )
    header = {
        "format": FORMAT,
        "keras": keras.__version__,
        "trunk": model.fingerprint()["trunk"],
        "domain": model.domains[name].to_config(),
        "dropout": config["dropout"].get(name, 0.0),
        "gates": config["gates"].get(name, {}),
        "adapter": adapter,
        "masks": shapes,
        "backbone": _backbone(model),
        "slot": fingerprint(values),
    }
    metadata = {"keras_mdl": json.dumps(header)}
    with atomic_path(path) as temporary:
        safetensors.numpy.save_file(tensors, temporary, metadata)


def load(model, path):
    """`model` widened by the domain in `path`; see `MultiDomainModel`."""
    header, tensors = _read(path)
    trunk = model.fingerprint()["trunk"]
    if header["trunk"] != trunk or header["backbone"] != _backbone(model):
        raise ValueError(
            f"The domain in {path} was saved for another trunk: it works only "
            "on the very weights it was trained on. Expected trunk hash: "
            f"{trunk[:16]}..., received: {str(header['trunk'])[:16]}..."
        )
    domain = header["domain"]
    if domain.name in model:
        raise ValueError(
            f"The model already has a domain {domain.name!r}. Remove it first "
            "(`without_domain`) to put the saved one in its place"
        )
    wider = widening.widen(
        model,
        domain,
        dropout=header["dropout"],
        depthwise="plain",
        gates=header.get("gates"),
        adapter=header.get("adapter"),
    )
    variables = {
        _inner(p): v for p, v in wider.variables_by_path(domain.name).items()
    }
    problems = [
        f"- {p} (missing)" for p in sorted(set(variables) - set(tensors))
    ]
    problems += [
        f"+ {p} (unexpected)" for p in sorted(set(tensors) - set(variables))
    ]
    problems += [
        f"! {p}: expected shape {tuple(v.shape)}, received {tensors[p].shape}"
        for p, v in variables.items()
        if p in tensors and tuple(v.shape) != tensors[p].shape
    ]
    if problems:
        raise ValueError(
            f"The domain in {path} does not fit this network:\n"
            + "\n".join(problems)
        )
    for p, variable in variables.items():
        variable.assign(tensors[p])
    if wider.fingerprint()[f"domains/{domain.name}"] != header["slot"]:
        raise ValueError(
            f"The numbers in {path} are damaged: they are not the ones that "
            "were saved"
        )
    return wider


def _read(path):
    try:
        with safetensors.safe_open(path, framework="numpy") as f:
            header = json.loads((f.metadata() or {})["keras_mdl"])
            tensors = {key: f.get_tensor(key) for key in f.keys()}
        tensors = masks.unpacked(tensors, header.get("masks", {}))
        if header["format"] != FORMAT:
            raise ValueError(
                f"Expected format {FORMAT!r}, received {header['format']!r}"
            )
        missing = _HEADER - set(header)
        if missing:
            raise ValueError(f"the header lacks {sorted(missing)}")
        header["domain"] = Domain.from_config(header["domain"])
        header["dropout"] = float(header["dropout"])
    except FileNotFoundError:
        raise
    except Exception as error:
        raise ValueError(
            f"{path} is not a complete keras_mdl domain file: {error}"
        ) from error
    return header, tensors


def _inner(path):
    return path.split("/", 2)[2]


def _storable(variable):
    value = keras.ops.convert_to_numpy(variable)
    # bfloat16 is no NumPy dtype; float32 holds its values exactly.
    return (
        value.astype(np.float32)
        if value.dtype.kind == "V" or (value.dtype.name == "bfloat16")
        else np.ascontiguousarray(value)
    )


def _backbone(model):
    config = model.get_config()
    return json.loads(
        json.dumps([config["backbone"], config["backbone_config"]])
    )
