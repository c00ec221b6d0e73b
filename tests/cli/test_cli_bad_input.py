"""Bad input ends with status 2 and one line, before anything is written."""

import pathlib
import shlex
import shutil
import sys
import warnings

import pytest
from PIL import Image

from keras_mdl.cli import main
from keras_mdl.cli.errors import in_flags

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "benchmarks"))
import mistakes

sys.path.pop(0)


def _refused(run, tmp_path, *argv):
    before = sorted(tmp_path.rglob("*"))
    status, out, err = run(*argv)
    assert status == 2, (out, err)
    assert err.startswith("error: ")
    assert len(err.strip().splitlines()) == 1
    assert "Traceback" not in err
    assert sorted(tmp_path.rglob("*")) == before
    return err


@pytest.fixture
def train(run, images, tmp_path):
    """A `train` command with some arguments replaced, refused."""

    def train(**changes):
        flags = {
            "data": images["colours"],
            "out": tmp_path / "m.keras",
            "size": 16,
            "epochs": 1,
            **changes,
        }
        argv = [x for k, v in flags.items()
                for x in (f"--{k.replace('_', '-')}", v)]  # fmt: skip
        return _refused(run, tmp_path, "train", *argv)

    return train


@pytest.fixture
def world(base, tmp_path, monkeypatch):
    """The folder of `benchmarks/mistakes.py`, as working folder."""
    monkeypatch.chdir(tmp_path)
    mistakes.prepare(tmp_path)
    shutil.copy(base, tmp_path / "base.keras")
    return tmp_path


def test_natural_mistakes_are_told_in_a_line(run, world):
    for what, command, message in mistakes.MISTAKES:
        err = _refused(run, world, *shlex.split(command))
        assert message in err, what


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"learning_rate": "nan"}, "a number above 0"),
        ({"width": "wide"}, "a number above 0"),
        ({"epochs": 2.5}, "a whole number from 1 on"),
        ({"recipe": "slow"}, "Known recipes: paper-base"),
        ({"domain": "a/b"}, "Received: --domain a/b"),
        ({"colour": "red"}, "Known options: --balance, --batch-size, --check"),
        ({"device": "gpu"}, "--device gpu needs a GPU"),
    ],
)
def test_train_refuses(train, changes, message):
    assert message in train(**changes)


def test_folder_options_are_for_folders(train):
    message = train(data="embedded:digits", on_bad_image="skip")
    assert "--on-bad-image does not apply" in message


def test_of_several_data_a_flag_is_for_those_that_it_suits(run, two, images):
    argv = ["evaluate", "--model", two, "--validation-fraction", 0.5]
    folder = f"shades={images['shades']}"
    # The embedded domain has other classes: that is refused, not the flag.
    _, _, err = run(*argv, "--data", folder, "colours=embedded:digits")
    assert "does not apply" not in err
    status, _, err = run(*argv, "--data", "colours=embedded:digits")
    assert status == 2
    assert "--validation-fraction does not apply" in err


def test_bad_image_in_a_folder_is_named(run, images, tmp_path):
    folder = tmp_path / "colours"
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        for i in range(4):
            Image.new("RGB", (16, 16)).save(folder / name / f"{i}.png")
    (folder / "a" / "broken.png").write_bytes(b"not a picture")
    argv = ["train", "--data", folder, "--out", tmp_path / "m.keras",
            "--size", 16, "--epochs", 1]  # fmt: skip
    err = _refused(run, tmp_path, *argv)
    assert "broken.png" in err
    assert "use --on-bad-image skip." in err
    assert "on_bad_image" not in err
    assert run(*argv, "--on-bad-image", "skip")[0] == 0


def test_warnings_of_the_data_are_shown_in_a_line(
    run, images, tmp_path, monkeypatch
):
    def load(spec, **options):
        warnings.warn("3 files are no images", stacklevel=2)
        raise ValueError("and now they are gone")

    monkeypatch.setattr("keras_mdl.data.load", load)
    status, _, err = run("train", "--data", images["shades"], "--out",
                         tmp_path / "m.keras")  # fmt: skip
    assert status == 2
    assert err.splitlines() == [
        "warning: 3 files are no images",
        "error: and now they are gone",
    ]


