"""Several devices train what one device trains."""

import signal

import keras
import numpy as np
import pytest
from test_resume import start
from tiny import batch, compiled, tiny_model

import keras_mdl


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    folder = tmp_path_factory.mktemp("one_device")
    assert start(folder / "b", folder / "r.npz", -1, 1).wait() == 0
    return dict(np.load(folder / "r.npz"))


def test_two_devices_give_what_one_gives_killed_and_resumed_too(one, tmp_path):
    # Stages, coupled decay, fused norms, a joint view; every last batch is
    # smaller and cannot be divided. In float64, where a ReLU does not flip.
    backup, result = tmp_path / "backup", tmp_path / "result.npz"
    assert start(backup, result, 4, 2).wait() == -signal.SIGKILL
    assert start(backup, result, -1, 2).wait() == 0
    found = dict(np.load(result))
    assert found.pop("epochs").tolist() == [4, 5]
    assert found.keys() == one.keys() - {"epochs"}
    for name, values in found.items():
        np.testing.assert_allclose(
            values, one[name], rtol=1e-5, atol=1e-6, err_msg=name
        )
    moved = [n for n in found if "kernel" in n and np.ptp(found[n]) > 0]
    assert len(moved) >= 4


@pytest.mark.parametrize("devices", [0, 99, ["GPU:7"], []])
def test_devices_that_are_not_there_are_refused(devices):
    with (
        pytest.raises(ValueError, match=r"(?i)expected .*cpu:0|1 to 1 devices"),
        keras_mdl.data_parallel(devices),
    ):
        raise AssertionError("never entered")


def test_a_model_made_elsewhere_is_refused_before_it_trains():
    if keras.backend.backend() != "tensorflow":
        pytest.skip("JAX moves variables to where they are needed")
    model = tiny_model()
    before = model.fingerprint()
    view = compiled(model["a"])
    with (
        keras_mdl.data_parallel(1),
        pytest.raises(ValueError, match="inside of one"),
    ):
        view.fit(*batch("a"), verbose=0)
    assert model.fingerprint() == before
