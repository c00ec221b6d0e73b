"""Images at the size of a search: decoded once a run, not once a job."""

import hashlib
import json
import pathlib
import zipfile

import numpy as np

from keras_mdl.data import from_arrays
from keras_mdl.domains import Domain
from keras_mdl.files import atomic_path
from keras_mdl.runs.data_entry import require_splits

_MOST = 2 << 30  # bytes of a domain's images at their size


def kept(entry, digest, where, size, folder):
    """A domain's images, from the run's folder if a job has left them there.

    Batches made of them are those of the original images, bit for bit. What
    would be more than 2 GiB is read anew each time.

    Args:
        entry: `DataEntry`.
        digest: Of the images.
        where: What relative paths of the entry are relative to.
        size: Side of the images that the network takes.
        folder: The run's.

    Returns:
        `DomainData` with labelled training and validation images.
    """
    text = json.dumps([entry.to_dict(), digest, size], sort_keys=True)
    name = f"{entry.name}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.npz"
    path = pathlib.Path(folder, "images", name)
    if (found := _read(path)) is not None:
        return found
    data = entry.load(where, size)
    require_splits(data)
    if 3 * size**2 * sum(map(data.size, data.splits)) > _MOST:
        return data
    data = data.resized(size)
    if all(source.uniform for source, _ in data.parts.values()):
        _write(path, data)
    return data


def _write(path, data):
    meta = {"domain": data.domain.to_config(), "flip": data.flip}
    arrays = {"meta": np.frombuffer(json.dumps(meta).encode(), np.uint8)}
    for split in data.splits:
        if data.labels(split) is not None:
            arrays[f"{split}/images"] = np.stack(list(data.images(split)))
            arrays[f"{split}/labels"] = data.labels(split)
    path.parent.mkdir(exist_ok=True)
    with atomic_path(path) as temporary, open(temporary, "wb") as f:
        np.savez(f, **arrays)


def _read(path):
    try:
        with open(path, "rb") as f:
            arrays = dict(np.load(f, allow_pickle=False))
        meta = json.loads(arrays.pop("meta").tobytes())
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None  # none, or broken: it is made anew
    splits = {key.rpartition("/")[0]: None for key in arrays}
    return from_arrays(
        Domain(**meta["domain"]),
        {s: (arrays[f"{s}/images"], arrays[f"{s}/labels"]) for s in splits},
        flip=meta["flip"],
    )
