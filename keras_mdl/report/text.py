"""Words for results: names, percent, and the end of a demo on a terminal."""

from keras_mdl.report.contents import Contents
from keras_mdl.tables import format_table


def method_label(name: str) -> str:
    """How a method is called in tables and figures."""
    return name.replace("_", " ")


def percent(value: float | None) -> str:
    """`0.8123` -> `"81.2 %"`; nothing for `None`."""
    return "" if value is None else f"{100 * value:.1f} %"


def accuracy_rows(contents: Contents) -> list[list]:
    """Heading and one row per domain: accuracies and what the domain adds."""
    names = map(method_label, contents.methods)
    rows = [["domain", "classes", *names, "private parameters"]]
    for facts in contents.domains:
        found = [contents.accuracy(facts.name, m) for m in contents.methods]
        added = contents.costs(facts.name)["parameters"]
        rows.append(
            [facts.name, facts.classes, *map(percent, found), f"{added:,}"]
        )
    return rows


def own_parts(export: dict) -> list[int]:
    """Bytes of each domain's file without the trunk.

    Args:
        export: `ExportReport.to_dict()`.
    """
    trunk = export["sizes"].get("trunk", 0)
    return [d["complete"] - trunk for d in export["domains"]]


def headline(contents: Contents) -> str:
    """The result in one or two sentences."""
    shared, separate = contents.totals
    means = [
        f"{method_label(m)} {percent(mean)}"
        for m in contents.methods
        if (mean := contents.mean_accuracy(m)) is not None
    ]
    isolation = (
        "After every step everything that was not being trained was "
        "bit-identical."
        if contents.isolated
        else "ISOLATION WAS VIOLATED: see the table below."
    )
    return (
        f"One network of {shared:,} parameters classifies "
        f"{len(contents.domains)} domains; separate networks would need "
        f"{separate:,}, {separate / shared:.1f} times as many. "
        f"Mean validation accuracy on the {len(contents.further)} added "
        f"domains: {', '.join(means)}. {isolation}"
    )


def summary_text(contents: Contents) -> str:
    """The result of a run in a screenful."""
    shared, separate = contents.totals
    trunk = contents.costs("trunk")["parameters"]
    count = len(contents.domains)
    isolation = (
        "bit-identical after every step, also from the saved file."
        if contents.isolated
        else "VIOLATED, see the report."
    )
    text = f"""\
Validation accuracy

{format_table(accuracy_rows(contents))}

Trunk: {trunk:,} parameters, shared by {count} domains and stored once.
One network for all: {shared:,} parameters; \
{count} separate networks: {separate:,} \
({separate / shared:.1f} times as many).
Isolation: {isolation}
"""
    if contents.export is None:
        return text
    sizes, domains = contents.export["sizes"], contents.export["domains"]
    least = min(d["agreement"] for d in domains)
    return text + (
        f"On the device: trunk {sizes['trunk'] / 1000:,.0f} kB once and "
        f"{sum(own_parts(contents.export)) / 1000:,.0f} kB of own parts; "
        f"{len(domains)} "
        f"separate files {sizes['separate'] / 1000:,.0f} kB. Same class as "
        f"in Keras for {percent(least)} of the images of every domain or "
        "more.\n"
    )
