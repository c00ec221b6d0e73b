"""Help is there, complete and quick; machine output is clean."""

import re
import subprocess
import sys

import pytest

from keras_mdl.cli.config import flag_names
from keras_mdl.cli.main import build_app
from keras_mdl.cli.verbs import VERBS

HEAVY = ("keras", "tensorflow", "jax", "matplotlib", "numpy")


@pytest.mark.parametrize("command", VERBS)
def test_help_of_each_command(run, command):
    status, out, _ = run(command, "--help")
    assert status == 0
    first = VERBS[command].__doc__.strip().splitlines()[0]
    assert first in out
    assert "--json" in out
    assert "show tracebacks of errors" in out
    assert max(map(len, out.splitlines())) <= 100


def test_every_command_is_in_the_overview(run):
    status, out, _ = run("--help")
    assert status == 0
    assert all(command in out for command in VERBS)
    assert "exit status" in out


def test_version(run):
    status, out, _ = run("--version")
    assert (status, out.split()[0]) == (0, "keras-mdl")


def test_parsers_import_nothing_heavy():
    code = (
        "import sys; from keras_mdl.cli.main import build_app; "
        "build_app(); "
        f"print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_help_is_quick_and_module_runs():
    # Of the processor's time: the machine may be busy with something else.
    code = (
        "import resource, subprocess, sys; "
        "subprocess.run([sys.executable, '-m', 'keras_mdl', 'train', '--help'],"
        " stdout=subprocess.DEVNULL, check=True); "
        "used = resource.getrusage(resource.RUSAGE_CHILDREN); "
        "print(used.ru_utime + used.ru_stime)"
    )
    used = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True
    )
    assert float(used.stdout) < 0.9


def test_all_flags_have_help(run):
    for name in VERBS:
        out = run(name, "--help")[1].partition("╭")[2]
        names = build_app()[name].assemble_argument_collection()
        for flag in flag_names(names):
            shown = re.search(rf"--{flag}(?: --no-{flag})?(?= )(.*)", out)
            words = re.sub(r"\b[A-Z]+\b(\.\.\.)?|\[.*?\]", "", shown[1])
            assert re.search(r"[a-z]{2}", words), (name, flag)


def test_every_flag_is_a_commands_or_general():
    flags = flag_names(build_app()["train"].assemble_argument_collection())
    assert {"data", "out", "on-bad-image", "epochs", "overwrite"} < set(flags)
    assert "console" not in flags


@pytest.mark.parametrize(
    "argv",
    [
        ("train", "--data", "nowhere", "--out", "m.keras"),
        ("train", "--data", "folder:nowhere", "--out", "m.keras"),
        ("train", "--data", "embedded:digits", "--out", "nowhere/m.keras"),
        ("summary", "nowhere.keras"),
        ("evaluate", "here.keras", "--data", "embedded:digits"),
        ("remove-domain", "here.keras", "--domain", "x", "--out", "m.keras"),
    ],
)
def test_a_wrong_path_is_refused_before_keras_is_imported(tmp_path, argv):
    (tmp_path / "here.keras").write_text("no model")
    code = (
        "import sys; from keras_mdl.cli import main; "
        f"status = main({argv!r}); "
        f"print(status, [m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, cwd=tmp_path,
    )  # fmt: skip
    assert done.stdout.strip() == "2 []", done.stderr
    assert "here" in done.stderr


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        (["a/0.png", "b/0.png"], "cannot be read"),
        (["a/train/c/0.png", "a/val/c/0.png", "b/0.png"], "not a class"),
        (["a/0.png"], "at least two"),
    ],
)
def test_a_bad_folder_is_refused_before_keras_is_imported(
    tmp_path, paths, message
):
    for path in paths:
        (tmp_path / "d" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "d" / path).write_text("no image")
    argv = ("train", "--data", "d", "--out", "m.keras")
    code = (
        "import sys; from keras_mdl.cli import main; "
        f"status = main({argv!r}); "
        "print(status, {'keras', 'tensorflow', 'jax'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, cwd=tmp_path,
    )  # fmt: skip
    assert done.stdout.strip() == "2 set()", done.stderr
    assert message in done.stderr
