"""The figures of a report, each a function of contents and theme."""

from keras_mdl.report.text import method_label, methods_of
from keras_mdl.report.theme import legend, new_figure


def accuracy_bars(contents, theme):
    """Grouped bars: validation accuracy of each method on each domain."""
    methods, domains = methods_of(contents), contents.further
    figure, ax = new_figure(theme, 7.6, 3.4)
    width = 0.8 / len(methods)
    for k, method in enumerate(methods):
        values = [100 * (contents.accuracy(d, method) or 0) for d in domains]
        places = [
            i + (k - (len(methods) - 1) / 2) * width
            for i in range(len(domains))
        ]
        bars = ax.bar(
            places,
            values,
            width * 0.92,
            color=theme.methods.get(method, theme.text),
            label=method_label(method),
        )
        ax.bar_label(bars, fmt="%.0f", padding=2, fontsize=9, color=theme.text)
    ax.set_xticks(range(len(domains)), domains)
    ax.set_xlim(-0.6, len(domains) - 0.4)
    ax.set_ylim(0, 109)
    ax.set_yticks(range(0, 101, 20))
    ax.set_ylabel("validation accuracy, %")
    legend(figure, theme, loc="outside upper center", ncols=len(methods))
    return figure


def parameter_bars(contents, theme):
    """Two stacked bars: separate networks against one trunk and slots."""
    trunk = contents.numbers("trunk")["parameters"]
    count = len(contents.domains)
    slots = [contents.numbers(d.name)["parameters"] for d in contents.domains]
    return _stacked_bars(
        theme,
        {
            f"{count} separate networks": ([trunk] * count, slots),
            "one trunk and slots": ([trunk], slots),
        },
        ("pointwise kernels (trunk)", "slots of the domains, heads included"),
        "{:,}",
    )


def export_bars(export, theme):
    """Stacked bars: the bytes of an export, package by package.

    Args:
        export: `ExportReport.to_dict()`.
        theme: `Theme`.
    """
    sizes, domains = export["sizes"], export["domains"]
    trunk = sizes["trunk"]
    heads = [d["head"] for d in domains]
    rows = {
        f"{len(domains)} separate files": ([trunk] * len(domains), heads),
        "trunk and own parts": ([trunk], heads),
        "bundle": ([trunk], [sizes["bundle"] - trunk]),
        "trunk and packs": ([trunk], [d["pack"] for d in domains]),
    }
    return _stacked_bars(
        theme,
        {k: [[x / 1000 for x in part] for part in v] for k, v in rows.items()},
        ("trunk", "own parts of the domains"),
        "{:,.0f} kB",
    )


def _stacked_bars(theme, rows, names, text):
    """Horizontal bars of shared parts, then private ones.

    Args:
        theme: `Theme`.
        rows: `{label: (shared values, private values)}`.
        names: Of shared and private, for the legend.
        text: Format of a bar's sum.
    """
    figure, ax = new_figure(theme, 7.6, 0.9 + 0.5 * len(rows))
    longest = max(sum(map(sum, parts)) for parts in rows.values())
    for y, parts in enumerate(rows.values()):
        start = 0
        for values, colour, name in zip(
            parts, (theme.shared, theme.private), names, strict=True
        ):
            for i, value in enumerate(values):
                ax.barh(
                    y,
                    value,
                    0.62,
                    left=start,
                    color=colour,
                    edgecolor=theme.page,
                    linewidth=0.8,
                    label=name if y == 0 and i == 0 else None,
                )
                start += value
        ax.text(
            start + longest * 0.01,
            y,
            text.format(start),
            va="center",
            color=theme.text,
            fontsize=9,
        )
    ax.set_yticks(range(len(rows)), list(rows))
    ax.invert_yaxis()
    ax.set_xlim(0, longest * 1.13)
    ax.xaxis.set_visible(False)
    ax.yaxis.grid(False)
    ax.spines[["bottom", "left"]].set_visible(False)
    legend(figure, theme, loc="outside lower center", ncols=2)
    return figure


