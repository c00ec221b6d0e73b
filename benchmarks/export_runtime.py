"""Latency and memory of exported files, beside mobile networks.

    python benchmarks/export_runtime.py

Latency: the paper's network (72x72, 100 classes) in every mode, and
MobileNetV2, MobileNetV3-Small and MobileNetV3-Large at the same input in
float32, with int8 kernels as ours (`dyn_conv`) and in full int8; one thread,
batch 1, in rounds over all of them, so that a busy machine slows all alike.
Memory: what exports of 1, 2 and 3 domains add to a process that has LiteRT
loaded, by form, after one image of each domain, beside as many MobileNetV2; and
the time of an image when domains take turns, of that when one has them all.
Rows go to
`results/export_latency.csv` and `results/export_memory.csv`; report ratios,
not times.
"""

import argparse
import csv
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
from environment import environment
from export_size import CLASSES, network
from keras_mdl_export import export, weights, worker
from keras_mdl_export.finishing import slim
from keras_mdl_export.flatbuffer import pack, unpack
from keras_mdl_export.modes import MODES
from keras_mdl_export.versions import set_versions

RESULTS = pathlib.Path(__file__).parent / "results"
SIZE, OUTPUTS = 72, 100
PEERS = {
    "MobileNetV2": "MobileNetV2",
    "MobileNetV3-Small": "MobileNetV3Small",
    "MobileNetV3-Large": "MobileNetV3Large",
}
FORMS = ("models", "parts", "bundle")
COUNTS = (1, 2, 3)
PEER = "MobileNetV2"  # in memory, so many copies as domains


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--rounds", type=int, default=9)
    p.add_argument("--only", choices=("latency", "memory"))
    args = p.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        if args.only != "memory":
            write("export_latency.csv", latency(folder, args.rounds))
        if args.only != "latency":
            write("export_memory.csv", memory(folder))


def write(name, rows):
    about = environment()
    rows = [{**row, **about} for row in rows]
    with open(RESULTS / name, "w", newline="") as f:
        writer = csv.DictWriter(f, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


# === Latency ===


def latency(folder, rounds):
    contents = {**ours(folder), **peers()}
    runners = {name: runner(c) for name, c in contents.items()}
    print("timing", flush=True)
    times = {name: [] for name in runners}
    for _ in range(rounds):
        for name, (invoke, _) in runners.items():
            times[name].append(best_of(invoke))
    reference = statistics.median(times["ours, dyn_conv"])
    rows = []
    for name, found in times.items():
        row = {
            "network": name,
            "milliseconds": round(1e3 * statistics.median(found), 3),
            "low": round(1e3 * min(found), 3),
            "high": round(1e3 * max(found), 3),
            "of_dyn_conv": round(statistics.median(found) / reference, 3),
            "partitions": runners[name][1],
            "bytes": len(contents[name]),
            "rounds": rounds,
        }
        print(row, flush=True)
        rows.append(row)
    return rows


def images(n=100, size=SIZE):
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (n, size, size, 3)).astype("uint8")


def ours(folder):
    model = network({"base": OUTPUTS})
    found = {}
    for mode in MODES:
        export(
            model,
            folder / mode,
            mode=mode,
            calibration={"base": images()},
            forms=["models"],
            min_agreement=0.0,
        )
        content = (folder / mode / "models" / "base.tflite").read_bytes()
        found[f"ours, {mode}"] = content
    return found


def peers():
    import keras

    found = {}
    for name, attribute in PEERS.items():
        network = getattr(keras.applications, attribute)(
            (SIZE, SIZE, 3), weights=None, classes=OUTPUTS
        )
        plain = worker.convert(network, "peer", "uint8")
        found[f"{name}, float32"] = plain
        found[f"{name}, dyn_conv"] = int8_kernels(plain)
        found[f"{name}, int8"] = worker.convert(
            network, "peer", "uint8", images()
        )
    return found


def int8_kernels(content):
    """A converted float32 network with the kernels of mode `dyn_conv`."""
    tree = unpack(content)
    weights.quantize_kernels(tree, {})
    weights.dense_as_convolutions(tree)
    set_versions(tree)
    slim(tree)
    return pack(tree)


def runner(content, size=SIZE):
    """A function that runs one image, and XNNPACK's number of partitions."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    (image,) = interpreter.get_input_details()
    interpreter.set_tensor(image["index"], images(1, size))
    # The only list of what runs where; it is not part of the public API.
    names = [op["op_name"] for op in interpreter._get_ops_details()]
    return interpreter.invoke, names.count("DELEGATE")


def best_of(invoke, repeats=15):
    found = []
    for _ in range(repeats):
        start = time.perf_counter()
        invoke()
        found.append(time.perf_counter() - start)
    return min(found)


# === Memory ===

_CHILD = """
import json, os, pathlib, statistics, sys, time
import numpy as np
from ai_edge_litert.compiled_model import CompiledModel
from ai_edge_litert.interpreter import Interpreter
from keras_mdl_export import load
def resident():
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE")
def peer(path):
    interpreter = Interpreter(model_path=str(path), num_threads=1)
    interpreter.allocate_tensors()
    (taken,) = interpreter.get_input_details()
    def run(image):
        interpreter.set_tensor(taken["index"], image[None])
        interpreter.invoke()
    return run
folder, form = sys.argv[1:]
image = np.zeros((72, 72, 3), "uint8")
before = resident()
if form == "MobileNetV2":
    runs = [peer(p) for p in sorted(pathlib.Path(folder).glob("peer*"))]
else:
    classifiers = load(folder, form)
    runs = [classifiers[name] for name in classifiers]
for run in runs:
    run(image)
grown = resident() - before
def milliseconds(runs):
    times = []
    for i in range(60):
        start = time.perf_counter()
        runs[i % len(runs)](image)
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)
one, turns = milliseconds(runs[:1]), milliseconds(runs)
print(json.dumps([grown / 1e6, one, turns]))
"""


def memory(folder):
    rows, peer = [], peers()[f"{PEER}, dyn_conv"]
    for count in COUNTS:
        classes = dict([*CLASSES.items()][:count])
        export(
            network(classes),
            folder / str(count),
            calibration=dict.fromkeys(classes, images(2)),
            forms=FORMS,
            min_agreement=0.0,
        )
        for i in range(count):
            (folder / str(count) / f"peer{i}.tflite").write_bytes(peer)
        for form in (*FORMS, PEER):
            found = [grown(folder / str(count), form) for _ in range(5)]
            size, one, turns = zip(*found, strict=True)
            row = {
                "form": form,
                "domains": count,
                "megabytes": round(statistics.median(size), 1),
                "low": round(min(size), 1),
                "high": round(max(size), 1),
                "milliseconds": round(statistics.median(one), 2),
                "in_turn": round(statistics.median(turns), 2),
            }
            print(row, flush=True)
            rows.append(row)
    return sorted(rows, key=lambda row: (*FORMS, PEER).index(row["form"]))


def grown(folder, form):
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, str(folder), form],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


if __name__ == "__main__":
    main()
