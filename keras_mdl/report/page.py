"""`write_report`: a run as one HTML page that needs nothing else."""

import math
from functools import partial
from html import escape

from keras_mdl.files import write_text
from keras_mdl.report import figures, tables
from keras_mdl.report.document import definitions, document
from keras_mdl.report.text import (
    accuracy_rows,
    method_label,
    methods_of,
    percent,
    totals,
)
from keras_mdl.report.theme import picture


def write_report(contents, path):
    """Writes a self-contained HTML page: no scripts, nothing to fetch.

    Args:
        contents: `Contents`.
        path: File to write, atomically.
    """
    write_text(path, render_report(contents))


def render_report(contents):
    """The page as a string."""
    sections = (
        _head(contents),
        _accuracy(contents),
        _parameters(contents),
        _isolation(contents),
        _curves(contents),
        _soft_sharing(contents),
        _export(contents),
        _samples(contents),
        _metrics(contents),
        _settings(contents),
    )
    return document(contents.title, sections)


def headline(contents):
    """The result in one or two sentences."""
    shared, separate = totals(contents)
    count = len(contents.further)
    text = (
        f"One network of {shared:,} parameters classifies "
        f"{len(contents.domains)} domains; separate networks would need "
        f"{separate:,}, {separate / shared:.1f} times as many. "
    )
    means = [
        f"{method_label(m)} {percent(mean)}"
        for m in methods_of(contents)
        if (mean := _mean_accuracy(contents, m)) is not None
    ]
    return text + (
        f"Mean validation accuracy on the {count} added domains: "
        f"{', '.join(means)}. "
        + (
            "After every step everything that was not being trained was "
            "bit-identical."
            if contents.isolated
            else "ISOLATION WAS VIOLATED: see the table below."
        )
    )


def _mean_accuracy(contents, method):
    found = [contents.accuracy(d, method) for d in contents.further]
    found = [a for a in found if a is not None]
    return sum(found) / len(found) if found else None


def _head(contents):
    return (
        f"<h1>{escape(contents.title)}</h1>"
        f'<p class="lead">{escape(headline(contents))}</p>'
        f'<div class="note"><p>{_CAVEAT}</p></div>'
    )


_CAVEAT = (
    "These are validation accuracies on small data sets that come inside "
    "Python packages or are drawn by a program, after minutes of training on "
    "whatever machine ran it. They show that the method works as described; "
    "they are not benchmark results and say nothing about the hidden test "
    "sets of the Visual Decathlon. One seed, so differences of a few percent "
    "mean nothing."
)


def _accuracy(contents):
    alt = "Validation accuracy. " + " ".join(
        f"{d}: "
        + ", ".join(
            f"{method_label(m)} {percent(contents.accuracy(d, m))}"
            for m in methods_of(contents)
        )
        + "."
        for d in contents.further
    )
    facts = "".join(
        f"<dt>{escape(d.name)}</dt><dd>{d.classes} classes, {d.train:,} "
        f"training and {d.validation:,} validation images. "
        f"{escape(d.provenance)}</dd>"
        for d in contents.domains
    )
    return (
        "<h2>How well it works</h2>"
        "<p>Each domain was added to the same trained base three times, with "
        "the same images, augmentation and number of epochs. "
        "<b>Classifier only</b>: a new classifier on frozen features (with a "
        "larger learning rate, which suits it better). "
        "<b>Proposed</b>: the domain gets its own depthwise kernels, "
        "BatchNorms, last pointwise kernel and classifier; the shared "
        "pointwise kernels stay as they are. <b>Individual</b>: a copy of "
        "the whole network, all of it trained.</p>"
        + picture(partial(figures.accuracy_bars, contents), alt)
        + tables.table(
            accuracy_rows(contents),
            f"Validation accuracy. {contents.base} is the base domain, on "
            "which the trunk was trained. Private parameters: what the domain "
            "adds to the shared network.",
        )
        + f"<h3>The domains</h3><dl>{facts}</dl>"
    )