def training_curves(contents, theme):
    """One small plot per domain: validation accuracy over the epochs."""
    from matplotlib.ticker import MaxNLocator

    domains = [d.name for d in contents.domains]
    columns = 3 if len(domains) > 4 or len(domains) == 3 else 2
    rows = -(-len(domains) // columns)
    figure, axes = new_figure(
        theme, 7.6, 2.3 * rows, nrows=rows, ncols=columns, squeeze=False
    )
    seen = {}
    for ax, domain in zip(axes.flat, domains, strict=False):
        for method in ("base", *methods_of(contents)):
            rows_of = [
                r
                for r in rows_of_domain(contents, domain)
                if r["method"] == method
            ]
            if not rows_of:
                continue
            line = ax.plot(
                [r["epoch"] for r in rows_of],
                [100 * r["val_accuracy"] for r in rows_of],
                color=theme.methods.get(method, theme.text),
                linestyle="--" if method == "individual" else "-",
                marker="o" if len(rows_of) < 12 else None,
                markersize=3,
                linewidth=1.8,
                label=_curve_label(method),
            )
            seen.setdefault(_curve_label(method), line[0])
        ax.set_title(domain, loc="left", fontsize=10, color=theme.text)
        ax.set_ylim(0, 103)
        ax.set_yticks(range(0, 101, 25))
        # Whole epochs, also where there is only one.
        ax.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
        last = max(r["epoch"] for r in rows_of_domain(contents, domain))
        ax.set_xlim(0.7, max(last, 2) + 0.3)
    for ax in axes.flat[len(domains) :]:
        ax.set_visible(False)
    figure.supxlabel("epoch", fontsize=10, color=theme.text)
    figure.supylabel("validation accuracy, %", fontsize=10, color=theme.text)
    legend(
        figure,
        theme,
        handles=list(seen.values()),
        loc="outside upper center",
        ncols=len(seen),
    )
    return figure


def gate_heat_map(gates, theme):
    """Mean weight of every source domain (rows) in every layer (columns).

    Args:
        gates: One dict a layer, `layer` and `weights` by domain, as
            `SoftSharing.to_dict()` has them.
        theme: `Theme`.
    """
    domains = list(gates[0]["weights"])
    values = [[g["weights"][d] for g in gates] for d in domains]
    figure, ax = new_figure(
        theme, 7.6, 1.3 + 0.36 * len(domains) + 0.06 * len(gates)
    )
    image = ax.imshow(values, vmin=0, vmax=1, cmap="Blues", aspect="auto")
    ax.set_yticks(range(len(domains)), domains)
    ax.set_xticks(range(len(gates)), [g["layer"] for g in gates])
    ax.tick_params(axis="x", labelrotation=90 if len(gates) > 10 else 30)
    if len(gates) <= 10:
        for label in ax.get_xticklabels():
            label.set_horizontalalignment("right")
    ax.grid(False)
    ax.spines[:].set_visible(False)
    if len(gates) <= 14:
        for y, row in enumerate(values):
            for x, value in enumerate(row):
                ax.text(
                    x,
                    y,
                    f"{value:.2f}",
                    ha="center",
                    va="center",
                    fontsize=8,
                    color="#ffffff" if value > 0.5 else "#1f2430",
                )
    bar = figure.colorbar(image, ax=ax, shrink=0.9, pad=0.02)
    bar.set_label("mean weight", color=theme.text, fontsize=9)
    bar.ax.tick_params(colors=theme.text, labelsize=8)
    bar.outline.set_visible(False)
    return figure


def rows_of_domain(contents, domain):
    """The history of one domain, all methods."""
    return [r for r in contents.history if r["domain"] == domain]


def _curve_label(method):
    return "base training" if method == "base" else method_label(method)
