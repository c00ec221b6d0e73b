"""The comparison's summary, page and picture: true to the rows."""

import html.parser
import re

import pytest
from matplotlib.figure import Figure

from keras_mdl.report import compare_page
from keras_mdl.report.compare_figure import accuracy_against_bytes
from keras_mdl.report.compare_page import (
    compare_text,
    points_of,
    render_compare_report,
    write_compare_report,
)
from keras_mdl.report.compare_summary import summarize_rows
from keras_mdl.report.theme import DARK, LIGHT
from keras_mdl.score import score_over_domains

SETTINGS = {
    "name": "a <small> one",
    "base": {"data": "ground=embedded:shapes", "epochs": 1},
    "domains": [{"data": "one=embedded:digits"}, {"data": "two=x"}],
    "methods": [
        "classifier_only", {"pointwise_sharing": {"learning_rate": 0.1}},
        "piggyback", "individual",
    ],
    "seeds": [0, 1],
}  # fmt: skip
# Accuracy on one and two, seed 0; seed 1 is 0.02 better.
ACCURACY = {
    "classifier_only": (0.4, 0.5),
    "pointwise_sharing": (0.7, 0.8),
    "piggyback": (0.5, 0.5),
    "individual": (0.8, 0.9),
}
BYTES = {
    "classifier_only": 3_000,
    "pointwise_sharing": 60_000,
    "piggyback": 9_000,
    "individual": 200_000,
}


def make_row(method, domain, seed, accuracy):
    row = dict.fromkeys(
        ("numbers", "numbers_with_head", "bytes", "bytes_with_head",
         "statistics_bytes", "shared", "macs", "macs_folded", "epochs",
         "seconds"), 1000,
    )  # fmt: skip
    return {
        **row,
        "seed": seed,
        "domain": domain,
        "method": method,
        "accuracy": accuracy,
        "classes": 10,
        "stored_bytes": BYTES.get(method, 1),
        "others_bit_identical": method != "base",
        "keras": "3.0",
        "cpu": "fast & new" if seed else "slow",
    }


@pytest.fixture
def rows():
    found = [make_row("base", "ground", s, 0.6 + 0.1 * s) for s in (0, 1)]
    for method, values in ACCURACY.items():
        for domain, value in zip(("one", "two"), values, strict=True):
            found += [
                make_row(method, domain, s, value + 0.02 * s) for s in (0, 1)
            ]
    return found


@pytest.fixture
def summary(rows):
    return summarize_rows(rows, SETTINGS)


@pytest.fixture
def quick(monkeypatch):
    """An empty figure, for tests of a page's words."""
    monkeypatch.setattr(
        compare_page, "accuracy_against_bytes", lambda *_: Figure()
    )


def test_means_are_over_domains_and_half_ranges_over_seeds(summary):
    sharing = summary.methods[1]
    assert sharing.accuracy["one"].mean == pytest.approx(0.71)
    assert sharing.accuracy["one"].half == pytest.approx(0.01)
    assert sharing.mean.mean == pytest.approx(0.76)
    assert sharing.mean.half == pytest.approx(0.01)
    assert summary.base.mean == pytest.approx(0.65)
    assert summary.isolated
    assert summary.complete


def test_score_has_the_individual_networks_as_reference(summary):
    scores = {m.method: m.score for m in summary.methods}
    assert scores["individual"] == pytest.approx(500)
    expected = score_over_domains(
        {"one": 0.71, "two": 0.81}, {"one": 0.81, "two": 0.91}
    )
    assert scores["pointwise_sharing"] == pytest.approx(expected.total)
    assert "'individual' is the reference" in summary.score_note


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda r: r["method"] != "individual", "is not among the methods"),
        (
            lambda r: (r["method"], r["domain"]) != ("individual", "two"),
            "has not finished",
        ),
    ],
    ids=["absent", "unfinished"],
)
@pytest.mark.usefixtures("quick")
def test_without_references_there_is_no_score(rows, change, told):
    summary = summarize_rows([r for r in rows if change(r)], SETTINGS)
    assert all(m.score is None for m in summary.methods)
    assert told in summary.score_note
    assert told in render_compare_report(summary)


def test_perfect_references_give_no_score(rows):
    for r in rows:
        if (r["method"], r["domain"]) == ("individual", "two"):
            r["accuracy"] = 1.0
    summary = summarize_rows(rows, SETTINGS)
    assert all(m.score is None for m in summary.methods)
    assert "no error on two" in summary.score_note


