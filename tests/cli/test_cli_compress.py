"""`compress`: a domain's kernels trained for fewer bytes, or a reason."""

import json

import keras
import pytest

from keras_mdl import load_model

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow",
    reason="tensorflow-model-optimization works on TensorFlow alone",
)


def command(two, images, out, *more):
    return (
        "compress", two, "--data", images["shades"], "--out", out,
        "--epochs", 1, "--batch-size", 8, *more,
    )  # fmt: skip


def test_one_domain_is_compressed_and_all_else_stays(
    run, two, images, tmp_path, monkeypatch
):
    monkeypatch.setattr("keras_mdl.compression.twin.LARGE", 8)
    path = tmp_path / "m.keras"
    status, out, err = run(
        *command(two, images, path, "--private-bits", "coarse", "--json")
    )
    assert status == 0, err
    result = json.loads(out)
    assert (result["private_bits"], result["kernels"]) == ("coarse", 7)
    assert result["isolated"] is True
    assert len(result["history"]["val_accuracy"]) == 1
    before, after = (load_model(p).fingerprint() for p in (two, path))
    assert [k for k in before if before[k] != after[k]] == ["domains/shades"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ((), "no kernel of its own"),
        (("--private-bits", "full"), "fine, medium, coarse"),
    ],
)
def test_what_cannot_be_is_refused(run, two, images, tmp_path, more, message):
    path = tmp_path / "m.keras"
    status, _, err = run(*command(two, images, path, *more))
    assert status == 2, err
    assert message in err
    assert not path.exists()
