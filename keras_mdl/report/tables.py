"""HTML tables and picture grids of a report."""

import base64
import io
from html import escape

from keras_mdl.report.text import method_label, percent

_MARKS = {
    "new": ("+", "new"),
    "trained": ("●", "trained"),
    "unchanged": ("=", "unchanged"),
    "CHANGED": ("✗", "changed"),
    "MISSING": ("✗", "missing"),
}


def table(rows, caption, numeric_from=1):
    """Rows of strings as an HTML table, the first row the heading."""
    head = "".join(
        f'<th scope="col"{_numeric(i, numeric_from)}>{escape(str(c))}</th>'
        for i, c in enumerate(rows[0])
    )
    body = []
    for row in rows[1:]:
        cells = [f'<th scope="row">{escape(str(row[0]))}</th>']
        for i, cell in enumerate(row[1:], start=1):
            kind = _numeric(i, numeric_from)
            cells.append(f"<td{kind}>{escape(str(cell))}</td>")
        body.append(f"<tr>{''.join(cells)}</tr>")
    return (
        f'<div class="wide"><table><caption>{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def _numeric(column, first):
    return ' class="n"' if column >= first else ""


def isolation_table(contents):
    """Steps against parts; a cell says whether the digest is the old one."""
    parts = list(
        dict.fromkeys(p for row in contents.isolation for p in row["states"])
    )
    head = "".join(
        f'<th scope="col">{escape(p.removeprefix("domains/"))}</th>'
        for p in parts
    )
    body = []
    for row in contents.isolation:
        cells = [f'<th scope="row">{escape(row["step"])}</th>']
        for part in parts:
            state = row["states"].get(part)
            if state is None:
                cells.append('<td class="none"></td>')
                continue
            mark, word = _MARKS.get(state, ("", state))
            digest = row["digests"].get(part, "")[:8]
            cells.append(
                f'<td class="s-{word}"><span aria-hidden="true">{mark}</span> '
                f"{word}<br><code>{escape(digest)}</code></td>"
            )
        body.append(f"<tr>{''.join(cells)}</tr>")
    return (
        '<div class="wide"><table class="isolation"><caption>SHA-256 of '
        "weights and BatchNorm statistics after each step (first 8 digits); "
        "“unchanged” means bit-identical to the row above.</caption>"
        f'<thead><tr><th scope="col">after the step</th>{head}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def metrics_table(contents):
    """All rows of `metrics.csv`."""
    rows = [
        ["domain", "method", "measured", "split", "accuracy", "loss",
         "parameters added", "seconds"]
    ]  # fmt: skip
    for r in contents.metrics:
        added, seconds = r["parameters_added"], r["seconds"]
        rows.append(
            [
                r["domain"],
                method_label(r["method"]),
                r["step"],
                r["split"],
                percent(r["accuracy"]),
                f"{r['loss']:.3f}",
                "" if added is None else f"{added:,}",
                "" if seconds is None else f"{seconds:.1f}",
            ]
        )
    return table(
        rows,
        "“trained”: in the last epoch of the training (the training split with "
        "augmentation, averaged over the epoch); “reloaded”: by the network "
        "loaded from the saved file.",
        numeric_from=4,
    )


def cost_table(contents):
    """Numbers and bytes of the trunk and of each domain."""
    rows = [["", "parameters", "of it classifier", "statistics", "KiB", "MACs"]]
    for r in contents.parameters:
        rows.append(
            [
                r["owner"],
                f"{r['parameters']:,}",
                f"{r['head']:,}" if r["head"] else "",
                f"{r['statistics']:,}" if r["statistics"] else "",
                f"{r['bytes'] / 1024:,.0f}",
                f"{r['macs'] / 1e6:.1f} M" if r["macs"] else "",
            ]
        )
    return table(rows, "The trunk is stored once, a slot for each domain.")


def export_table(export):
    """Sizes and answers of the exported files, domain by domain."""
    rows = [["", "file, kB", "own part, kB", "pack, kB", "trunk shared",
             "in Keras", "exported", "same class", "images"]]  # fmt: skip
    for d in export["domains"]:
        rows.append(
            [
                d["domain"],
                *(f"{d[k] / 1000:,.0f}" for k in ("complete", "head", "pack")),
                percent(d["shared"]),
                percent(d["accuracy_keras"]),
                percent(d["accuracy"]),
                percent(d["agreement"]),
                f"{d['images']:,}",
            ]
        )
    return table(
        rows,
        "Accuracy on validation images, of the Keras network and of the file "
        "on LiteRT. Own part: what the domain adds to a device that has the "
        "trunk; pack: the same compressed, for an update over the air.",
    )


def sample_grid(contents):
    """Validation images of each domain with predictions; wrong ones marked."""
    groups = []
    for domain, samples in contents.samples.items():
        figures = "".join(_sample(s, domain) for s in samples)
        groups.append(
            f'<h3>{escape(domain)}</h3><div class="samples">{figures}</div>'
        )
    return "".join(groups)


def _sample(sample, domain):
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(sample.image).save(buffer, "PNG")
    data = base64.b64encode(buffer.getvalue()).decode()
    label, predicted = _breakable(sample.label), _breakable(sample.predicted)
    alt = escape(f"validation image of {domain}, labelled {sample.label}")
    if sample.right:
        kind, caption = "right", f"✓ {predicted}"
    else:
        kind = "wrong"
        caption = f"✗ {predicted}<br><small>is {label}</small>"
    return (
        f'<figure class="{kind}"><img src="data:image/png;base64,{data}" '
        f'alt="{alt}"><figcaption>{caption}</figcaption></figure>'
    )


def _breakable(name):
    """A class name that a narrow caption can break after `_`."""
    return escape(name).replace("_", "_<wbr>")
