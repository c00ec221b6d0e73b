"""`write_compare_report`: a comparison of methods as one HTML page."""

from functools import partial
from html import escape

from keras_mdl.files import write_text
from keras_mdl.report.compare_figure import accuracy_against_bytes
from keras_mdl.report.document import definitions, document
from keras_mdl.report.tables import table
from keras_mdl.report.text import format_table, method_label, percent
from keras_mdl.report.theme import picture


def write_compare_report(summary, path):
    """Writes a self-contained HTML page: no scripts, nothing to fetch.

    Args:
        summary: `Summary`.
        path: File to write, atomically.
    """
    write_text(path, render_compare_report(summary))


def render_compare_report(summary):
    """The page as a string."""
    sections = (
        _head(summary),
        _picture(summary),
        _accuracy(summary),
        _cost(summary),
        _settings(summary),
    )
    return document(summary.title, [s for s in sections if s])


def points_of(summary):
    """What the picture shows: `(method, bytes, mean, half range)` each."""
    return [
        (m.method, m.costs["stored_bytes"], m.mean.mean, m.mean.half)
        for m in summary.methods
        if m.mean is not None
    ]


def compare_text(summary):
    """The result on a terminal."""
    rows = [["method", "mean accuracy", "S", "added KiB", "MACs", "seconds"]]
    for m in summary.methods:
        mean = _spread(m.mean) if m.mean else f"{m.trainings[0]} trainings"
        rows.append(
            [
                m.method,
                mean,
                "" if m.score is None else f"{m.score:.0f}",
                f"{m.costs['stored_bytes'] / 1024:,.1f}",
                f"{m.costs['macs_folded'] / 1e6:,.1f} M",
                f"{m.costs['seconds']:,.0f}",
            ]
        )
    return format_table(rows, "<>")


def _head(summary):
    count, seeds = len(summary.domains), len(summary.seeds)
    lead = (
        f"{len(summary.methods)} methods on {_number(count, 'domain')}, "
        f"{_number(seeds, 'seed')}, all from the same trained base. "
        + (
            "After every training the trunk and the other domains were "
            "bit-identical."
            if summary.isolated
            else "ISOLATION WAS VIOLATED."
        )
    )
    unfinished = (
        "" if summary.complete else "<p>Some trainings are missing: methods "
        "without all of them have no mean and no S.</p>"
    )  # fmt: skip
    return (
        f"<h1>{escape(summary.title)}</h1>"
        f'<p class="lead">{escape(lead)}</p>'
        f'<div class="note"><p>{_CAVEAT}</p>{unfinished}</div>'
    )


_CAVEAT = (
    "These are accuracies on the validation splits after the last epoch; no "
    "epoch was selected. Methods trained with the settings below: where they "
    "suit a method less well, it looks worse than it is. "
    "The figures say nothing about hidden test sets."
)


def _picture(summary):
    points = points_of(summary)
    if not points:
        return ""
    alt = (
        "Mean validation accuracy against the bytes that one more domain adds. "
        + " ".join(
            f"{method_label(m)}: {percent(mean)} at {_kib(size)}."
            for m, size, mean, _ in points
        )
    )
    seeds = len(summary.seeds)
    return (
        "<h2>Accuracy against what a domain adds</h2>"
        "<p>Up is better, left is smaller. Each point is a method: its mean "
        "accuracy over all domains, and what one more domain adds to trunk "
        "and base"
        + (", with half the range between seeds as bars" if seeds > 1 else "")
        + ".</p>"
        + picture(partial(accuracy_against_bytes, points), alt)
    )


def _accuracy(summary):
    heading = ["method", *summary.domains, "mean", "S"]
    classes = ["classes", *(str(summary.classes.get(d, "")) for d in
                            summary.domains), "", ""]  # fmt: skip
    rows = [heading, classes]
    for m in summary.methods:
        rows.append(
            [
                method_label(m.method),
                *(_spread(m.accuracy.get(d)) for d in summary.domains),
                _spread(m.mean)
                or f"{m.trainings[0]} of {m.trainings[1]} trainings",
                "" if m.score is None else f"{m.score:.0f}",
            ]
        )
    base = summary.base
    caption = (
        "Validation accuracy in percent, mean over seeds ± half the range "
        f"between them. {summary.score_note}"
    )
    if base is not None:
        caption += f" The base has {_spread(base)} on its own domain."
    return "<h2>Accuracy</h2>" + table(rows, caption)


def _cost(summary):
    rows = [
        ["method", "parameters", "with head", "KiB", "with head",
         "statistics, KiB", "shared numbers", "MACs", "folded", "epochs",
         "seconds"]
    ]  # fmt: skip
    for m in summary.methods:
        c = m.costs
        rows.append(
            [
                method_label(m.method),
                *(f"{c[k]:,.0f}" for k in ("numbers", "numbers_with_head")),
                *(
                    f"{c[k] / 1024:,.1f}"
                    for k in ("bytes", "bytes_with_head", "statistics_bytes")
                ),
                f"{c['shared']:,.0f}",
                *(f"{c[k] / 1e6:,.2f} M" for k in ("macs", "macs_folded")),
                f"{c['epochs']:,.1f}",
                f"{c['seconds']:,.1f}",
            ]
        )
    return (
        "<h2>What one more domain costs</h2>"
        "<p>Private is what may differ from the base when a method has "
        "trained: what must be kept beside trunk and base. Parts of a slot "
        "that a method does not train equal the base's bit for bit (which was "
        "checked) and are not counted. Numbers take 4 bytes, a mask's 1 bit, "
        "a ternary mask's 2. BatchNorm statistics are stored and not trained: "
        "they have a column of their own.</p>"
        + table(
            rows,
            "Private parameters and bytes of one domain, without and with its "
            "classifier; what it reads of the base; multiply-accumulates of "
            "an image while training, and folded for use; epochs and seconds "
            "of one training. Means over domains and seeds.",
        )
    )


def _settings(summary):
    return (
        "<h2>Settings and versions</h2>"
        '<div class="pair"><div><h3>Settings</h3>'
        f"{definitions(summary.settings)}</div><div><h3>Environment</h3>"
        f"{definitions(summary.environment)}</div></div>"
    )


def _spread(spread):
    if spread is None:
        return ""
    text = f"{100 * spread.mean:.1f}"
    return f"{text} ± {100 * spread.half:.1f}" if spread.half else text


def _kib(size):
    return f"{size / 1024:,.1f} KiB"


def _number(count, what):
    return f"{count} {what}{'s' if count > 1 else ''}"
