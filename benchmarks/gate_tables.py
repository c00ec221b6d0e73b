"""The table of mixed kernels against sums of convolutions."""

import stored


def mixing_table():
    rows = stored.rows("gate_mixing.csv")
    lines = [
        "| | layer | batch | T | forward | forward + backward | its memory |",
        "|---|---|---|---|---|---|---|",
    ]
    columns = ("backend", "layer", "batch", "domains")
    for case in dict.fromkeys(tuple(r[c] for c in columns) for r in rows):
        own = [r for r in rows if case == tuple(r[c] for c in columns)]
        cells = [_ratio(own, p) for p in ("forward", "forward+backward")]
        lines.append(
            f"| {' | '.join(case)} | {' | '.join(cells)} | {_memory(own)} |"
        )
    chosen = {r["backend"]: r["form"] for r in rows if r["chosen"] == "True"}
    rounds = " and ".join(sorted({r["rounds"] for r in rows}))
    lines += [
        "",
        "Time and memory of ONE convolution with mixed kernels, as a part of "
        "that of the sum of T convolutions in the same round: median (lowest "
        f"to highest of {rounds} rounds). Form that is chosen: "
        + ", ".join(f"{form} on {b}" for b, form in chosen.items())
        + f". {rows[0]['cpu']}, {rows[0]['cores']} cores, shared with other "
        "work; no GPU was at hand.",
        "",
    ]
    return "\n".join(lines)


def _ratio(rows, what):
    for r in rows:
        if r["pass"] == what and r["chosen"] == "True":
            return (
                f"{float(r['ratio_to_sum']):.2f} ({float(r['ratio_min']):.2f} "
                f"to {float(r['ratio_max']):.2f})"
            )
    return "-"


def _memory(rows):
    found = {
        r["chosen"] == "True": float(r["memory_mib"])
        for r in rows
        if r["memory_mib"]
    }
    if len(found) < 2 or found[False] < 1:
        return "-"  # less than can be told from noise
    return f"{found[True] / found[False]:.2f}"


TABLES = {"mixing": mixing_table}
