"""One training run in a process of its own: `test_resume`, `test_devices`.

Usage: `python resumable.py BACKUP_DIR RESULT.npz [EPOCH_TO_DIE_IN [DEVICES]]`.
With a number of devices it computes in float64, on so many virtual ones.
"""

import os
import pathlib
import signal
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))

import keras
import numpy as np
from tiny import LOSS, batch, fit, tiny_model, values

import keras_mdl
from keras_mdl.training import (
    BoundedPriority,
    CoupledSGD,
    Stage,
    StagedFreezing,
)

STEPS = 4


class Shuffled(keras.utils.PyDataset):
    """Batches in an order that is a function of the epoch."""

    epoch = 0

    def __init__(self):
        super().__init__()
        self.x, self.y = batch("a", 4 * STEPS - 1)  # an uneven last batch

    def __len__(self):
        return STEPS

    def __getitem__(self, index):
        order = np.random.default_rng((7, self.epoch)).permutation(len(self.x))
        part = order[4 * index : 4 * index + 4]
        return self.x[part], self.y[part]


class TellEpoch(keras.callbacks.Callback):
    def __init__(self, data, die_in):
        super().__init__()
        self.data, self.die_in = data, die_in

    def on_epoch_begin(self, epoch, logs=None):
        self.data.epoch = epoch

    def on_train_batch_end(self, step, logs=None):
        if self.data.epoch == self.die_in and step == STEPS // 2:
            os.kill(os.getpid(), signal.SIGKILL)


def virtual_devices(n):
    keras.config.set_floatx("float64")
    if keras.backend.backend() == "jax":
        import jax

        jax.config.update("jax_enable_x64", True)
        jax.config.update("jax_num_cpu_devices", n)
        return
    import tensorflow as tf

    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0],
        [tf.config.LogicalDeviceConfiguration()] * n,
    )


def main(backup_dir, result, die_in=-1, devices=None):
    if devices is None:
        return train(backup_dir, result, die_in)
    virtual_devices(int(devices))
    with keras_mdl.data_parallel(int(devices)):
        return train(backup_dir, result, die_in, more=True)


def train(backup_dir, result, die_in, more=False):
    keras.utils.set_random_seed(3)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
    model, data = tiny_model(dropout=0 if more else 0.5), Shuffled()
    view = model["a"]
    view.compile(keras.optimizers.AdamW(0.01, weight_decay=0.1), LOSS)
    history = view.fit(
        data,
        epochs=6,
        shuffle=False,
        verbose=0,
        callbacks=[
            # Epochs 0 and 1, then 2 to 5.
            StagedFreezing(
                [
                    Stage("head", 2, learning_rate=0.05),
                    Stage("domain", learning_rate=0.02, drops=(2,)),
                ],
                backup_dir=backup_dir,
                verbose=0,
            ),
            keras.callbacks.BackupAndRestore(backup_dir, save_freq="epoch"),
            TellEpoch(data, int(die_in)),
        ],
    )
    state = {} if not more else after(model, view)
    state |= {
        f"optimizer/{v.path}": keras.ops.convert_to_numpy(v)
        for v in view.optimizer.variables
    }
    np.savez(result, **values(model), **state, epochs=history.epoch)


def after(model, view):
    """What else a user does with a model on several devices."""
    x, y = batch("a", 5)
    answers = {
        "predicted": view.predict(x, batch_size=4, verbose=0),
        "evaluated": view.evaluate(x, y, batch_size=4, verbose=0),
    }
    joint = model.joint(["a", "b"])
    joint.compile(CoupledSGD(0.05, l2=0.01), LOSS, balancing=BoundedPriority())
    fit(joint, n=11)
    larger = model.with_domain("c", 2)
    return answers | {"larger": larger["a"].predict(x, verbose=0)}


if __name__ == "__main__":
    main(*sys.argv[1:])
