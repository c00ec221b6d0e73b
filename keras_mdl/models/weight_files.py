"""Weight files of views and models: checked before they count."""

import h5py
import keras

from keras_mdl.models.fingerprint import fingerprint

_KEY = "keras_mdl"


def save(save_weights, path, domains, trunk, overwrite):
    """Calls Keras' `save_weights` and notes in the file what it is of.

    Args:
        save_weights: Keras' method.
        path: The `.weights.h5` file.
        domains: Names of the domains.
        trunk: `{path: variable}` of the trunk.
        overwrite: As for Keras.
    """
    save_weights(path, overwrite=overwrite)
    with h5py.File(path, "a") as file:
        file.attrs[_KEY] = [fingerprint(trunk), *domains]


def load(load_weights, path, domains, trunk, others, variables):
    """Calls Keras' `load_weights`, or leaves everything as it was.

    Args:
        load_weights: Keras' method, without arguments.
        path: The file.
        domains: Names of the domains that it must hold.
        trunk: `{path: variable}` of the trunk.
        others: Names of the domains that live on the trunk besides.
        variables: All variables that may change.

    Raises:
        ValueError: If the file was not written by `save_weights` of this
            package, is of other domains, or of another trunk while other
            domains live on this one.
    """
    with h5py.File(path, "r") as file:
        noted = [str(v) for v in file.attrs.get(_KEY, ())]
    if not noted:
        raise ValueError(
            f"{path} does not say which domains it is of: it was not written "
            "by `save_weights` of a view or a MultiDomainModel. For a domain "
            "alone there are `save_domain` and `load_domain`"
        )
    found, *names = noted
    if sorted(names) != sorted(domains):
        raise ValueError(
            f"{path} holds the weights of other domains. Expected: "
            f"{', '.join(domains)}; received: {', '.join(names)}"
        )
    if others and found != fingerprint(trunk):
        raise ValueError(
            f"{path} holds another trunk, on which these domains would no "
            f"longer work: {', '.join(others)}. Expected trunk hash: "
            f"{fingerprint(trunk)[:16]}..., received: {found[:16]}..."
        )
    before = [keras.ops.copy(v.value) for v in variables]
    try:
        load_weights()
    except Exception:
        for variable, value in zip(variables, before, strict=True):
            variable.assign(value)
        raise
