"""What the README and docs/ promise, as far as it can be run."""

import importlib.util
import pathlib
import re
import subprocess
import sys

import keras
import pytest

ROOT = pathlib.Path(__file__).parent.parent
README = ROOT / "README.md"
PAGES = (README, *sorted((ROOT / "docs").rglob("*.md")))


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow",
    reason="the README's first example uses the TensorFlow pipeline",
)
def test_first_example_runs_and_prints_what_it_says(capsys):
    text = README.read_text(encoding="utf-8")
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL).group(1)
    exec(compile(code, "README.md", "exec"), {})
    assert "['domains/glyphs']" in capsys.readouterr().out


def test_tables_of_results_come_from_the_stored_rows(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import tables

    sys.modules.pop("tables")
    made = []
    for page in (*PAGES, ROOT / "export" / "README.md"):
        text = page.read_text(encoding="utf-8")
        found = re.findall(r"<!-- end of (\w+) table -->", text)
        assert page in tables.PAGES or not found, page
        assert tables.with_tables(text) == text, page
        made += found
    assert sorted(made) == sorted(tables.TABLES)  # each stands in one place


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_named_and_linked_files_exist(page):
    text = page.read_text(encoding="utf-8")
    named = re.findall(
        r"`((?:keras_mdl|benchmarks|export|notebooks|tests|docs)/[\w./]*)`",
        text,
    )
    missing = [p for p in named if not (ROOT / p).exists()]
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    linked = re.findall(r"\]\(([^)#:]+)[^)]*\)", prose)
    missing += [p for p in linked if not (page.parent / p).exists()]
    assert not missing


@pytest.mark.skipif(
    importlib.util.find_spec("mkdocs") is None,
    reason="needs the extra `docs`",
)
def test_the_pages_build_without_a_warning(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet",
         "--site-dir", tmp_path],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "guide" / "first_steps" / "index.html").is_file()
