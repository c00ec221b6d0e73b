"""`--config`: flags from a file."""

import json

import pytest

from keras_mdl.cli.config import apply_config
from keras_mdl.cli.errors import InputError
from keras_mdl.cli.main import build_parser


@pytest.fixture
def parse(tmp_path):
    """Parses a `train` command with a configuration file."""

    def parse(text, *argv, command="train"):
        path = tmp_path / "c.yaml"
        path.write_text(text)
        parser, parsers = build_parser()
        apply_config(parsers[command], path)
        return parser.parse_args([command, *argv])

    return parse


def test_values_are_converted_and_required_flags_may_come_from_the_file(parse):
    args = parse(
        "data: embedded:digits\nout: m.keras\nepochs: 3\nbatch-size: 8\n"
        "learning_rate: 0.5\n"
    )
    assert (args.epochs, args.batch_size, args.learning_rate) == (3, 8, 0.5)
    assert args.out.name == "m.keras"


def test_flags_win(parse):
    args = parse("epochs: 3\n", "--data", "x", "--out", "m.keras",
                 "--epochs", "5")  # fmt: skip
    assert args.epochs == 5


def test_lists(parse):
    args = parse("model: m.keras\ndata: [a, b]\n", command="evaluate")
    assert args.data == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epoch: 3", "Unknown key .*'epoch'. Known keys: backend, batch-size"),
        ("overwrite: true", "Unknown key"),
        ("epochs: many", "whole number"),
        ("epochs: [1]", "must be one value"),
        ("seed: true", "must be one value"),
        ("on-bad-image: maybe", "one of error, skip"),
        ("- 1", "must map flag names"),
        ("a: b: c", "not valid YAML"),
    ],
)
def test_refused(parse, text, message):
    with pytest.raises(InputError, match=message):
        parse(text)


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
