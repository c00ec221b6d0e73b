"""The figures of a search's report: paths, similarity, curves, accuracy."""

from keras_mdl.report.heat_maps import HeatMap, draw_cells
from keras_mdl.report.search_summary import SearchSummary
from keras_mdl.report.text import method_label
from keras_mdl.report.theme import Theme, new_figure, themed

# Apart with every kind of colour blindness (Okabe and Ito), then greys.
_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00",
            "#9a8c00", "#7f7f7f", "#6a3d9a", "#a65628")  # fmt: skip


def colour(index: int) -> str:
    """Of the domain with that number."""
    return _COLOURS[index % len(_COLOURS)]


@themed
def path_picture(found: dict, theme: Theme):
    """Layers from left to right, a dot for each block that is used, a line
    for each domain; blocks of several domains are large and ringed.

    Args:
        found: Result of a search: `positions`, and `blocks` by domain, each
            a list of `(position, name)`.
        theme: `Theme`.
    """
    from matplotlib.patheffects import withStroke

    positions, domains = found["positions"], list(found["blocks"])
    way = {
        d: {p: name.removeprefix(f"{p}_") for p, name in blocks}
        for d, blocks in found["blocks"].items()
    }
    users = [{} for _ in positions]
    for d in domains:
        for x, p in enumerate(positions):
            users[x].setdefault(way[d].get(p, "zero"), []).append(d)
    tall = max(map(len, users))
    figure, ax = new_figure(max(7.6, 0.86 * len(positions)), 1.6 + 0.52 * tall)
    place = {}
    for x, nodes in enumerate(users):
        # Much used ones first, what is left out last.
        order = sorted(nodes, key=lambda n: (n == "zero", -len(nodes[n]), n))
        for i, name in enumerate(order):
            place[x, name] = (len(order) - 1) / 2 - i
    for k, d in enumerate(domains):
        shift = (k - (len(domains) - 1) / 2) * 0.045
        ax.plot(
            range(len(positions)),
            [place[x, way[d].get(p, "zero")] + shift
             for x, p in enumerate(positions)],
            color=colour(k), linewidth=1.6, label=d, zorder=1,
        )  # fmt: skip
    for x, nodes in enumerate(users):
        for name, some in nodes.items():
            y, several = place[x, name], len(some) > 1
            left_out = name == "zero"
            ax.scatter(
                x, y,
                s=34 if left_out else 170 if several else 60,
                marker="x" if left_out else "o",
                color=theme.faint if left_out
                else theme.text if several else colour(domains.index(some[0])),
                edgecolors=None if left_out else theme.page, linewidths=1.2,
                zorder=2,
            )  # fmt: skip
            if several and not left_out:
                ax.text(x, y, len(some), ha="center", va="center_baseline",
                        fontsize=8, color=theme.page, zorder=3)  # fmt: skip
            # Lines do not run through the letters.
            around = [withStroke(linewidth=2.5, foreground=theme.page)]
            ax.text(x, y - 0.26, _short(name), ha="center", va="top",
                    fontsize=6.5, color=theme.text, zorder=3,
                    linespacing=0.95, path_effects=around)  # fmt: skip
    ax.set_xticks(
        range(len(positions)),
        [p.replace("_layer", "\nlayer ").replace("stage", "stage ")
         for p in positions],
        fontsize=8,
    )  # fmt: skip
    ax.set_yticks([])
    ax.set_ylim(-(tall - 1) / 2 - 0.75, (tall - 1) / 2 + 0.45)
    ax.set_xlim(-0.5, len(positions) - 0.5)
    ax.grid(False)
    ax.spines[["left", "bottom"]].set_visible(False)
    figure.legend(loc="outside upper center", ncols=min(len(domains), 6))
    return figure


def _short(name):
    """`k5_x48_se16_i16_o24` -> kernel and expansion, then channels."""
    if name == "zero":
        return "left out"
    parts = {
        p.rstrip("0123456789"): p.lstrip("kxseio") for p in name.split("_")
    }
    first = [f"k{parts['k']}"] if parts.get("k") != "1" else []
    first += [f"x{parts['x']}"] if "x" in parts else []
    first += ["SE"] if "se" in parts else []
    return f"{' '.join(first)}\n{parts['i']}→{parts['o']}".strip()


@themed
def similarity_matrices(found: dict, theme: Theme):
    """Jaccard similarity between domains, zeros not counted and counted."""
    domains = list(found["jaccard"])
    side = 1.5 + 0.42 * len(domains)
    figure, axes = new_figure(max(7.6, 2 * side), side, ncols=2)
    for ax, key, title in zip(
        axes, ("jaccard", "jaccard_zeros"),
        ("blocks", "blocks and layers left out"), strict=True,
    ):  # fmt: skip
        values = [[found[key][a][b] for b in domains] for a in domains]
        image = draw_cells(ax, HeatMap(values, domains, domains, key))
        ax.set_aspect("equal")
        ax.set_title(title)
    bar = figure.colorbar(image, ax=axes, shrink=0.8, pad=0.02)
    bar.outline.set_visible(False)
    return figure


@themed
def search_curves(found: dict, theme: Theme):
    """Reward and entropy of each domain's controller over the search."""
    domains = list(found["blocks"])
    figure, axes = new_figure(7.6, 3.2, ncols=2)
    for k, d in enumerate(domains):
        rows = [r for r in found["history"] if r["domain"] == d]
        steps = [r["step"] for r in rows]
        for ax, key in zip(axes, ("baseline", "entropy"), strict=True):
            ax.plot(steps, [r[key] for r in rows], color=colour(k), label=d
                    if key == "entropy" else None)  # fmt: skip
    axes[0].set_title("reward, moving average")
    axes[1].set_title("entropy of the policy (1: undecided)")
    axes[1].set_ylim(0, 1.03)
    figure.supxlabel("step of the search", fontsize=10)
    figure.legend(loc="outside upper center", ncols=min(len(domains), 6))
    return figure


@themed
def method_bars(summary: SearchSummary, theme: Theme):
    """Validation accuracy of each method on each domain, in small panels."""
    methods, domains = summary.methods, summary.domains
    columns = min(3, len(domains))
    rows = -(-len(domains) // columns)
    figure, axes = new_figure(
        7.6, 0.7 + rows * (0.5 + 0.24 * len(methods)), nrows=rows,
        ncols=columns, squeeze=False, sharey=True,
    )  # fmt: skip
    for ax, domain in zip(axes.flat, domains, strict=False):
        found = [m.accuracy.get(domain) for m in methods]
        bars = ax.barh(
            range(len(methods)),
            [100 * s.mean if s else 0 for s in found],
            0.7,
            xerr=[100 * s.half if s and s.half else 0 for s in found],
            color=[theme.shared if m.method.startswith("mpnas")
                   else theme.private for m in methods],
            error_kw={"ecolor": theme.text, "elinewidth": 1},
        )  # fmt: skip
        ax.bar_label(
            bars, [f"{100 * s.mean:.0f}" if s else "" for s in found], padding=3
        )
        ax.set_title(f"{domain}, %")
        ax.set_xlim(0, 115)
        ax.set_xticks([])
        ax.grid(False)
        ax.spines["bottom"].set_visible(False)
    for ax in axes[:, 0]:
        ax.set_yticks(
            range(len(methods)), [method_label(m.method) for m in methods]
        )
    axes[0, 0].invert_yaxis()
    for ax in axes.flat[len(domains) :]:
        ax.set_visible(False)
    return figure
