"""Tables of `throughput.py` and `loader.py`."""

import stored

_RUNS = {
    "plain_keras": "Keras' own layers, all trains",
    "plain": "with this package's kernels, no slots, all trains",
    "base": "with slots for 10 domains, all trains",
    "domain": "likewise, the trunk frozen",
    "head": "likewise, the head alone",
}
_LOADERS = {
    "tf_dataset": "`tf_dataset`",
    "batches": "`batches`",
    "keras": "`image_dataset_from_directory`",
    "grain": "Grain, with this package's transform",
}


def throughput_table():
    lines, about = [], {}
    for network, file in (
        ("ResNet-26", "throughput.csv"),
        ("MobileNetV2", "throughput_mobilenet_v2.csv"),
    ):
        for r in stored.rows(file):
            small = (r["width"], r["xla"], r["backend"])
            if small == ("0.25", "False", "tensorflow") and r["run"] in _RUNS:
                about[network] = f"{network}: {r['cpu']}, {r['rounds']} rounds"
                lines.append(
                    [network, _RUNS[r["run"]],
                     _ratio(r, "ratio_to_base"), _ratio(r, "cpu_ratio_to_base"),
                     r["images_per_s"]]
                )  # fmt: skip
    return stored.markdown(
        ["network", "layers", "time of a step", "CPU time", "images/s"],
        lines,
        "Against the network with slots of which all trains, round by round: "
        "median (least to most). TensorFlow, width 0.25, 32x32 pixels, batches "
        f"of 64, 2 cores. {'; '.join(about.values())}.",
    )


def _ratio(row, column):
    name = column.removesuffix("_to_base")
    low, high = float(row[f"{name}_min"]), float(row[f"{name}_max"])
    return f"{float(row[column]):.2f} ({low:.2f} to {high:.2f})"


def loader_table():
    rows = [r for r in stored.rows("loader.csv") if r["images_per_s"]]
    (memory,) = (r for r in stored.rows("loader.csv") if r["mb_at_the_end"])
    lines = [
        [r["cores_used"], r["size"], _LOADERS[r["loader"]], _ratio(r, "ratio"),
         r["images_per_s"]]
        for r in rows
    ]  # fmt: skip
    return stored.markdown(
        ["cores", "pixels", "loader", "of `tf_dataset`", "images/s"],
        lines,
        "JPEG photographs of 240 to 320 pixels, cropped and changed in "
        f"brightness and contrast; {rows[0]['rounds']} rounds, median (least "
        f"to most). Over {int(memory['images']):,} files memory went from "
        f"{memory['mb_at_a_tenth']} MB after a tenth to "
        f"{memory['mb_at_the_end']} MB. {rows[0]['cpu']}.",
    )


TABLES = {"throughput": throughput_table, "loader": loader_table}
