"""What cannot be exported is refused, and nothing is half-written."""

import hashlib
import sys

import keras
import numpy as np
import pytest
from exported import (
    keras_outputs,
    pixels,
    quiet_export,
    small_model,
    turn_gamma,
)
from keras_mdl_export import load
from keras_mdl_export.verification import VerificationError
from tiny import tiny

from keras_mdl import (
    DomainBatchNormalization,
    MultiDomainModel,
)
from keras_mdl.processes import ProcessError


@keras.saving.register_keras_serializable("keras_mdl_tests")
def without_trunk(x, scope):
    return scope(DomainBatchNormalization, "norm")(x)


def digest(folder, path):
    return hashlib.sha256((folder / path).read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "int4"}, r"Known modes: dyn_conv"),
        ({"forms": ["zip"]}, r"models, parts, bundle, packs"),
        ({"forms": []}, r"Received: \[\]"),
        ({"mode": "float32_folded", "forms": ["parts"]}, r"models, bundle"),
        ({"input_dtype": "int8"}, r"uint8, float32"),
        ({"output": "argmax"}, r"probabilities, logits"),
        ({"pack_base": "c"}, r"None, a, b"),
        ({"pack_base": "a", "forms": ["packs"]}, r"need the form 'models'"),
        ({"pack_base": "a", "domains": ["a"]}, r"another domain"),
        ({"min_shared": 90}, r"`min_shared` must be a number from 0 to 1"),
        ({"min_agreement": float("nan")}, r"number from 0 to 1.*nan"),
        ({"max_accuracy_drop": None}, r"number from -1 to 1.*None"),
        ({"domains": ["c"]}, r"'c'"),
        ({"calibration": None}, r"Missing: a, b"),
        ({"calibration": {"c": np.zeros((1, 8, 8, 3))}}, r"unknown domains: c"),
        (
            {"calibration": {"a": np.zeros((1, 9, 9, 3))}},
            r"size of the network.*\(1, 9, 9, 3\)",
        ),
        (
            {"calibration": {"a": np.full((1, 8, 8, 3), -1.0)}},
            r"pixels in 0\.\.255",
        ),
        (
            {
                "validation": {
                    "a": (np.zeros((2, 8, 8, 3), "uint8"), np.zeros(3))
                }
            },
            r"Labels must be integers \(2,\)",
        ),
        (
            {"validation": {"a": (np.zeros((1, 8, 8, 3), "uint8"), [3])}},
            r"from 0 to 2.*\[3\]",
        ),
        (
            {"validation": {"a": (np.zeros((1, 8, 8, 3), "uint8"), [0.0])}},
            r"Labels must be integers.*float64",
        ),
    ],
)
def test_what_cannot_be_is_refused_before_anything(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        quiet_export(small_model(), tmp_path / "e", **options)
    assert not list(tmp_path.iterdir())


def test_a_view_is_no_model(tmp_path):
    with pytest.raises(TypeError, match="the whole and not"):
        quiet_export(small_model()["a"], tmp_path / "e", calibration={})


def test_a_diverged_domain_is_named(tmp_path):
    model = turn_gamma(small_model(), "b", np.nan)
    with pytest.raises(ValueError, match=r"domains/b/norm1.*diverged"):
        quiet_export(model, tmp_path / "e")


def test_a_backbone_of_a_script_is_refused_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(tiny, "__module__", "__main__")
    with pytest.raises(ValueError, match="put it into a module"):
        quiet_export(small_model(), tmp_path / "e")


def test_without_a_trunk_there_is_nothing_to_share(tmp_path):
    model = MultiDomainModel(
        {"a": 2}, backbone=without_trunk, input_shape=(8, 8, 3)
    )
    with pytest.raises(ValueError, match="float32_folded"):
        quiet_export(model, tmp_path / "e")
    quiet_export(model, tmp_path / "e", mode="float32_folded")
    assert list(load(tmp_path / "e")) == ["a"]


def test_int8_needs_enough_images(tmp_path):
    model = small_model()
    few = pixels(model, 99)
    with pytest.raises(ValueError, match=r"100 training images.*99"):
        quiet_export(model, tmp_path / "e", mode="int8", calibration=few)


def test_without_heads_or_a_size_there_is_nothing_to_export(tmp_path):
    for options, message in (
        ({"include_top": False}, "include_top=True"),
        ({"input_shape": (None, None, 3)}, "fixed `input_shape`"),
    ):
        with pytest.raises(ValueError, match=message):
            quiet_export(small_model(**options), tmp_path / "e", calibration={})


def test_a_lost_accuracy_fails_the_export(tmp_path):
    model = small_model(["a"])
    x = pixels(model, 40)["a"]
    labels = keras_outputs(model, "a", x).argmax(-1)  # Keras has all right
    with pytest.raises(VerificationError, match="nothing was written"):
        quiet_export(
            model,
            tmp_path / "e",
            validation={"a": (x, labels)},
            max_accuracy_drop=-0.01,  # a gain is asked for: impossible
        )
    assert not list(tmp_path.iterdir())


def test_an_export_is_replaced_only_when_asked(tmp_path):
    model = small_model(["a"])
    folder = tmp_path / "e"
    quiet_export(model, folder, forms=["models"])
    before = digest(folder, "manifest.json")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        quiet_export(model, folder, forms=["models"])
    assert digest(folder, "manifest.json") == before
    quiet_export(model, folder, forms=["bundle"], overwrite=True)
    assert not (folder / "models").exists()
    other = tmp_path / "documents"
    other.mkdir()
    (other / "thesis.tex").touch()
    with pytest.raises(FileExistsError, match=r"manifest\.json"):
        quiet_export(model, other, overwrite=True)
    assert [p.name for p in other.iterdir()] == ["thesis.tex"]


def test_a_failed_conversion_says_why(tmp_path, monkeypatch):
    # As if the backbone's module were not to be found by the converter.
    monkeypatch.setattr(
        "keras_mdl.processes.sys.path",
        [p for p in sys.path if not p.endswith("tests")],
    )
    with pytest.raises(ProcessError, match=r"(?s)conversion of a.*tiny"):
        quiet_export(small_model(["a"]), tmp_path / "e")
    assert not list(tmp_path.iterdir())


def test_the_model_stays_as_it_is(tmp_path):
    model = small_model()
    before = model.fingerprint()
    quiet_export(model, tmp_path / "e", forms=["models"])
    assert model.fingerprint() == before
