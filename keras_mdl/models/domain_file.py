"""One domain's slot in a file of its own (safetensors), bound to its trunk."""

import hashlib
import json

import keras
import numpy as np
import safetensors
import safetensors.numpy

from keras_mdl.domains import Domain
from keras_mdl.files import atomic_path
from keras_mdl.layers.transforms import KernelTransform
from keras_mdl.models import editing
from keras_mdl.models.fingerprint import fingerprint
from keras_mdl.models.paths import by_path
from keras_mdl.models.slots import SlotSpec

FORMAT = "keras_mdl.domain/2"
_HEADER = {"trunk", "domain", "spec", "backbone", "slot"}


def save(model, name, path):
    """Writes the slot of `name` with its classes, statistics and trunk hash."""
    tensors, stored = {}, {}
    for p, (transform, variable) in _slot(model, name).items():
        packed = _pack(transform, p, _storable(variable))
        tensors.update({p + suffix: v for suffix, v in packed.items()})
        stored[p] = _unpack(transform, p, packed, variable.shape)
    header = {
        "format": FORMAT,
        "keras": keras.__version__,
        "trunk": trunk_hash(model, name),
        "domain": model.domains[name].to_config(),
        "spec": model.slots[name].to_config(),
        "backbone": _backbone(model),
        "slot": fingerprint(stored),
    }
    metadata = {"keras_mdl": json.dumps(header)}
    with atomic_path(path) as temporary:
        safetensors.numpy.save_file(tensors, temporary, metadata)


def load(model, path):
    """`model` widened by the domain in `path`; see `MultiDomainModel`."""
    header, tensors = _read(path)
    domain = header["domain"]
    if domain.name in model:
        raise ValueError(
            f"The model already has a domain {domain.name!r}. Remove it first "
            "(`without_domain`) to put the saved one in its place"
        )
    same = header["backbone"] == _backbone(model)
    wider = same and editing.with_slot(model, domain, header["spec"])
    if not same or trunk_hash(wider, domain.name, model) != header["trunk"]:
        raise ValueError(
            f"The domain in {path} was saved for another trunk: it works only "
            "on the very weights it was trained on. Expected trunk hash: "
            f"{model.fingerprint()['trunk'][:16]}..., received: "
            f"{str(header['trunk'])[:16]}..."
        )
    editing.assign(
        wider, model.variables_by_path(), [f"domains/{domain.name}/*"]
    )
    slot, values = _slot(wider, domain.name), {}
    for p, (transform, variable) in slot.items():
        packed = {
            key.removeprefix(p): tensors.pop(key)
            for key in list(tensors)
            if key == p or key.startswith(p + ".")
        }
        if packed:
            try:
                values[p] = _unpack(transform, p, packed, variable.shape)
            except ValueError as error:
                raise ValueError(
                    f"{path} is not a complete keras_mdl domain file: {error}"
                ) from error
            tensors.update({p + k: v for k, v in packed.items()})
    variables = {p: v for p, (_, v) in slot.items()}
    tensors = {**tensors, **values}
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
    if fingerprint(values) != header["slot"]:
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
        if header["format"] != FORMAT:
            raise ValueError(
                f"Expected format {FORMAT!r}, received {header['format']!r}"
            )
        missing = _HEADER - set(header)
        if missing:
            raise ValueError(f"the header lacks {sorted(missing)}")
        header["domain"] = Domain.from_config(header["domain"])
        header["spec"] = SlotSpec(**header["spec"])
    except FileNotFoundError:
        raise
    except Exception as error:
        raise ValueError(
            f"{path} is not a complete keras_mdl domain file: {error}"
        ) from error
    return header, tensors


def trunk_hash(model, name, values=None):
    """SHA-256 of the part of the trunk that a domain runs through.

    Args:
        values: Another model of which the values are taken.
    """
    paths = [p for p in by_path(model._parts([name])) if _in_trunk(p)]
    found = (values or model).variables_by_path()
    if not all(p in found for p in paths):
        return None
    return fingerprint({p: found[p] for p in paths})


def _in_trunk(path):
    return path.startswith("trunk/")


def _slot(model, name):
    """`{path in the slot: (its layer if it is a transform, variable)}`."""
    own = f"domains/{name}/"
    return {
        path.removeprefix(own): (
            part if isinstance(part, KernelTransform) else None,
            variable,
        )
        for prefix, part in model._parts([name]).items()
        if prefix.startswith(own)
        for path, variable in by_path({prefix: part}).items()
    }


def _pack(transform, path, value):
    if transform is None:
        return {"": value}
    return transform.pack(path.rpartition("/")[2], value)


def _unpack(transform, path, packed, shape):
    if transform is None:
        return packed.pop("")
    return transform.unpack(path.rpartition("/")[2], packed, tuple(shape))


def _storable(variable):
    value = keras.ops.convert_to_numpy(variable)
    # bfloat16 is no NumPy dtype; float32 holds its values exactly.
    return (
        value.astype(np.float32)
        if value.dtype.kind == "V" or (value.dtype.name == "bfloat16")
        else np.ascontiguousarray(value)
    )


def _backbone(model):
    """SHA-256 of what the network is made from."""
    config = model.get_config()
    made_from = [config["backbone"], config["backbone_config"]]
    return hashlib.sha256(
        json.dumps(made_from, sort_keys=True).encode()
    ).hexdigest()
