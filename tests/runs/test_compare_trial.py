"""One training of a comparison: its row, and the proof that nobody moved."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from comparing import write_images, write_settings
from tiny import tiny_network

from keras_mdl.data import DomainData
from keras_mdl.models import load_model
from keras_mdl.processes import named
from keras_mdl.runs import fitting, networks
from keras_mdl.runs.compare import read_settings, trial
from keras_mdl.runs.compare.plan import jobs_of
from keras_mdl.runs.data_entry import require_splits
from keras_mdl.runs.engine import write_result
from keras_mdl.runs.isolation import IsolationError


def model_of(view):
    """The `MultiDomainModel` of a view."""
    return view._view.owner


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("trial")


@pytest.fixture(scope="module")
def jobs(folder):
    """`{(domain, method): Job}` of a small comparison."""
    write_images(folder / "images")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(networks, "NETWORKS", {"resnet26": tiny_network})
        settings = read_settings(
            write_settings(
                folder / "c.yaml",
                methods=["serial_adapter", "pointwise_sharing", "individual"],
                variants={
                    "from zero": {
                        "of": ["serial_adapter"], "zero_adapters": True,
                        "epochs": 2, "head_part": 0.5,
                    },
                    "do": {"of": ["pointwise_sharing"], "depthwise": "do"},
                    "gates": {"of": ["pointwise_sharing"], "gates": "all"},
                    "longer": {
                        "of": ["pointwise_sharing"], "gates": "none",
                        "phase": "gate_and_slot",
                    },
                },
            )
        )  # fmt: skip
        yield {(j.values["domain"], j.where["method"]): j
               for j in jobs_of(settings)}  # fmt: skip


def done(job, folder):
    """The row of a job, whose result is kept."""
    row = named(job.task)(job, folder)
    write_result(job, folder, row, 1.0)
    return row


@pytest.fixture(scope="module")
def base(jobs, folder):
    """The row of the base."""
    (folder / "results").mkdir()
    left = folder / "bases" / ".s0-colours-base.keras.x1.keras"
    left.parent.mkdir()
    left.touch()  # by a worker that was killed while saving
    row = done(jobs["colours", "base"], folder)
    assert not left.exists()
    return row


@pytest.fixture
def job(jobs, base):
    """By the serial adapter, from the base."""
    return jobs["shades", "serial_adapter"]


def test_the_row_of_a_base(base, folder):
    assert (base["domain"], base["method"], base["epochs"]) == (
        "colours", "base", 1,
    )  # fmt: skip
    model = load_model(trial.base_path(folder, "s0-colours-base"))
    assert base["base_sha256"] == trial.digest_of(model)
    assert base["shared"] == 0


def test_the_row_of_a_method(job, base, folder):
    row = done(job, folder)
    assert row.keys() == base.keys()
    assert row["others_bit_identical"] is True
    assert row["images_seen"] == row["train_images"] == 16
    assert 0 <= row["accuracy"] <= 1
    assert row["numbers"] == 16 + 64 + 2 * 24
    assert row["macs"] > row["macs_folded"]
    assert row["keras"] == keras.__version__
    assert row["base_sha256"] == base["base_sha256"]


def test_variants_train_with_their_changes(jobs, base, folder, monkeypatch):
    fitted = []
    original = fitting.fit

    def fit(view, recipe, *args, **options):
        start = {
            p: keras.ops.convert_to_numpy(v)
            for p, v in model_of(view).variables_by_path("shades").items()
        }
        parts = [(part.phase, part.epochs) for part in recipe.in_order()]
        fitted.append((parts, start))
        return original(view, recipe, *args, **options)

    monkeypatch.setattr(fitting, "fit", fit)
    row = done(jobs["shades", "serial_adapter from zero"], folder)
    assert row["method"] == "serial_adapter from zero"
    assert fitted[0][0] == [("head", 1), ("adapter_and_norm", 1)]
    adapters = [
        v for p, v in fitted[0][1].items() if p.endswith("/adapter/kernel")
    ]
    assert adapters
    assert not any(map(np.any, adapters))
    row = done(jobs["shades", "pointwise_sharing do"], folder)
    assert any("d_train" in path for path in fitted[-1][1])


def test_gates_between_the_slots_of_all_domains(jobs, base, folder):
    for domain in ("shades", "warm"):
        hard = done(jobs[domain, "pointwise_sharing"], folder)
    row = done(jobs["warm", "pointwise_sharing gates"], folder)
    assert row["accuracy_hard"] == pytest.approx(hard["accuracy"])
    assert 0 <= row["accuracy_folded"] <= 1
    assert row["variation"] >= 0
    assert row["numbers"] == hard["numbers"]
    more = done(jobs["warm", "pointwise_sharing longer"], folder)
    assert more["accuracy_hard"] == pytest.approx(hard["accuracy"])
    assert more["variation"] == ""


def test_every_fifth_training_image_can_be_held_out(job, folder):
    held = replace(job, values={**job.values, "hold_out": 5})
    data, plain = (trial.data_of(j, 16) for j in (held, job))
    assert (data.size("train"), data.size("validation")) == (12, 4)
    labels = plain.labels("train")
    assert list(data.labels("validation")) == list(labels[::5])


def test_other_images_than_planned_are_refused(job, folder):
    other = replace(job, values={**job.values, "data": {"files": "0"}})
    with pytest.raises(ValueError, match=r"'shades' have changed.*'0'"):
        trial.train_method(other, folder)


def test_another_base_than_that_of_the_rows_is_refused(job, folder):
    path = trial.base_path(folder, "s0-colours-base")
    before = path.read_bytes()
    model = load_model(path)
    model.variables_by_path()["trunk/conv1/pointwise/kernel"].assign_add(
        0.1 + 0 * model.variables_by_path()["trunk/conv1/pointwise/kernel"]
    )
    model.save(path)
    trial._base.cache_clear()
    with pytest.raises(ValueError, match="is not the base that the rows"):
        trial.train_method(job, folder)
    path.write_bytes(before)


def disturbing(path):
    """A `fitting.fit` that trains nothing, and moves another variable."""

    def fit(view, *args, **options):
        variable = model_of(view).variables_by_path()[path]
        variable.assign(variable + 1e-3)
        return fitting.Fit([{"val_accuracy": 0.5}], 1.0)

    return fit


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("trunk/conv1/pointwise/kernel", "trunk"),
        ("domains/colours/norm1/norm/moving_mean", "domains/colours"),
        ("domains/shades/conv1/depthwise/kernel", "conv1/depthwise/kernel"),
    ],
)
def test_whoever_is_disturbed_is_told(job, folder, monkeypatch, path, told):
    monkeypatch.setattr(fitting, "fit", disturbing(path))
    with pytest.raises(IsolationError, match=told):
        trial.train_method(job, folder)
    # A base in memory that may be damaged is not used again.
    kept = trial._base.cache_info().currsize
    assert kept == path.startswith("domains/shades")


def test_data_without_validation_images_are_refused(job):
    data = trial.data_of(job, 16)
    split = {"train": (data.images("train"), data.labels("train"))}
    with pytest.raises(ValueError, match="needs a split 'validation'"):
        require_splits(DomainData(data.domain, split))
