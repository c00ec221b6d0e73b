"""One training of a comparison: its row, and the proof that nobody moved."""

import keras
import pytest
from comparing import write_images, write_settings
from tiny import tiny_network

from keras_mdl.data import DomainData
from keras_mdl.runs import fitting, networks
from keras_mdl.runs.compare import read_settings, trial
from keras_mdl.runs.compare.rows import COLUMNS
from keras_mdl.runs.isolation import IsolationError


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trial")
    write_images(folder / "images")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(networks, "NETWORKS", {"resnet26": tiny_network})
        yield read_settings(
            write_settings(folder / "c.yaml", methods=["serial_adapter"])
        )


@pytest.fixture(scope="module")
def base(settings):
    return trial.train_base(settings, 0)


@pytest.fixture(scope="module")
def data(settings):
    return settings.domains[0].load(settings.folder, settings.size)


def test_the_row_of_a_base(base):
    model, row = base
    assert tuple(row) == COLUMNS
    assert (row["domain"], row["method"], row["epochs"]) == (
        "colours", "base", 1,
    )  # fmt: skip
    assert row["base_sha256"] == trial.digest_of(model)
    assert row["shared"] == 0


def test_the_row_of_a_method(settings, base, data):
    before = base[0].fingerprint()
    row = trial.run_method(settings, 0, base[0], data, "serial_adapter")
    assert base[0].fingerprint() == before
    assert tuple(row) == COLUMNS
    assert row["others_bit_identical"] is True
    assert row["images_seen"] == row["train_images"] == 16
    assert 0 <= row["accuracy"] <= 1
    assert row["numbers"] == 16 + 64 + 2 * 24
    assert row["macs"] > row["macs_folded"]
    assert row["keras"] == keras.__version__
    assert row["base_sha256"] == base[1]["base_sha256"]


def disturbing(path):
    """A `fitting.fit` that moves another variable too."""
    original = fitting.fit

    def fit(view, *args, **options):
        done = original(view, *args, **options)
        model = view._view.owner
        variable = model.variables_by_path()[path]
        variable.assign(variable + 1e-3)
        return done

    return fit


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("trunk/conv1/pointwise/kernel", "trunk"),
        ("domains/colours/norm1/norm/moving_mean", "domains/colours"),
        ("domains/shades/conv1/depthwise/kernel", "conv1/depthwise/kernel"),
    ],
)
def test_whoever_is_disturbed_is_told(
    settings, base, data, monkeypatch, path, told
):
    monkeypatch.setattr(fitting, "fit", disturbing(path))
    with pytest.raises(IsolationError, match=told):
        trial.run_method(settings, 0, base[0], data, "serial_adapter")


def test_data_without_validation_images_are_refused(settings, base, data):
    split = {"train": (data.images("train"), data.labels("train"))}
    only = DomainData(data.domain, split)
    with pytest.raises(ValueError, match="needs a split 'validation'"):
        trial.run_method(settings, 0, base[0], only, "serial_adapter")
