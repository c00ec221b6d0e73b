"""Both loaders: one order, no history, exact resume."""

import multiprocessing
import os
import pickle
import random
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import keras
import numpy as np
import pytest
from tiny import write_images

import keras_mdl.data
from keras_mdl.data import Preprocess, SetEpoch, from_arrays, from_folder
from keras_mdl.data.randomness import epoch_order, uniforms

ROOT = Path(keras_mdl.data.__file__).parents[2]
SIZE = 22
IMAGES = np.random.default_rng(0).integers(0, 256, (SIZE, 12, 12, 3), np.uint8)
LABELS = np.arange(SIZE) % 3
PLAN = Preprocess.default(12)


def data():
    return from_arrays("d", {"train": (IMAGES, LABELS)}, flip=True)


def loader(kind, **options):
    options = {"preprocess": PLAN, "training": True, "seed": 7, **options}
    return getattr(data(), kind)("train", 4, **options)


def one_pass(source):
    return [tuple(np.asarray(part) for part in b) for b in source]


def same(first, second):
    return len(first) == len(second) and all(
        (a == b).all()
        for x, y in zip(first, second, strict=True)
        for a, b in zip(x, y, strict=True)
    )


def set_epoch(source, epoch):
    SetEpoch(source).on_epoch_begin(epoch)


# Written down once: other values would break every resumed run.
GOLDEN_ORDER = [2, 0, 1, 4, 5, 6, 7, 3]
GOLDEN_DRAWS = [0.0323642512711102, 0.5319403325696773]

KINDS = pytest.mark.parametrize("kind", ["batches", "tf_dataset"])


def test_random_numbers_are_uniform_and_independent():
    draws = uniforms(0, 1, 0, 20000, 3)
    assert draws.min() >= 0
    assert draws.max() < 1
    np.testing.assert_allclose(draws.mean(0), 0.5, atol=0.01)
    assert np.abs(np.corrcoef(draws.T) - np.eye(3)).max() < 0.03
    later = uniforms(0, 2, 0, 20000, 3)
    assert abs(np.corrcoef(draws[:, 0], later[:, 0])[0, 1]) < 0.03


def test_random_numbers_are_the_same_on_every_machine():
    found = uniforms(1, 2, 3, 1, 5)[0]
    np.testing.assert_array_equal(found, uniforms(1, 2, 0, 9, 5)[3])
    assert epoch_order(0, 0, 8).tolist() == GOLDEN_ORDER
    np.testing.assert_allclose(found[:2], GOLDEN_DRAWS, rtol=1e-12)
    assert sorted(epoch_order(2**70, 1, 5)) == list(range(5))


@KINDS
def test_epochs_differ_and_repeat(kind):
    source = loader(kind)
    passes = [one_pass(source) for _ in range(3)]
    assert not same(passes[0], passes[1])
    again = loader(kind)
    assert all(same(p, one_pass(again)) for p in passes)
    assert not same(passes[0], one_pass(loader(kind, seed=8)))


@KINDS
def test_an_epoch_does_not_depend_on_history(kind):
    source = loader(kind)
    third = [one_pass(source) for _ in range(3)][2]
    resumed = loader(kind)
    set_epoch(resumed, 2)
    assert same(third, one_pass(resumed))
    set_epoch(source, 2)
    assert same(third, one_pass(source))


def test_both_loaders_agree_bit_for_bit():
    left, right = loader("batches"), loader("tf_dataset")
    for _ in range(2):
        assert same(one_pass(left), one_pass(right))


def test_images_resized_once_make_the_same_batches():
    plan = Preprocess.default(8)
    first, second = (
        one_pass(d.batches("train", 4, plan, training=True, seed=7))
        for d in (data(), data().resized(8))
    )
    assert first[0][0].shape == (4, 8, 8, 3)
    assert same(first, second)


@KINDS
def test_training_visits_every_image_once(kind):
    source = loader(kind, preprocess=None, drop_remainder=False, dtype="uint8")
    images = np.concatenate([b[0] for b in one_pass(source)])
    assert len(images) == SIZE
    found = {image.tobytes() for image in images}
    assert found <= {
        i.tobytes() for image in IMAGES for i in (image, image[:, ::-1].copy())
    }
    assert len(found) == SIZE


@KINDS
def test_evaluation_keeps_all_images_in_order(kind):
    source = loader(kind, training=False, preprocess=None)
    for _ in range(2):
        batches = one_pass(source)
        images = np.concatenate([b[0] for b in batches])
        np.testing.assert_array_equal(images, IMAGES)
        labels = np.concatenate([b[1] for b in batches])
        np.testing.assert_array_equal(labels, LABELS)
    assert labels.dtype == np.int32
    assert len(source) == 6


@KINDS
def test_the_remainder(kind):
    assert len(loader(kind)) == 5
    assert len(loader(kind, drop_remainder=False)) == 6
    small = from_arrays("d", {"train": (IMAGES[:3], [0, 1, 2])})
    only = getattr(small, kind)("train", 4, training=True)
    assert [len(b[1]) for b in one_pass(only)] == [3]


def test_batch_index_out_of_range():
    with pytest.raises(IndexError, match=r"0\.\.4"):
        loader("batches")[5]


