"""Tables of what exports weigh, answer, and take, from `results/`."""

import statistics

import stored


def _numbers(rows, column):
    return [float(r[column]) for r in rows]


def accuracy_table():
    rows = stored.rows("export_accuracy.csv")
    lines = [
        "| mode | Keras, % | exported, % | change of the mean | largest loss "
        "of a domain | same class, % | trunk shared, % | own part, kB | "
        "pack, kB |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    seeds = sorted({r["seed"] for r in rows})
    for mode in dict.fromkeys(r["method"] for r in rows):
        own = [r for r in rows if r["method"] == mode]
        before, after = (
            _numbers(own, c) for c in ("accuracy_keras", "accuracy")
        )
        by_seed = [
            statistics.mean(
                float(r["accuracy"]) - float(r["accuracy_keras"])
                for r in own
                if r["seed"] == seed
            )
            for seed in seeds
            if any(r["seed"] == seed for r in own)
        ]
        half = (max(by_seed) - min(by_seed)) / 2
        worst = max(b - a for b, a in zip(before, after, strict=True))
        packs = [float(r["pack_bytes"]) for r in own if r["pack_bytes"]]
        lines.append(
            f"| {mode} | {100 * statistics.mean(before):.1f} | "
            f"{100 * statistics.mean(after):.1f} | "
            f"{100 * statistics.mean(by_seed):+.2f} ± {100 * half:.2f} | "
            f"{100 * worst:.1f} | "
            f"{100 * statistics.mean(_numbers(own, 'agreement')):.1f} | "
            f"{100 * min(_numbers(own, 'shared')):.1f} | "
            f"{statistics.mean(_numbers(own, 'own_bytes')) / 1000:,.0f} | "
            + (f"{statistics.mean(packs) / 1000:,.0f} |" if packs else "- |")
        )
    first = rows[0]
    domains = list(dict.fromkeys(r["domain"] for r in rows))
    images = _numbers(rows, "images")
    lines += [
        "",
        f"{len(domains)} domains ({', '.join(domains)}), seeds "
        f"{', '.join(seeds)}; {min(images):,.0f} to {max(images):,.0f} "
        "VALIDATION images of each. Change: mean over domains, then over "
        "seeds, ± half the range between them. Trunk shared: the least of all "
        "domains, byte for byte. Every form (models, parts, bundle, "
        f"packs) gave the same bits. Width {first['width']}, {first['size']}x"
        f"{first['size']} pixels, {first['cpu']}.",
        "",
    ]
    return "\n".join(lines)


def size_table():
    rows = stored.rows("export_size.csv")
    lines = [
        "| kB | domains | a file each | bundle | trunk + own parts | "
        "trunk + packs | one more domain, 100 classes | its pack | "
        "export, s |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for r in rows:

        def kilo(*columns, row=r):
            if any(not row[c] for c in columns):
                return "-"
            return f"{sum(float(row[c]) for c in columns) / 1000:,.0f}"

        cells = [
            r["mode"],
            r["domains"],
            kilo("separate_bytes"),
            kilo("bundle_bytes"),
            kilo("trunk_bytes", "prefixes_bytes"),
            kilo("trunk_bytes", "packs_bytes"),
            kilo("prefix_bytes_100_classes"),
            kilo("pack_bytes_100_classes"),
            r["seconds"],
        ]
        lines.append("| " + " | ".join(cells) + " |")
    lines += [
        "",
        "The paper's network at full width, 72x72 pixels, heads with the class "
        "counts of the Visual Decathlon (imagenet12 first: 1000), random "
        f"numbers. 1 kB = 1000 bytes. {rows[0]['cpu']}, {rows[0]['cores']} "
        "cores.",
        "",
    ]
    return "\n".join(lines)


def latency_table():
    rows = stored.rows("export_latency.csv")
    lines = [
        "| network | time, of ours in dyn_conv | ms | range | XNNPACK "
        "partitions | kB |",
        "|---|---|---|---|---|---|",
    ]
    for r in rows:
        lines.append(
            f"| {r['network']} | {float(r['of_dyn_conv']):.2f} | "
            f"{float(r['milliseconds']):.2f} | {float(r['low']):.2f} to "
            f"{float(r['high']):.2f} | {r['partitions']} | "
            f"{int(r['bytes']) / 1000:,.0f} |"
        )
    lines += [
        "",
        "Input 72x72, 100 classes, batch 1, one thread, "
        f"{rows[0]['rounds']} rounds over all networks (median of the rounds' "
        "best), random numbers. Ours has 498 million multiply-accumulates, "
        f"the peers have far fewer. {rows[0]['cpu']}: an x86 server, no phone.",
        "",
    ]
    return "\n".join(lines)


def memory_table():
    rows = stored.rows("export_memory.csv")
    counts = stored.distinct(rows, "domains")
    one = {r["form"]: r for r in rows if r["domains"] == "1"}
    lines = []
    for form in one:
        own = [r for r in rows if r["form"] == form]
        turns = float(own[-1]["in_turn"]) / float(own[-1]["milliseconds"])
        sizes = [f"{float(r['megabytes']):.1f}" for r in own]
        lines.append([form, *sizes, f"{turns:.2f}"])
    return stored.markdown(
        ["form", *(f"{n} domains, MB" for n in counts),
         f"an image when {counts[-1]} take turns, of that of one"],
        lines,
        "Growth of resident memory by loading and running an export of the "
        "first domains of the size table (mode dyn_conv), median of five "
        "processes; MobileNetV2: as many copies of it, 100 classes, with int8 "
        f"kernels. {rows[0]['cpu']}.",
    )  # fmt: skip


def _result(row):
    if row is None:
        return "not tried"
    if not row["same_class"]:
        return "crash" if row["refused"].startswith("crash") else "refused"
    return f"{row['same_class']} ({float(row['max_error']):.4f})"


def runtimes_table():
    rows = stored.rows("export_runtimes.csv")
    modes = list(dict.fromkeys(r["mode"] for r in rows))
    lines = [
        "| runtime | " + " | ".join(modes) + " |",
        "|---|" + "---|" * len(modes),
    ]
    results = {(r["package"], r["release"], r["mode"]): r for r in rows}
    for key in dict.fromkeys((r["package"], r["release"]) for r in rows):
        cells = [_result(results.get((*key, mode))) for mode in modes]
        lines.append(f"| {' '.join(key)} | " + " | ".join(cells) + " |")
    lines += [
        "",
        f"Of {rows[0]['images']} images those that get the class that Keras "
        "gives, and in brackets the largest difference of a probability; a "
        "small ResNet-26 with random numbers, by `python "
        "benchmarks/export_runtimes.py`; onnxruntime through tf2onnx, "
        "mediapipe by its ImageClassifier.",
        "",
    ]
    return "\n".join(lines)


def pretrained_table():
    rows = stored.rows("pretrained_export.csv")
    lines = []
    for mode, bits in stored.distinct(rows, "mode", "private_bits"):
        own = {
            r["domain"]: r
            for r in rows
            if (r["mode"], r["private_bits"]) == (mode, bits)
        }
        r = own["own"]
        ratio = (
            f"{float(r['of_plain']):.2f} ({float(r['of_plain_low']):.2f} "
            f"to {float(r['of_plain_high']):.2f})"
        )
        kilo = [
            f"{int(row[c]) / 1000:,.0f}"
            for row, c in (
                (r, "own_bytes"),
                (r, "pack_bytes"),
                (own["kept"], "pack_on_base_bytes"),
            )
        ]
        share = f"{100 * min(float(x['shared']) for x in own.values()):.1f}"
        lines.append([mode, bits, share, *kilo, ratio])
    first, timed = rows[0], next(r for r in rows if r["rounds"])
    return stored.markdown(
        ["mode", "own numbers", "trunk shared, %", "own part, kB", "pack, kB",
         "pack on the base's file, with the base's depthwise kernels, kB",
         "time, of the plain network"],
        lines,
        f"EfficientNet-Lite0 with ImageNet weights, {first['size']}x"
        f"{first['size']} pixels, heads of {first['classes']} classes; the "
        f"trunk has {int(first['trunk_bytes']) / 1000:,.0f} kB. Own part and "
        "pack of a domain with depthwise kernels and norms of its own; then "
        "of one with norms of its own alone. Numbers perturbed, not trained. "
        f"Time: median of {timed['rounds']} rounds' ratios (least to most), "
        f"one thread. 1 kB = 1000 bytes. {first['cpu']}, a shared machine.",
    )  # fmt: skip


def browser_table():
    rows = stored.rows("export_browser.csv")
    lines = [
        [
            r["domain"],
            r["classes"],
            f"{r['same_pixels']} of {r['images']}",
            f"{r['same_class']} of {r['images']}",
            r["max_points"],
            r["first_fetched"],
            f"{float(r['switch_ms']):.0f}",
            f"{float(r['picture_ms']):.1f}",
        ]
        for r in rows
    ]
    return stored.markdown(
        ["domain", "classes", "same pixels as training",
         "same class as Python", "largest difference, points",
         "fetched when first chosen", "chosen again, ms", "a picture, ms"],
        lines,
        "The export of `keras-mdl demo`. Validation images, "
        "drawn 2.5 times as large as the network takes them, opened as files; "
        "the difference is that of the best class's score, which the page "
        "shows to 0.1. Where the class is another one, Python's two scores "
        f"are {max(float(r['margin_points']) for r in rows)} points apart at "
        "most. The first domain brings the trunk. Chosen again: out "
        "of the browser's storage, with all hashes, the pack and the first "
        f"run; a picture: the network alone. Chromium {rows[0]['chromium']}, "
        f"{rows[0]['cpu']}, a shared machine.",
    )  # fmt: skip


def private_table():
    rows, lines = stored.rows("private_bits.csv"), []
    keys = ("base", "method", "private_bits")
    for base, mode, bits in stored.distinct(rows, *keys):
        own, full = (
            {(r["seed"], r["domain"]): r for r in rows
             if tuple(r[k] for k in keys) == (base, mode, b)}
            for b in (bits, "full")
        )  # fmt: skip
        gains = [
            100 * (float(own[k]["accuracy"]) - float(full[k]["accuracy"]))
            for k in own
        ]
        chosen = [r["chosen"] for r in own.values()]
        packs = [
            f"{r['domain'].removeprefix('photos-')} "
            f"{int(r['pack_bytes']) / 1000:,.0f}"
            + (f" ({c})" if bits == "auto" else "")
            for r, c in zip(own.values(), chosen, strict=True)
        ]
        accuracy = statistics.mean(_numbers(own.values(), "accuracy"))
        error = statistics.mean(_numbers(own.values(), "agreement"))
        lines.append(
            [base, mode, bits, ", ".join(packs), f"{100 * accuracy:.1f}",
             f"{statistics.mean(gains):+.2f}", f"{min(gains):+.1f}",
             f"{100 * error:.1f}"]
        )  # fmt: skip
    images = _numbers(rows, "images")
    classes = dict(stored.distinct(rows, "domain", "classes"))
    return stored.markdown(
        ["trunk", "mode", "own numbers", "packs, kB", "exported, %",
         "against full, points", "worst domain", "same class as Keras, %"],
        lines,
        f"{min(images):,.0f} to {max(images):,.0f} VALIDATION images of each "
        "domain; what `auto` takes was chosen on 1,000 training images. "
        "Classes: "
        + ", ".join(
            f"{k.removeprefix('photos-')} {v}" for k, v in classes.items()
        )
        + ". Trunk "
        + "; ".join(
            f"{base}: {network}"
            for base, network in (
                ("miniimagenet", "the paper's network, trained for minutes"),
                ("imagenet", "EfficientNet-Lite0"),
            )
            if any(r["base"] == base for r in rows)
        )
        + f". {rows[0]['cpu']}.",
    )  # fmt: skip


def compression_table():
    rows = stored.rows("compression.csv")
    first, epochs = rows[0], max(int(r["epochs"]) for r in rows)
    return stored.markdown(
        ["mode", "own numbers", "trained by", "pack, kB", "Keras, %",
         "exported, %", "same class as Keras, %"],
        [
            [r["method"], r["private_bits"], r["way"],
             f"{int(r['pack_bytes']) / 1000:,.0f}",
             f"{100 * float(r['accuracy_keras']):.1f}",
             f"{100 * float(r['accuracy']):.1f}",
             f"{100 * float(r['agreement']):.1f}"]
            for r in rows
        ],
        f"The domain {first['domain']} ({first['classes']} classes) on the "
        f"paper's network, {first['images']} VALIDATION images, seed "
        f"{first['seed']}; {epochs} epoch. plain: not trained "
        "further; tune: trained further, rounded by nothing; quantize, prune "
        "(half of the weights), cluster (16 values): by "
        f"tensorflow-model-optimization. {first['cpu']}.",
    )  # fmt: skip


TABLES = {
    "export_browser": browser_table,
    "compression": compression_table,
    "export_accuracy": accuracy_table,
    "export_size": size_table,
    "export_latency": latency_table,
    "export_memory": memory_table,
    "export_runtimes": runtimes_table,
    "pretrained_export": pretrained_table,
    "private_bits": private_table,
}
