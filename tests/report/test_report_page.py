"""The report: complete, self-contained, and true to its numbers."""

import html.parser
import re
from dataclasses import replace

import numpy as np
import pytest

from keras_mdl.report import write_report
from keras_mdl.report.contents import Contents, DomainFacts, Sample
from keras_mdl.report.page import headline, render_report
from keras_mdl.report.text import summary_text
from keras_mdl.tables import format_table

METHODS = {"classifier_only": 0.4, "pointwise_sharing": 0.7, "individual": 0.8}


def _row(step, domain, method, split, accuracy):
    return {
        "step": step,
        "domain": domain,
        "method": method,
        "split": split,
        "accuracy": accuracy,
        "loss": 0.5,
        "parameters_added": 100 if step == "trained" else None,
        "seconds": 1.5,
    }


def _parameters(owner, count):
    return {
        "owner": owner,
        "parameters": count,
        "head": 0 if owner == "trunk" else 10,
        "statistics": 0 if owner == "trunk" else 20,
        "macs": 0 if owner == "trunk" else 2_000_000,
        "bytes": 4 * count,
    }


@pytest.fixture(scope="module")
def contents():
    further = ["one", "two"]
    metrics = [_row("trained", "ground", "base", "validation", 0.9)]
    history = [
        {"domain": "ground", "method": "base", "epoch": e, "val_accuracy": 0.5}
        for e in (1, 2)
    ]
    for domain in further:
        for method, accuracy in METHODS.items():
            metrics.append(
                _row("trained", domain, method, "validation", accuracy)
            )
            history.append(
                {"domain": domain, "method": method, "epoch": 1,
                 "val_accuracy": accuracy}
            )  # fmt: skip
    names = ["ground", *further]
    states = {"trunk": "new", "domains/ground": "new"}
    later = {"trunk": "unchanged", "domains/ground": "unchanged",
             "domains/one": "new"}  # fmt: skip
    pixels = np.zeros((8, 8, 3), np.uint8)
    return Contents(
        title="One network, 3 visual domains",
        base="ground",
        domains=[DomainFacts(n, 4, 100, 20, f"from <{n}>") for n in names],
        metrics=metrics,
        history=history,
        isolation=[
            {"step": "base", "states": states,
             "digests": dict.fromkeys(states, "ab" * 32)},
            {"step": "one added", "states": later,
             "digests": dict.fromkeys(later, "cd" * 32)},
        ],
        parameters=[
            _parameters("trunk", 1000), *(_parameters(n, 100) for n in names)
        ],
        samples={
            "one": [
                Sample(pixels, "cat", "cat"), Sample(pixels, "cat", "a_<dog>")
            ]
        },
        settings={"seed": 0, "methods": ["a", "b"]},
        environment={"keras": "3.0", "cpu": "fast & new"},
        command="keras-mdl demo --name x",
        soft_sharing={
            "target": "two",
            "accuracy": {"hard": 0.7, "gated": 0.72, "collapsed": 0.715},
            "variation": 0.04,
            "gates": [
                {"layer": f"layer{i}", "entropy": 0.5, "variation": 0.04,
                 "spread": 0.1, "weights": {"one": 0.25, "two": 0.75}}
                for i in range(3)
            ],
        },
        export={
            "mode": "dyn_conv",
            "sizes": {"separate": 15_000, "trunk": 4_000, "bundle": 6_500},
            "domains": [
                {"domain": n, "complete": 5_000, "pack": 900, "shared": 1.0,
                 "accuracy_keras": 0.7, "accuracy": 0.69, "agreement": 0.98,
                 "images": 20}
                for n in names
            ],
        },
    )  # fmt: skip


@pytest.fixture(scope="module")
def page(contents):
    return render_report(contents)


def test_every_section_is_there(page):
    headings = re.findall(r"<h2>(.*?)</h2>", page)
    assert headings == [
        "How well it works",
        "What is shared, and what a domain costs",
        "No domain disturbed another",
        "Training",
        "Soft sharing",
        "On the device",
        "Sample predictions",
        "All measurements",
        "Settings and versions",
    ]
    assert "validation accuracies on small data sets" in page
    assert "keras-mdl demo --name x" in page