def test_set_epoch_wants_loaders():
    with pytest.raises(TypeError, match="tf_dataset"):
        SetEpoch([1, 2])
    with pytest.raises(ValueError, match="epoch"):
        loader("batches").epoch = -1


class Recorder(keras.layers.Layer):
    """Adds up what it sees, weighted by the step, in training."""

    def build(self, shape):
        options = {"shape": (), "initializer": "zeros", "trainable": False}
        self.step = self.add_weight(name="step", **options)
        self.sum = self.add_weight(name="sum", **options)

    def call(self, x, training=False):
        if training:
            self.step.assign(self.step + 1)
            mean = keras.ops.mean(x[0])
            self.sum.assign(self.sum + keras.ops.sin(self.step) * mean)
        return x


def fit_trace(kind, first, last, callback=True, shuffle=True, workers=1):
    keras.utils.set_random_seed(first)  # history must not matter
    source = loader(kind)
    source.workers = workers
    recorder = Recorder()
    model = keras.Sequential(
        [
            keras.Input((12, 12, 3)),
            recorder,
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(3, "softmax"),
        ]
    )
    loss = "sparse_categorical_crossentropy"
    model.compile("sgd", loss, jit_compile=False)
    trace = []

    def record(epoch, logs):
        trace.append(float(recorder.sum))
        recorder.sum.assign(0)
        recorder.step.assign(0)

    callbacks = [keras.callbacks.LambdaCallback(on_epoch_end=record)]
    if callback:
        callbacks.append(SetEpoch(source))
    model.fit(
        source,
        validation_data=loader(kind, training=False),
        epochs=last,
        initial_epoch=first,
        callbacks=callbacks,
        verbose=0,
        # Keras warns that it cannot shuffle a tf.data.Dataset; that it does
        # shuffle the batches of a PyDataset is part of this test.
        shuffle=shuffle and kind == "batches",
    )
    return trace


@KINDS
def test_a_resumed_fit_sees_the_batches_of_an_uninterrupted_one(kind):
    whole = fit_trace(kind, 0, 4)
    assert len(set(whole)) == 4
    assert fit_trace(kind, 2, 4) == whole[2:]


@KINDS
def test_without_the_callback_epochs_still_differ(kind):
    assert len(set(fit_trace(kind, 0, 3, callback=False))) == 3


def test_pythons_random_numbers_are_neither_used_nor_disturbed():
    passes = []
    for seed in (5, 6):
        source = loader("batches")
        random.seed(seed)
        state = random.getstate()
        source.on_epoch_begin()
        # Keras asks in an order of its own.
        asked = random.Random(seed).sample(range(5), 5)
        passes.append([source[i] for i in asked])
        source.on_epoch_end()
        assert random.getstate() == state
    assert same(*passes)
    assert same(passes[0], [loader("batches")[i] for i in range(5)])


@pytest.mark.parametrize("where", ["fresh", "in_a_pass", "lazy"])
def test_loaders_can_be_pickled(where, tmp_path):
    source = loader("batches")
    if where == "lazy":
        colours = {"red": (9, 0, 0), "blue": (0, 0, 9)}
        write_images(tmp_path / "in", colours, 6, (12, 12))
        lazy = from_folder(tmp_path / "in", memory_limit=1)
        source = lazy.batches("train", 4, PLAN, training=True, seed=7)
    elif where == "in_a_pass":
        source.on_epoch_begin()
        source[0]
    source.epoch = 3
    copy = pickle.loads(pickle.dumps(source))
    source.on_epoch_end()
    assert copy.epoch == 3
    assert same(one_pass(copy), one_pass(source))


@pytest.mark.parametrize("callback", [True, False])
def test_worker_threads_make_the_same_batches(callback):
    options = {"callback": callback, "shuffle": False}
    expected = fit_trace("batches", 0, 3, **options)
    assert fit_trace("batches", 0, 3, workers=3, **options) == expected


def test_worker_processes_make_the_same_batches(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")  # the worker starts sooner
    source = loader("batches")
    source.epoch = 2
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        found = list(pool.map(source.__getitem__, range(5)))
    assert same(found, one_pass(source))


JAX_ONLY = """
import sys
import keras
import numpy as np
from keras_mdl.data import Preprocess, SetEpoch, embedded, from_arrays, load

assert "tensorflow" not in sys.modules
images = np.zeros((20, 12, 12, 3), np.uint8)
data = from_arrays("d", {"train": (images, [0, 1] * 10)})
source = data.batches("train", 5, Preprocess.default(12), training=True)
layers = [keras.layers.Flatten(), keras.layers.Dense(2, "softmax")]
model = keras.Sequential(layers)
model.compile("sgd", "sparse_categorical_crossentropy")
seen = []
for first in (0, 2):
    log = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append(source.epoch)
    )
    model.fit(
        source, epochs=3, initial_epoch=first, verbose=0,
        callbacks=[SetEpoch(source), log],
    )
assert seen == [0, 1, 2, 2], seen
load("embedded:digits", size=16)
assert "tensorflow" not in sys.modules
"""


def test_jax_needs_no_tensorflow():
    pytest.importorskip("jax")
    environment = {
        **os.environ,
        "KERAS_BACKEND": "jax",
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        [sys.executable, "-c", JAX_ONLY],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
