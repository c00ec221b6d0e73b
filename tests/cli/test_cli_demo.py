"""`demo --quick`: the whole story, with the tiny network."""

import csv
import json

import pytest
import yaml

from keras_mdl import load_model
from keras_mdl.cli import main
from keras_mdl.runs import demo_story as story

FILES = {
    "config.yaml",
    "domains",
    "export",
    "history.csv",
    "isolation.csv",
    "metrics.csv",
    "model.keras",
    "report.html",
    "summary.txt",
    "tensorboard",
}
DOMAINS = ["shapes", "digits", "textures"]


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """A finished run and what the command printed as JSON."""
    out = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        shown = []
        patch.setattr(
            "keras_mdl.cli.console.Console.result",
            lambda self, value: shown.append(json.dumps(value)),
        )
        status = main(
            ["demo", "--quick", "--out", out, "--name", "q", "--json"]
        )
    assert status == 0
    return out / "q", json.loads(shown[0])


def _rows(path):
    with open(path, newline="") as f:
        return list(csv.DictReader(f))


def test_all_files_are_there_and_no_others(demo):
    path, result = demo
    assert {p.name for p in path.iterdir()} == FILES
    assert [p.name for p in path.parent.iterdir()] == ["q"]
    assert result["run"] == str(path)


def test_model_and_domains_fit_together(demo):
    path, _ = demo
    model = load_model(path / "model.keras")
    assert list(model) == DOMAINS
    slots = {p.name for p in (path / "domains").iterdir()}
    assert slots == {f"{d}.safetensors" for d in DOMAINS}
    again = model.without_domain("digits").load_domain(
        path / "domains" / "digits.safetensors"
    )
    assert again.fingerprint() == model.fingerprint()


def test_isolation_is_all_true_and_matches_the_file(demo):
    path, result = demo
    assert result["isolated"] is True
    rows = _rows(path / "isolation.csv")
    # The target of soft sharing changes with its gates, and back.
    changed = [r for r in rows if r["state"] not in ("new", "unchanged")]
    assert [(r["part"], r["state"]) for r in changed] == [
        ("domains/textures", "trained"), ("domains/textures", "restored"),
    ]  # fmt: skip
    first = next(r for r in rows if r["part"] == "domains/textures")
    assert changed[1]["sha256"] == first["sha256"] != changed[0]["sha256"]
    last = {
        r["part"]: r["sha256"] for r in rows if r["step"] == "saved and loaded"
    }
    assert last == load_model(path / "model.keras").fingerprint()


def test_metrics(demo):
    path, result = demo
    rows = _rows(path / "metrics.csv")
    assert len(rows) == len(result["metrics"])
    trained = {
        (r["domain"], r["method"])
        for r in rows
        if (r["step"], r["split"]) == ("trained", "validation")
    }
    methods = ("pointwise_sharing", "classifier_only", "individual")
    assert trained == {("shapes", "base")} | {
        (d, m) for d in DOMAINS[1:] for m in methods
    }
    # What was loaded answers as what was trained.
    accuracy = {
        (r["step"], r["domain"], r["method"]): float(r["accuracy"])
        for r in rows
        if r["split"] == "validation"
    }
    for (step, domain, method), value in accuracy.items():
        if step == "reloaded":
            assert value == pytest.approx(
                accuracy["trained", domain, method], abs=0.01
            )
    added = {r["method"]: int(r["parameters_added"] or 0) for r in rows
             if r["step"] == "trained" and r["domain"] != "shapes"}  # fmt: skip
    assert (
        0
        < added["classifier_only"]
        < added["pointwise_sharing"]
        < added["individual"]
    )


def test_configuration_and_logs(demo):
    path, _ = demo
    config = yaml.safe_load((path / "config.yaml").read_text())
    assert config["demo"]["domains"] == DOMAINS[1:]
    assert config["settings"] == {"name": "q", "seed": 0, "quick": True}
    assert {"keras_mdl", "keras", "numpy", "cpu"} <= set(config["environment"])
    assert len(_rows(path / "history.csv")) == 7
    assert len(list((path / "tensorboard").rglob("events*"))) >= 7
    page = (path / "report.html").read_text()
    assert "One network, 3 visual domains" in page
    assert "gate looks at the image" in page


def test_existing_run_is_refused_at_once(demo, run):
    path, _ = demo
    status, _, err = run("demo", "--out", path.parent, "--name", "q")
    assert status == 2
    assert "--overwrite" in err


def test_bad_names_are_refused(run, tmp_path):
    status, _, err = run("demo", "--out", tmp_path, "--name", "a/b")
    assert status == 2
    assert "name of a run" in err
    assert not list(tmp_path.iterdir())


def test_violated_isolation_fails_the_run(run, tmp_path, monkeypatch):
    def disturbing(self, name, path):
        self.isolation.record(
            "disturbed", {**self.model.fingerprint(), "trunk": "0"}
        )

    monkeypatch.setattr(story.Demo, "add_domain", disturbing)
    status, _, err = run("demo", "--quick", "--out", tmp_path)
    assert status == 1
    assert "bit-identical" in err
    assert not list(tmp_path.iterdir())
