"""`Progress`: batches of a long computation that can be taken up again."""

import pathlib
import time

import numpy as np

from keras_mdl.files import atomic_path

_EVERY = 60  # seconds between two states on disk, and two lines


class Progress:
    """Hands out batches of indices, and keeps the arrays made of them.

    Args:
        folder: Where the state is; `None` for none.
        key: Text that a state must have been written with.
        count: Number of indices.
        batch_size: Of them at a time.
        say: Function that gets lines about the progress.
    """

    def __init__(self, folder, key, count, batch_size, say):
        self._path = folder and pathlib.Path(folder, ".dissection.npz")
        self._key, self._count, self._step = key, count, batch_size
        self._say, self._arrays, self._next = say, {}, {}
        if self._path and self._path.exists():
            with np.load(self._path, allow_pickle=False) as stored:
                if str(stored["key"]) == key:
                    for name in stored.files:
                        if name.startswith("next/"):
                            self._next[name[5:]] = int(stored[name])
                        elif name != "key":
                            self._arrays[name] = stored[name]

    def array(self, name, start=None):
        """The array of that name; where there is none, `start` becomes it."""
        if start is not None:
            self._arrays.setdefault(name, start)
        return self._arrays.get(name)

    def keep(self, name, array):
        """Another array takes the place of one."""
        self._arrays[name] = array

    def batches(self, stage):
        """The batches of a stage that have not been done."""
        start = self._next.get(stage, 0)
        if 0 < start < self._count:
            self._say(f"{stage}: going on at image {start:,}")
        last = time.monotonic()
        for low in range(start, self._count, self._step):
            yield list(range(low, min(low + self._step, self._count)))
            self._next[stage] = low + self._step
            if time.monotonic() - last > _EVERY:
                last = time.monotonic()
                self._store()
                self._say(f"{stage}: {self._next[stage]:,} of {self._count:,}")
        self._store()

    def _store(self):
        if self._path:
            state = {f"next/{k}": np.int64(v) for k, v in self._next.items()}
            with atomic_path(self._path) as temporary:
                np.savez(temporary, key=self._key, **state, **self._arrays)
