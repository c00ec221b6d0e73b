"""`--config`: flags from a file."""

import json

import pytest

from keras_mdl.cli.config import config_source, settings_of
from keras_mdl.cli.main import build_app


@pytest.fixture
def parse(tmp_path):
    """Parses a `train` command with a configuration file."""

    def parse(text, *argv, command="train"):
        path = tmp_path / "c.yaml"
        path.write_text(text)
        app = build_app()
        app.config = config_source(path)
        bound = app.parse_args([command, *argv], exit_on_error=False)[1]
        return settings_of(bound.arguments)

    return parse


def test_values_are_converted_and_required_flags_may_come_from_the_file(parse):
    args = parse(
        "data: embedded:digits\nout: m.keras\nepochs: 3\nbatch-size: 8\n"
        "learning_rate: 0.5\n"
    )
    assert args["epochs"] == 3
    assert (args["batch-size"], args["learning-rate"]) == (8, 0.5)
    assert args["out"] == "m.keras"


def test_flags_win(parse):
    args = parse("epochs: 3\n", "--data", "x", "--out", "m.keras",
                 "--epochs", "5")  # fmt: skip
    assert args["epochs"] == 5


def test_lists(parse):
    args = parse("model: m.keras\ndata: [a, b]\n", command="evaluate")
    assert args["data"] == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epoch: 3", "Unknown key in c.yaml: 'epoch'. Known keys: balance, "),
        ("overwrite: true", "Unknown key"),
        ("no-flip: true", "Unknown key"),
        ("epochs: many", "whole number"),
        ("epochs: [1]", "[epochs] from c.yaml: unable to convert"),
        ("epochs: 2.5", "whole number"),
        ("epochs:", "must be one value"),
        ("seed: true", "whole number"),
        ("data: {a: b}", "must be one value"),
        ("on-bad-image: maybe", '"error", "skip"'),
        ("- 1", "must map flag names"),
        ("a: b: c", "not valid YAML"),
    ],
)
def test_refused(run, tmp_path, monkeypatch, text, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.yaml").write_text(text)
    flags = ("--data", "x", "--out", "m.keras")
    if "data" in text:
        flags = flags[2:]
    status, _, err = run("train", "--config", "c.yaml", *flags)
    assert status == 2
    assert message in err
    assert [p.name for p in tmp_path.iterdir()] == ["c.yaml"]


def test_missing_file(run, tmp_path):
    status, _, err = run("train", "--config", tmp_path / "no.yaml")
    assert status == 2
    assert "no.yaml" in err


def test_from_the_command_line(run, two, images, tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(f"model: {two}\ndata: ['{images['shades']}']\n")
    status, out, err = run("evaluate", "--config", path, "--json")
    assert status == 0, err
    assert json.loads(out)["results"][0]["domain"] == "shades"