def _parameters(contents):
    shared, separate = totals(contents)
    trunk = contents.numbers("trunk")
    further = [contents.numbers(d) for d in contents.further]
    mean = sum(r["bytes"] for r in further) / max(len(further), 1)
    whole = trunk["bytes"] + mean
    alt = (
        f"Stacked bars. {len(contents.domains)} separate networks: "
        f"{separate:,} parameters. One trunk and slots: {shared:,}, of "
        f"which {trunk['parameters']:,} are shared."
    )
    return (
        "<h2>What is shared, and what a domain costs</h2>"
        f"<p>A further domain costs {mean / 1024:,.0f} KiB on average; a "
        f"network of its own would cost {whole / 1024:,.0f} KiB.</p>"
        + picture(partial(figures.parameter_bars, contents), alt)
        + tables.cost_table(contents)
    )


def _isolation(contents):
    verdict = (
        "No step changed a bit of the trunk or of another domain."
        if contents.isolated
        else "A step changed what it must not change."
    )
    return (
        "<h2>No domain disturbed another</h2>"
        f"<p>{verdict} Before and after each step, all variables were hashed: "
        "weights and BatchNorm statistics, trunk and each domain apart.</p>"
        + tables.isolation_table(contents)
    )


def _curves(contents):
    names = ", ".join(d.name for d in contents.domains)
    return "<h2>Training</h2>" + picture(
        partial(figures.training_curves, contents),
        f"Validation accuracy after each epoch, one plot for each of: "
        f"{names}. The last values are in the table of all measurements.",
    )


def _soft_sharing(contents):
    found = contents.soft_sharing
    if found is None:
        return ""
    target, accuracy = escape(found["target"]), found["accuracy"]
    gates = found["gates"]
    alt = "Mean gate weights. " + " ".join(
        f"{g['layer']}: "
        + ", ".join(f"{d} {w:.2f}" for d, w in g["weights"].items())
        + "."
        for g in gates
    )
    return (
        "<h2>Soft sharing</h2>"
        f"<p>An experiment beside the network: in {len(gates)} layers of "
        f"<b>{target}</b> a small gate looks at the image and mixes the "
        "trained depthwise filters of all domains; only the gates train. "
        f"Validation accuracy: {percent(accuracy['hard'])} before, "
        f"{percent(accuracy['gated'])} with gates, "
        f"{percent(accuracy['collapsed'])} with the gates folded into ordinary "
        "filters by their mean weights (no cost in use). Between images the "
        f"mixed filters vary by {100 * found['variation']:.1f} % of their size "
        "at most.</p>"
        + picture(partial(figures.gate_heat_map, gates), alt)
        + tables.table(
            [["layer", "entropy of the weights", "variation of the filter"]]
            + [
                [g["layer"], f"{g['entropy']:.2f}", f"{g['variation']:.4f}"]
                for g in gates
            ],
            "Entropy, mean over images, in nats: 0 where one domain has all "
            f"the weight, {math.log(len(gates[0]['weights'])):.2f} where all "
            "have the same. Variation: how much the mixed filter differs "
            "between images, as a part of its size.",
        )
    )


def _export(contents):
    found = contents.export
    if found is None:
        return ""
    sizes, count = found["sizes"], len(found["domains"])
    alt = "Bytes. " + " ".join(
        f"{k}: {v / 1000:,.0f} kB." for k, v in sizes.items()
    )
    own = sum(d["head"] for d in found["domains"]) / count
    return (
        "<h2>On the device</h2>"
        f"<p>Exported in mode <code>{escape(found['mode'])}</code>, and every "
        "file run on LiteRT beside the Keras network. The int8 kernels of the "
        f"trunk, {sizes['trunk'] / 1000:,.0f} kB, are the identical end of "
        f"all {count} files; a further domain needs {own / 1000:,.0f} kB of "
        "its own on average.</p>"
        + picture(partial(figures.export_bars, found), alt)
        + tables.export_table(found)
    )


def _samples(contents):
    return (
        "<h2>Sample predictions</h2>"
        "<p>Validation images, spread evenly over the classes and not chosen "
        "by the result; predicted by the network loaded from the saved file. "
        "✓ right, ✗ wrong.</p>" + tables.sample_grid(contents)
    )


def _metrics(contents):
    return "<h2>All measurements</h2>" + tables.metrics_table(contents)


def _settings(contents):
    return (
        "<h2>Settings and versions</h2>"
        f"<p>Repeat this run: <code>{escape(contents.command)}</code></p>"
        f'<div class="pair"><div><h3>Settings</h3>'
        f"{definitions(contents.settings)}</div><div><h3>Environment</h3>"
        f"{definitions(contents.environment)}</div></div>"
    )
