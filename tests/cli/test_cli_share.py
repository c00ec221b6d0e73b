"""`share`: gates for one domain of a model, written, folded, or refused."""

import json

import pytest

from keras_mdl import load_model


def command(two, images, out, *more, target="shades"):
    return (
        "share", two, "--data", images["shades"], "--target", target, "--out",
        out, "--epochs", 1, "--batch-size", 8, *more,
    )  # fmt: skip


@pytest.mark.parametrize("trains", ["gates", "slot"])
def test_it_writes_the_gated_domain_and_leaves_the_rest(
    run, two, images, tmp_path, trains
):
    path = tmp_path / "m.keras"
    status, out, err = run(
        *command(two, images, path, "--trains", trains, "--json")
    )
    assert status == 0, err
    result = json.loads(out)
    assert result["isolated"] is True
    assert set(result["accuracy"]) == {"hard", "gated", "collapsed"}
    assert [g["layer"] for g in result["gates"]] == ["conv1", "conv2"]
    for gate in result["gates"]:
        assert set(gate["weights"]) == {"colours", "shades"}
        assert sum(gate["weights"].values()) == pytest.approx(1, abs=1e-3)
    before, after = (load_model(p).fingerprint() for p in (two, path))
    assert [k for k in before if before[k] != after[k]] == ["domains/shades"]


def test_layers_start_and_collapse(run, two, images, tmp_path):
    path = tmp_path / "m.keras"
    argv = command(
        two, images, path, "--layers", "conv2", "--own-weight", 0.9,
        "--collapse", "--max-variation", 99, "--devices",
    )  # fmt: skip
    status, out, err = run(*argv, 99)
    assert status == 2
    assert "Received: 99. Devices: " in err
    status, out, err = run(*argv, 1)
    assert status == 0, err
    assert "conv2" in out
    assert "validation accuracy: hard" in out
    assert "conv1 " not in out
    folded = load_model(path)
    assert set(folded.variables_by_path()) == set(
        load_model(two).variables_by_path()
    )


def test_gates_that_depend_on_the_image_are_kept_and_said(
    run, two, images, tmp_path
):
    path = tmp_path / "m.keras"
    status, out, err = run(
        *command(two, images, path, "--collapse", "--max-variation", 1e-12,
                 "--json")
    )  # fmt: skip
    assert status == 0
    assert "not collapsed" in err
    assert json.loads(out)["collapsed"] is False
    assert load_model(path).get_config()["slots"]["shades"]["gates"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--layers", "middle"], "conv1, conv2"),
        (["--sources", "stars"], "Known domains: 'colours', 'shades'"),
        (["stars"], "Known domains: 'colours', 'shades'"),
        (["--own-weight", "1"], r"in [0, 1)"),
        (["colours"], "other classes"),
    ],
    ids=["layers", "sources", "target", "weight", "images"],
)
def test_bad_input_is_said_before_anything_is_written(
    run, two, images, tmp_path, more, message
):
    more, target = (more, "shades") if more[1:] else ((), more[0])
    status, _, err = run(
        *command(two, images, tmp_path / "m.keras", *more, target=target)
    )
    assert status == 2
    assert message in err
    assert not list(tmp_path.iterdir())
