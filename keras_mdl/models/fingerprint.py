"""Hashes of variables, to prove that nothing changed."""

import hashlib

import keras
import numpy as np


def fingerprint(variables):
    """SHA-256 over paths, dtypes, shapes and bytes, in the order of the paths.

    Args:
        variables: `{path: variable}`.

    Returns:
        The hex digest. Equal digests mean bit-identical values.
    """
    digest = hashlib.sha256()
    for path in sorted(variables):
        value = np.ascontiguousarray(
            keras.ops.convert_to_numpy(variables[path])
        )
        head = f"{path}\0{value.dtype}\0{value.shape}\0"
        digest.update(head.encode())
        digest.update(value.tobytes())
    return digest.hexdigest()
