"""The README's promises that can be run."""

import pathlib
import re
import sys

import keras
import pytest

ROOT = pathlib.Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow",
    reason="the README's first example uses the TensorFlow pipeline",
)
def test_first_example_runs_and_prints_what_it_says(capsys):
    code = re.search(r"```python\n(.*?)```", README, re.DOTALL).group(1)
    exec(compile(code, "README.md", "exec"), {})
    assert "['domains/glyphs']" in capsys.readouterr().out


def test_tables_of_results_come_from_the_stored_rows(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import tables

    sys.modules.pop("tables")
    for page in tables.PAGES:
        text = page.read_text(encoding="utf-8")
        assert tables.with_tables(text) == text, page.name


def test_links_to_files_of_the_project_exist():
    paths = re.findall(r"`((?:keras_mdl|benchmarks|export)/[\w./]*)`", README)
    assert paths
    missing = [p for p in paths if not (ROOT / p).exists()]
    assert not missing
