"""A run that is killed and started again ends where it would have ended."""

import os
import pathlib
import signal
import subprocess
import sys

import keras
import numpy as np
import pytest
from tiny import tiny_model

from keras_mdl.data import from_arrays
from keras_mdl.runs import fitting
from keras_mdl.training import (
    OtherTrainingError,
    TrainingState,
    get_recipe,
)

SCRIPT = pathlib.Path(__file__).with_name("resumable.py")


def start(*arguments):
    root = str(SCRIPT.parents[2])
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": root},
    )


def test_killed_twice_in_stage_2_the_weights_are_bit_identical(tmp_path):
    whole = start(tmp_path / "other", tmp_path / "whole.npz")
    backup, result = tmp_path / "backup", tmp_path / "result.npz"
    # In the first epoch of stage 2 (the backup is one of stage 1) ...
    assert start(backup, result, 2).wait() == -signal.SIGKILL
    assert (backup / "training_metadata.json").exists()
    # ... and in a later one.
    assert start(backup, result, 4).wait() == -signal.SIGKILL
    assert not result.exists()
    assert start(backup, result).wait() == 0
    assert whole.wait() == 0
    expected = dict(np.load(tmp_path / "whole.npz"))
    found = dict(np.load(result))
    assert expected.pop("epochs").tolist() == [0, 1, 2, 3, 4, 5]
    assert found.pop("epochs").tolist() == [4, 5]
    assert found.keys() == expected.keys()
    differ = [p for p in found if found[p].tobytes() != expected[p].tobytes()]
    assert differ == []
    assert sum("momentum" in p or "velocity" in p for p in found) >= 9


class StopsAt(keras.callbacks.Callback):
    """Ends everything after so many steps, as a power cut would."""

    def __init__(self, steps):
        super().__init__()
        self.left = steps

    def on_train_batch_end(self, step, logs=None):
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


# Two epochs of the head, then up to six of the slot, of 4 steps each.
RECIPE = get_recipe("photo-domain").replace(
    epochs=8, head_part=0.25, least_steps=0, batch_size=4, patience=2, ema=0.8
)


def fitted(state=None, steps=-1, **changes):
    keras.utils.set_random_seed(3)
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (28, 8, 8, 3), "uint8")
    labels = np.arange(28) % 3
    data = from_arrays(
        "a", {"train": (pixels[:16], labels[:16]),
              "validation": (pixels[16:], labels[16:])},
    )  # fmt: skip
    model = tiny_model(dropout=0.5)
    view = model.for_domain("a")
    found = fitting.fit(
        view, RECIPE.replace(**changes), data, 8, callbacks=[StopsAt(steps)],
        verbose=0, state=state,
    )  # fmt: skip
    optimizer = [
        np.array(keras.ops.convert_to_numpy(v))
        for v in view.optimizer.variables
    ]
    return found, model.fingerprint(), optimizer


def test_a_recipe_goes_on_wherever_it_was_interrupted(tmp_path):
    path = tmp_path / "state.npz"
    whole, prints, optimizer = fitted()
    assert len(whole.history) < 8  # it stopped early
    # In the head's last epoch; the slot's first; the last of all.
    for steps in (7, 9, 4 * len(whole.history) - 1):
        with pytest.raises(KeyboardInterrupt):
            fitted(TrainingState(path), steps)
        state = TrainingState(path, resume=True)
        found, found_prints, found_optimizer = fitted(state)
        assert found.history == whole.history
        assert found_prints == prints
        for a, b in zip(found_optimizer, optimizer, strict=True):
            assert a.tobytes() == b.tobytes()
        if steps < 10:
            state.remove()
    # Interrupted between the last epoch and its end: nothing trains.
    again = fitted(TrainingState(path, resume=True), 1)
    assert again[:2] == (found, found_prints)
    with pytest.raises(FileExistsError, match="go on"):
        TrainingState(path)
    with pytest.raises(
        OtherTrainingError, match=r"differs in learning_rate \(0.002 then"
    ):
        fitted(TrainingState(path, resume=True), learning_rate=0.1)
    state.remove()
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_no_state_is_refused(tmp_path):
    path = tmp_path / "state.npz"
    path.write_bytes(b"PK")
    with pytest.raises(OtherTrainingError, match="damaged"):
        fitted(TrainingState(path, resume=True))
