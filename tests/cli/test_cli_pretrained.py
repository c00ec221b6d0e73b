"""`add-domain NETWORK`: from a folder of pictures to files, in two commands."""

import keras
import numpy as np
import pytest
import tiny

from keras_mdl import load_model, models

SIZE = 16


@pytest.fixture(autouse=True)
def pretrained(monkeypatch):
    """The tiny network in place of the pretrained one."""

    def build(input_shape):
        return tiny.tiny_model(
            {"imagenet": 1000},
            input_shape=input_shape,
            default_phase="domain_kept",
        )

    monkeypatch.setattr(models, "build_efficientnet_lite0", build)


def add(images, out, *more):
    return (
        "add-domain", "efficientnet_lite0", "--data", images["colours"],
        "--out", out, "--size", SIZE, "--batch-size", 8, *more,
    )  # fmt: skip


def test_from_a_folder_to_files(run, images, tmp_path):
    path, out = tmp_path / "m.keras", tmp_path / "phone"
    status, said, err = run(*add(images, path, "--epochs", 4))
    assert status == 0, err
    assert "Epoch 4/4" in said  # of them one for the head alone
    model = load_model(path)
    assert list(model) == ["imagenet", "colours"]
    assert model["colours"].phase == "domain_kept"
    for name, value in model.variables_by_path("colours").items():
        if "/moving_" in name:
            kept = model.variables_by_path("imagenet")[
                name.replace("/colours/", "/imagenet/")
            ]
            np.testing.assert_array_equal(
                keras.ops.convert_to_numpy(value),
                keras.ops.convert_to_numpy(kept),
            )
    data = ("export", path, "--data", images["colours"], "--out", out)
    for more, reason in (
        ((), "Missing in --data: imagenet"),
        (("--leave-out", "imagenet", "colours"), "left out: colours"),
        (("--leave-out", "cats"), "cats"),
    ):
        status, _, err = run(*data, *more)
        assert status != 0
        assert reason in err
        assert not out.exists()
    status, said, err = run(*data, "--leave-out", "imagenet")
    assert status == 0, err
    assert (out / "USAGE.md").is_file()


def test_what_is_not_there_is_said_before_anything_loads(
    run, images, tmp_path, monkeypatch
):
    def build(input_shape):
        raise ImportError("pip install weights")

    monkeypatch.setattr(models, "build_efficientnet_lite0", build)
    for command, reason in (
        (add(images, tmp_path / "m.keras"), "pip install weights"),
        (("add-domain", "lite0", *add(images, tmp_path / "m.keras")[2:]),
         "Pretrained networks: efficientnet_lite0"),
    ):  # fmt: skip
        status, _, err = run(*command)
        assert status != 0
        assert reason in err
        assert not list(tmp_path.iterdir())
