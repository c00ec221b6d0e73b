"""The figures of a demo's report, each a function of results and theme."""

from keras_mdl.report.contents import Contents
from keras_mdl.report.heat_maps import HeatMap, heat_map
from keras_mdl.report.text import method_label, own_parts
from keras_mdl.report.theme import Theme, new_figure, themed


@themed
def accuracy_bars(contents: Contents, theme: Theme):
    """Grouped bars: validation accuracy of each method on each domain."""
    methods, domains = contents.methods, contents.further
    figure, ax = new_figure(7.6, 3.4)
    width = 0.8 / len(methods)
    for k, method in enumerate(methods):
        shift = (k - (len(methods) - 1) / 2) * width
        bars = ax.bar(
            [i + shift for i in range(len(domains))],
            [100 * (contents.accuracy(d, method) or 0) for d in domains],
            width * 0.92,
            color=theme.colour(method),
            label=method_label(method),
        )
        ax.bar_label(bars, fmt="%.0f", padding=2)
    ax.set_xticks(range(len(domains)), domains)
    ax.set_yticks(range(0, 101, 20))
    ax.set(xlim=(-0.6, len(domains) - 0.4), ylim=(0, 109))
    ax.set_ylabel("validation accuracy, %")
    figure.legend(loc="outside upper center", ncols=len(methods))
    return figure


@themed
def parameter_bars(contents: Contents, theme: Theme):
    """Two stacked bars: separate networks against one trunk and slots."""
    trunk = contents.costs("trunk")["parameters"]
    slots = [contents.costs(d.name)["parameters"] for d in contents.domains]
    rows = {
        f"{len(slots)} separate networks": ([trunk] * len(slots), slots),
        "one trunk and slots": ([trunk], slots),
    }
    names = (
        "pointwise kernels (trunk)",
        "slots of the domains, heads included",
    )
    return _stacked_bars(rows, names, "{:,}", theme)


@themed
def export_bars(export: dict, theme: Theme):
    """Stacked bars: the bytes of an export, package by package.

    Args:
        export: `ExportReport.to_dict()`.
        theme: `Theme`.
    """
    trunk, bundle = export["sizes"]["trunk"], export["sizes"]["bundle"]
    own, packs = own_parts(export), [d["pack"] for d in export["domains"]]
    rows = {
        f"{len(own)} separate files": ([trunk] * len(own), own),
        "trunk and own parts": ([trunk], own),
        "bundle": ([trunk], [bundle - trunk]),
        "trunk and packs": ([trunk], packs),
    }
    rows = {k: [[x / 1000 for x in p] for p in v] for k, v in rows.items()}
    names = ("trunk", "own parts of the domains")
    return _stacked_bars(rows, names, "{:,.0f} kB", theme)


def _stacked_bars(rows, names, text, theme):
    """Horizontal bars of shared parts, then private ones.

    Args:
        rows: `{label: (shared values, private values)}`.
        names: Of shared and private, for the legend.
        text: Format of a bar's sum.
        theme: `Theme`.
    """
    figure, ax = new_figure(7.6, 0.9 + 0.5 * len(rows))
    for y, (shared, private) in enumerate(rows.values()):
        start = 0
        for values, colour, name in (
            (shared, theme.shared, names[0]),
            (private, theme.private, names[1]),
        ):
            for i, value in enumerate(values):
                bar = ax.barh(
                    y,
                    value,
                    0.62,
                    left=start,
                    color=colour,
                    edgecolor=theme.page,
                    linewidth=0.8,
                    label=name if y == i == 0 else None,
                )
                start += value
        ax.bar_label(bar, [text.format(start)], padding=4)
    ax.set_yticks(range(len(rows)), list(rows))
    ax.invert_yaxis()
    ax.margins(x=0.13)
    ax.xaxis.set_visible(False)
    ax.grid(False)
    ax.spines[["bottom", "left"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=2)
    return figure


@themed
def training_curves(contents: Contents, theme: Theme):
    """One small plot per domain: validation accuracy over the epochs."""
    from matplotlib.ticker import MaxNLocator

    domains = [d.name for d in contents.domains]
    columns = 3 if len(domains) > 4 or len(domains) == 3 else 2
    rows = -(-len(domains) // columns)
    figure, axes = new_figure(
        7.6, 2.3 * rows, nrows=rows, ncols=columns, squeeze=False
    )
    seen = {}
    for ax, domain in zip(axes.flat, domains, strict=False):
        last = 2
        for method in ("base", *contents.methods):
            curve = [
                r
                for r in contents.history
                if (r["domain"], r["method"]) == (domain, method)
            ]
            if not curve:
                continue
            last = max(last, *(r["epoch"] for r in curve))
            label = (
                "base training" if method == "base" else method_label(method)
            )
            seen[label] = ax.plot(
                [r["epoch"] for r in curve],
                [100 * r["val_accuracy"] for r in curve],
                color=theme.colour(method),
                linestyle="--" if method == "individual" else "-",
                marker="o" if len(curve) < 12 else None,
                markersize=3,
                linewidth=1.8,
            )[0]
        ax.set_title(domain)
        ax.set_yticks(range(0, 101, 25))
        ax.set(ylim=(0, 103), xlim=(0.7, last + 0.3))
        # Whole epochs, also where there is only one.
        ax.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    for ax in axes.flat[len(domains) :]:
        ax.set_visible(False)
    figure.supxlabel("epoch", fontsize=10)
    figure.supylabel("validation accuracy, %", fontsize=10)
    figure.legend(
        seen.values(), seen, loc="outside upper center", ncols=len(seen)
    )
    return figure


def gate_heat_map(gates: list[dict], theme: Theme):
    """Mean weight of every source domain (rows) in every layer (columns).

    Args:
        gates: One dict a layer, `layer` and `weights` by domain, as
            `SoftSharing.to_dict()` has them.
        theme: `Theme`.
    """
    domains = list(gates[0]["weights"])
    values = [[g["weights"][d] for g in gates] for d in domains]
    layers = [g["layer"] for g in gates]
    return heat_map(HeatMap(values, domains, layers, "mean weight"), theme)