@pytest.mark.parametrize("command", ["train", "add-domain", "remove-domain"])
def test_existing_output_is_refused_before_any_work(
    run, base, images, tmp_path, command, monkeypatch
):
    def loaded():
        raise AssertionError("the backend was loaded first")

    monkeypatch.setattr("keras_mdl.cli.backend.load_backend", loaded)
    path = tmp_path / "m.keras"
    path.write_text("precious")
    argv = {
        "train": ["--data", images["colours"]],
        "add-domain": ["--data", images["shades"], "--model", base],
        "remove-domain": ["--domain", "colours", "--model", base],
    }[command]
    err = _refused(run, tmp_path, command, *argv, "--out", path)
    assert "--overwrite" in err
    assert path.read_text() == "precious"


def test_existing_record_is_refused(train, tmp_path):
    (tmp_path / "m.keras.run.yaml").write_text("precious")
    assert "m.keras.run.yaml" in train()


def test_models_that_are_none(run, base, tmp_path):
    missing, truncated = tmp_path / "no.keras", tmp_path / "cut.keras"
    truncated.write_bytes(base.read_bytes()[:2000])
    for path in (missing, truncated, tmp_path):
        assert str(path) in _refused(run, tmp_path, "summary", "--model", path)


def test_add_domain_refuses(run, base, images, tmp_path):
    def refused(*argv):
        return _refused(
            run, tmp_path, "add-domain", "--model", base, "--out",
            tmp_path / "m.keras", *argv,
        )  # fmt: skip

    shades = ("--data", images["shades"])
    assert "already" in refused("--data", images["colours"])
    assert "Known methods" in refused(*shades, "--method", "magic")
    assert "'colours'" in refused(*shades, "--init-from", "nobody")
    assert "16x16" in refused(*shades, "--size", 32)


def test_evaluate_refuses(run, two, images, tmp_path):
    def refused(*argv):
        return _refused(run, tmp_path, "evaluate", "--model", two, *argv)

    shades, colours = images["shades"], images["colours"]
    assert "Known classes: 'blue', 'green', 'red'" in refused(
        "--data", f"colours={shades}"
    )
    assert "no domain 'other'" in refused("--data", f"other={shades}")
    assert "one SPEC" in refused("--data", shades, colours, "--domain", "x")
    assert "Labelled splits: train, validation" in refused(
        "--data", shades, "--split", "test"
    )


def test_predict_names_what_is_wrong(run, two, images, tmp_path):
    def refused(*argv):
        return _refused(run, tmp_path, "predict", "--model", two, *argv)

    good = images["colours"] / "red" / "0.png"
    empty, text = tmp_path / "empty.png", tmp_path / "text.jpg"
    empty.touch()
    text.write_text("hello")
    domain = ("--domain", "colours")
    assert "'colours', 'shades'" in refused(good, "--domain", "x")
    assert "no.png" in refused(good, tmp_path / "no.png", *domain)
    assert "empty.png" in refused(good, empty, *domain)
    assert "text.jpg" in refused(text, *domain)
    assert "required: IMAGE" in refused(*domain)


@pytest.mark.parametrize(
    ("python", "flags"),
    [
        ("Received: on_bad_image='skip'.", "Received: --on-bad-image skip."),
        ("(--overwrite, `overwrite=True`)", "(--overwrite)"),
        ("`batch_size` must be 1 or more", "--batch-size must be 1 or more"),
        ("Received: layers=['a', 'b'], x=3", "Received: --layers a b, x=3"),
        ("a column `reference` already", "a column `reference` already"),
        ("model.layers=3, keras.size=2", "model.layers=3, keras.size=2"),
    ],
)
def test_errors_speak_of_flags(python, flags):
    names = ("batch-size", "layers", "on-bad-image", "overwrite", "reference",
             "size")  # fmt: skip
    assert in_flags(python, names) == flags


def test_debug_shows_the_traceback(run, tmp_path):
    status, _, err = run("summary", "--model", tmp_path / "no", "--debug")
    assert status == 2
    assert "Traceback" in err


def test_failures_are_no_bad_input(run, two, monkeypatch):
    def fails(*args, **kwargs):
        raise RuntimeError("the disk is on fire")

    monkeypatch.setattr("keras_mdl.MultiDomainModel.fingerprint", fails)
    status, _, err = run("summary", "--model", two)
    assert status == 1
    assert err.strip() == "error: RuntimeError: the disk is on fire"


def test_no_command(capsys):
    assert main([]) == 2
    assert "COMMAND" in capsys.readouterr().err