@pytest.mark.usefixtures("quick")
def test_unfinished_methods_have_no_mean_and_no_point(rows):
    rows = [
        r for r in rows
        if (r["method"], r["domain"]) != ("piggyback", "two")
    ]  # fmt: skip
    summary = summarize_rows(rows, SETTINGS)
    piggyback = summary.methods[2]
    assert piggyback.mean is None
    assert piggyback.trainings == (2, 4)
    assert "piggyback" not in [p[0] for p in points_of(summary)]
    page = render_compare_report(summary)
    assert "2 of 4 trainings" in page
    assert "Some trainings are missing" in page
    assert "2 trainings" in compare_text(summary)
    assert summary.to_dicts()[2]["missing"] == 2


@pytest.mark.usefixtures("quick")
def test_a_violation_is_loud(rows):
    rows[-1]["others_bit_identical"] = False
    summary = summarize_rows(rows, SETTINGS)
    assert "ISOLATION WAS VIOLATED" in render_compare_report(summary)
    assert summary.to_dicts()[-1]["others_bit_identical"] is False


def test_rows_alone_are_enough(rows, summary):
    """As a notebook has them: without settings."""
    found = summarize_rows(rows, None)
    assert found.methods == summary.methods
    assert found.domains == ("one", "two")


def test_the_page_is_complete_and_self_contained(summary):
    page = render_compare_report(summary)
    assert re.findall(r"<h2>(.*?)</h2>", page) == [
        "Accuracy against what a domain adds",
        "Accuracy",
        "What one more domain costs",
        "Settings and versions",
    ]
    assert '<td class="n">71.0 ± 1.0</td>' in page
    assert "It is not the Visual Decathlon" in page
    assert "pointwise sharing: 76.0 % at 58.6 KiB." in page
    assert "slow, fast &amp; new" in page
    assert "a &lt;small&gt; one" in page
    sources = re.findall(r'(?:src|srcset|href)="(.*?)"', page)
    assert len(sources) == 2
    assert all(s.startswith("data:image/") for s in sources)
    assert "<script" not in page

    class Checker(html.parser.HTMLParser):
        open_tags = []

        def handle_starttag(self, tag, attrs):
            if tag not in {"meta", "img", "br", "source", "wbr"}:
                self.open_tags.append(tag)

        def handle_endtag(self, tag):
            assert self.open_tags.pop() == tag

    checker = Checker()
    checker.feed(page)
    assert not checker.open_tags


def test_same_rows_same_bytes(summary, tmp_path):
    for name in "ab":
        write_compare_report(summary, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_text_for_a_terminal(summary):
    line = compare_text(summary).splitlines()[3]
    assert line.split()[:5] == ["pointwise_sharing", "76.0", "±", "1.0", "56"]


def boxes(figure):
    """Places of the names and of the points, in pixels."""
    figure.draw_without_rendering()
    ax = figure.axes[0]
    names = [t.get_window_extent() for t in ax.texts]
    points = [
        ax.transData.transform(line.get_xydata()[0])
        for line in ax.lines
        if len(line.get_xydata()) == 1 and line.get_marker() in "o^vDs"
    ]
    return names, points, ax.get_window_extent()


CROWD = [
    ("classifier_only", 2_500, 0.557, 0.004),
    ("classifier_and_norm", 5_300, 0.68, 0.006),
    ("dan_diagonal", 6_000, 0.66, 0.01),
    ("pointwise_sharing", 178_000, 0.761, 0.005),
    ("depthwise_sharing", 740_000, 0.80, 0.004),
    ("serial_adapter", 720_000, 0.805, 0.01),
    ("parallel_adapter", 735_000, 0.79, 0.008),
    ("dan_linear", 700_000, 0.75, 0.004),
    ("dan_low_rank", 380_000, 0.74, 0.004),
    ("piggyback", 24_000, 0.69, 0.01),
    ("piggyback_ternary", 46_000, 0.70, 0.01),
    ("individual", 757_000, 0.809, 0.001),
]


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_the_picture_names_every_method_legibly(theme):
    figure = accuracy_against_bytes(CROWD, theme)
    names, points, inside = boxes(figure)
    assert len(names) == len(points) == len(CROWD)
    for i, a in enumerate(names):
        assert inside.x0 <= a.x0
        assert a.x1 <= inside.x1 + 2
        assert not any(a.contains(x, y) for x, y in points)
        for b in names[:i]:
            assert not (
                min(a.x1, b.x1) - max(a.x0, b.x0) > 2
                and min(a.y1, b.y1) - max(a.y0, b.y0) > 2
            )


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_picture_of_few_methods_has_a_scale(count):
    figure = accuracy_against_bytes(CROWD[:count], LIGHT, compact=True)
    figure.draw_without_rendering()
    ax = figure.axes[0]
    low, high = ax.get_xlim()
    shown = [
        t for which in ("major", "minor")
        for t, place in zip(
            ax.xaxis.get_ticklabels(which=which),
            ax.xaxis.get_ticklocs(minor=which == "minor"),
            strict=True,
        )
        if low <= place <= high and t.get_text()
    ]  # fmt: skip
    assert shown
