"""Plain-text tables: the end of the demo on a terminal, `summary.txt`."""

LABELS = {
    "base": "base",
    "classifier_only": "classifier only",
    "pointwise_sharing": "proposed",
    "individual": "individual",
}
# From least to most private capacity.
ORDER = ("classifier_only", "pointwise_sharing", "individual")


def method_label(name):
    """How a method is called in tables and plots."""
    return LABELS.get(name, name.replace("_", " "))


def methods_of(contents):
    """The compared methods of a run, in the order of tables and plots."""
    found = dict.fromkeys(
        row["method"] for row in contents.metrics if row["method"] != "base"
    )
    known = [m for m in ORDER if m in found]
    return known + [m for m in found if m not in known]


def format_table(rows, align="<"):
    """Lists of strings as aligned columns, the first row a heading.

    Args:
        rows: Lists of equal length.
        align: One of `<` and `>` per column; the last one repeats.
    """
    align = align + align[-1] * (len(rows[0]) - len(align))
    widths = [max(len(str(r[i])) for r in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join(
            f"{c!s:{a}{w}}" for c, a, w in zip(r, align, widths, strict=True)
        ).rstrip()
        for r in rows
    ]
    lines.insert(1, "-" * max(map(len, lines)))
    return "\n".join(lines)


def percent(value):
    """`0.8123` -> `"81.2 %"`."""
    return "" if value is None else f"{100 * value:.1f} %"


def accuracy_rows(contents):
    """Heading and one row per domain: accuracies and what the domain adds."""
    methods = methods_of(contents)
    rows = [
        ["domain", "classes", *map(method_label, methods), "private parameters"]
    ]
    for facts in contents.domains:
        numbers = contents.numbers(facts.name)["parameters"]
        # The base's own training is what the shared network has of it.
        cells = [
            percent(
                contents.accuracy(
                    facts.name, _method_in_row(m, facts.name, contents)
                )
            )
            for m in methods
        ]
        rows.append([facts.name, str(facts.classes), *cells, f"{numbers:,}"])
    return rows


def _method_in_row(method, domain, contents):
    if domain == contents.base and method == "pointwise_sharing":
        return "base"
    return method


def totals(contents):
    """Numbers of one shared network and of as many separate ones."""
    trunk = contents.numbers("trunk")["parameters"]
    slots = [contents.numbers(d.name)["parameters"] for d in contents.domains]
    return trunk + sum(slots), trunk * len(slots) + sum(slots)


def summary_text(contents):
    """The result of a run in a screenful."""
    shared, separate = totals(contents)
    trunk = contents.numbers("trunk")["parameters"]
    count = len(contents.domains)
    return "\n".join(
        [
            "Validation accuracy",
            "",
            format_table(accuracy_rows(contents), "<>"),
            "",
            f"Trunk: {trunk:,} parameters, shared by {count} domains and "
            "stored once.",
            f"One network for all: {shared:,} parameters; "
            f"{count} separate networks: {separate:,} "
            f"({separate / shared:.1f} times as many).",
            "Isolation: "
            + (
                "bit-identical after every step, also from the saved file."
                if contents.isolated
                else "VIOLATED, see the report."
            ),
            *_export_lines(contents.export),
            "",
        ]
    )


def _export_lines(export):
    if export is None:
        return []
    sizes, domains = export["sizes"], export["domains"]
    least = min(d["agreement"] for d in domains)
    return [
        f"On the device: trunk {sizes['trunk'] / 1000:,.0f} kB once and "
        f"{sizes['heads'] / 1000:,.0f} kB of own parts; {len(domains)} "
        f"separate files {sizes['separate'] / 1000:,.0f} kB. Same class as "
        f"in Keras for {percent(least)} of the images of every domain or more."
    ]
