"""The demo's second process: its results, its failure, its end."""

import sys

import pytest
import tiny

from keras_mdl.runs import comparison
from keras_mdl.runs.demo_settings import quick_settings

SETTINGS = quick_settings(base="digits", domains=("textures",))


@pytest.fixture
def base():
    return tiny.tiny_model({"digits": 10}, input_shape=(16, 16, 3))


def test_trains_the_other_methods(base, tmp_path):
    before = base.fingerprint()
    with comparison.Comparison(SETTINGS, tmp_path, base) as other:
        metrics, history = other.result()
    assert {r["method"] for r in metrics} == set(SETTINGS.methods[1:])
    assert {r["domain"] for r in metrics} == {"textures"}
    assert len(history) == 2
    assert base.fingerprint() == before
    assert [p.name for p in tmp_path.iterdir()] == ["tensorboard"]


def test_failure_is_told(base, tmp_path, monkeypatch):
    code = "import sys; print('out of luck'); sys.exit(3)"
    monkeypatch.setattr(comparison, "COMMAND", (sys.executable, "-c", code))
    with (
        comparison.Comparison(SETTINGS, tmp_path, base) as other,
        pytest.raises(RuntimeError, match=r"(?s)with 3.*out of luck"),
    ):
        other.result()


def test_leaving_early_ends_the_process(base, tmp_path, monkeypatch):
    code = "import time; time.sleep(600)"
    monkeypatch.setattr(comparison, "COMMAND", (sys.executable, "-c", code))
    with comparison.Comparison(SETTINGS, tmp_path, base) as other:
        assert other._process.poll() is None
    assert other._process.poll() is not None


def test_the_process_ends_with_its_parent(base, tmp_path, monkeypatch):
    code = (
        "import time; from keras_mdl.processes import end_with_parent; "
        "end_with_parent(); time.sleep(600)"
    )
    monkeypatch.setattr(comparison, "COMMAND", (sys.executable, "-c", code))
    with comparison.Comparison(SETTINGS, tmp_path, base) as other:
        other._process.stdin.close()  # as the death of the parent would
        assert other._process.wait(60) == 1
    assert not (tmp_path / "comparison" / "log.txt").read_text()
