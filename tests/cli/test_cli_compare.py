"""`keras-mdl compare`: statuses, what is said, and JSON. Workers are fakes."""

import csv
import json
import pathlib

import pytest
import tiny

RUNS = pathlib.Path(__file__).parent.parent / "runs"


@pytest.fixture
def file(tmp_path, images, monkeypatch):
    """A settings file over class folders, and workers that train nothing."""
    monkeypatch.syspath_prepend(str(RUNS))
    import comparing

    from keras_mdl.runs import engine
    from keras_mdl.runs.compare import plan

    monkeypatch.setattr(plan, "TRIAL", "fake_trial")
    monkeypatch.setattr(engine, "_PAUSE", 0.02)
    return comparing.write_settings(
        tmp_path / "c.yaml",
        base=f"folder:{images['colours']}",
        domains=[f"folder:{images['shades']}"],
    )


def test_from_a_file_to_a_report(file, run, tmp_path):
    out = tmp_path / "out"
    argv = ("compare", file, "--out", out, "--processes", 1)
    status, text, _ = run(*argv)
    assert status == 0
    assert "4 trainings, 0 of them done already; 1 at a time" in text
    assert "[4/4] shades by individual" in text
    assert "report.html" in text
    status, text, err = run(*argv, "--json")
    assert status == 0
    result = json.loads(text)
    assert result["complete"]
    assert result["isolated"]
    assert result["rows"] == 4
    assert "4 of them done already" in err
    with open(out / "summary.csv", newline="") as f:
        rows = list(csv.DictReader(f))
    assert [r["method"] for r in rows] == [
        "pointwise_sharing", "classifier_only", "individual",
    ]  # fmt: skip
    assert [r["score"] for r in result["summary"]][-1] == 250
    assert "<title>tiny - keras_mdl</title>" in (
        (out / "report.html").read_text()
    )


def test_failures_are_told_at_the_end(file, run, tmp_path, monkeypatch):
    monkeypatch.setenv("TROUBLE", "shades")
    status, text, err = run(
        "compare", file, "--out", tmp_path / "out", "--json", "--processes", 1
    )
    assert status == 1
    assert "3 of the jobs failed" in err
    assert "out of luck" in err
    result = json.loads(text)
    assert not result["complete"]
    assert "s0-shades" in result["failures"][0]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("- individual", "- lora", "Known methods: pointwise_sharing"),
        ("size: 16", "pixels: 16", "Known: domains, base"),
        ("size: 16", "size: 12", "divisible by 8"),
    ],
)
def test_bad_input_writes_nothing(file, run, tmp_path, old, new, message):
    file.write_text(file.read_text().replace(old, new))
    status, _, err = run("compare", file, "--out", tmp_path / "out")
    assert status == 2
    assert message in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("command", "content", "message"),
    [
        ("compare", "base: folder:gone\ndomains: [embedded:digits]", "gone"),
        ("compare", "base: embedded:digits\ndomains: [one]", "at least two"),
        ("compare", "domains: [one]", "key 'base' is missing"),
        ("search", "domains: [embedded:digits, embedded:digts]", "'digits'"),
        ("search", "domains: [one=embedded:digits, one]", "'one'"),
    ],
)
def test_images_are_looked_for_before_the_backend_is_loaded(
    run, tmp_path, monkeypatch, command, content, message
):
    def loaded():
        raise AssertionError("the backend was loaded first")

    monkeypatch.setattr("keras_mdl.cli.backend.load_backend", loaded)
    (tmp_path / "one" / "class").mkdir(parents=True)
    file = tmp_path / "file.yaml"
    file.write_text(content)
    status, _, err = run(command, file, "--out", tmp_path / "out")
    assert status == 2, err
    assert message in err
    assert not (tmp_path / "out").exists()


def test_changed_settings_are_refused(file, run, tmp_path):
    out = tmp_path / "out"
    assert run("compare", file, "--out", out)[0] == 0
    before = (out / "compare.yaml").read_text()
    file.write_text(file.read_text().replace("size: 16", "size: 24"))
    status, _, err = run("compare", file, "--out", out)
    assert status == 2
    assert "size: expected 16, received 24" in err
    assert (out / "compare.yaml").read_text() == before


def test_no_such_file(run, tmp_path):
    status, _, err = run(
        "compare", tmp_path / "no.yaml", "--out", tmp_path / "out"
    )
    assert status == 2
    assert "no.yaml" in err


def test_the_example_in_the_help_is_accepted(tmp_path):
    import inspect
    import textwrap

    from keras_mdl.cli.verbs import compare
    from keras_mdl.runs.compare import read_settings

    text = inspect.cleandoc(compare.__doc__)
    text = text[text.index("  name:") : text.index("\n\nEither")]
    tiny.write_images(
        tmp_path / "photos" / "signs", dict.fromkeys("ab", (9, 9, 9)), 1, (8, 8)
    )
    path = tmp_path / "example.yaml"
    path.write_text(textwrap.dedent(text))
    settings = read_settings(path)
    assert settings.overrides == {"classifier_only": {"learning_rate": 0.01}}
    assert [d.name for d in settings.domains] == ["digits", "signs"]