def test_nothing_is_fetched_and_nothing_runs(page):
    sources = re.findall(r'(?:src|srcset|href)="(.*?)"', page)
    assert sources
    assert all(s.startswith("data:image/") for s in sources)
    without_data = re.sub(r'"data:image/[^"]*"', '""', page)
    assert "http" not in without_data
    assert "<script" not in page
    assert "@import" not in page
    assert "url(" not in without_data


def test_pictures_have_alternatives_for_both_themes(page):
    images = re.findall(r"<img .*?>", page)
    assert images
    for image in images:
        assert len(re.search(r'alt="(.*?)"', image).group(1)) > 20
    assert page.count('prefers-color-scheme: dark)" srcset=') == 5
    accuracy = re.search(r'alt="(Validation accuracy\. .*?)"', page).group(1)
    assert "one: classifier only 40.0 %, pointwise sharing 70.0 %" in accuracy


def test_tags_are_balanced_and_text_is_escaped(page):
    void = {"meta", "img", "br", "source", "wbr"}

    class Checker(html.parser.HTMLParser):
        open_tags = []

        def handle_starttag(self, tag, attrs):
            if tag not in void:
                self.open_tags.append(tag)

        def handle_endtag(self, tag):
            assert self.open_tags.pop() == tag

    checker = Checker()
    checker.feed(page)
    assert not checker.open_tags
    assert "from &lt;one&gt;" in page
    assert "fast &amp; new" in page
    assert "a_<wbr>&lt;dog&gt;" in page


def test_headline_has_the_numbers(contents):
    text = headline(contents)
    # 1000 + 3 * 100 against 3 * 1100.
    assert "1,300 parameters" in text
    assert "3,300, 2.5 times" in text
    assert "pointwise sharing 70.0 %" in text
    assert "bit-identical" in text


def test_violations_are_loud(contents, page):
    assert contents.isolated
    assert "s-changed" not in page.split("</style>")[1]
    row = contents.isolation[1]
    broken = {**row, "states": {**row["states"], "trunk": "CHANGED"}}
    contents = replace(contents, isolation=[contents.isolation[0], broken])
    page = render_report(contents).split("</style>")[1]
    assert 's-changed"' in page
    assert "ISOLATION WAS VIOLATED" in page
    assert "VIOLATED" in summary_text(contents)


def test_wrong_samples_are_marked(page):
    assert page.count('<figure class="right">') == 1
    assert page.count('<figure class="wrong">') == 1


def test_same_contents_same_bytes(contents, tmp_path):
    a, b = tmp_path / "a.html", tmp_path / "b.html"
    write_report(contents, a)
    write_report(contents, b)
    assert a.read_bytes() == b.read_bytes()


def test_summary_text(contents):
    text = summary_text(contents)
    line = next(x for x in text.splitlines() if x.startswith("one"))
    assert line.split() == [
        "one", "4", "40.0", "%", "70.0", "%", "80.0", "%", "100",
    ]  # fmt: skip
    assert "shared by 3 domains" in text
    assert "trunk 4 kB once and 3 kB of own parts; 3 separate" in text
    assert "for 98.0 % of the images" in text


def test_format_table():
    assert format_table([["a", "n"], ["bb", "10"]], "<>") == (
        "a    n\n------\nbb  10"
    )


def test_soft_sharing_is_told_in_words_and_numbers(contents, page):
    told = "70.0 % before, 72.0 % with gates, 71.5 % with the gates collapsed"
    page = " ".join(page.split())
    assert told in page
    assert "vary by 4.0 % of their size" in page
    assert "layer0: one 0.25, two 0.75." in page
    assert ">0.50</td>" in page
    assert "0.69 where all have the same" in page


def test_what_a_domain_adds_on_a_device(page):
    page = " ".join(page.split())
    assert "further domain needs 1 kB of its own on average" in page
    assert (
        '<th scope="row">one</th><td class="n">5</td><td class="n">1</td>'
        '<td class="n">1</td><td class="n">100.0 %</td>' in page
    )


def test_runs_without_comparisons_and_experiments(contents):
    only = [
        r for r in contents.metrics
        if r["method"] in ("base", "pointwise_sharing")
    ]  # fmt: skip
    contents = replace(contents, metrics=only, soft_sharing=None, export=None)
    page = render_report(contents)
    assert "Soft sharing" not in page
    assert "On the device" not in page
    assert "On the device" not in summary_text(contents)
    assert "pointwise sharing 70.0 %" in page
    assert "individual 8" not in page
