"""Bytes of exports at full width: 1, 3 and 10 domains, package by package.

    python benchmarks/export_size.py

The network of the paper at 72x72 pixels with the class counts of the Visual
Decathlon. Its numbers are random (bytes do not depend on them, but for packs,
which compress trained numbers a little better). One row per mode and number
of domains goes to `results/export_size.csv`, with the seconds that the whole
export took. Accuracy: see `export_accuracy.py`.
"""

import argparse
import csv
import pathlib
import tempfile
import time

import numpy as np
from environment import environment
from keras_mdl_export import export

import keras_mdl

RESULTS = pathlib.Path(__file__).parent / "results" / "export_size.csv"
CLASSES = {
    "imagenet12": 1000,
    "dtd": 47,
    "aircraft": 100,
    "cifar100": 100,
    "daimlerpedcls": 2,
    "gtsrb": 43,
    "omniglot": 1623,
    "svhn": 10,
    "ucf101": 101,
    "vgg-flowers": 102,
}


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--modes", nargs="+", default=["dyn_conv", "int8"])
    p.add_argument("--counts", nargs="+", type=int, default=[1, 3, 10])
    p.add_argument("--out", type=pathlib.Path, default=RESULTS)
    args = p.parse_args()
    rows = []
    for mode in args.modes:
        for count in args.counts:
            rows.append(measure(mode, dict([*CLASSES.items()][:count])))
            print(rows[-1], flush=True)
    with open(args.out, "w", newline="") as f:
        writer = csv.DictWriter(f, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def network(classes):
    """The paper's network."""
    return with_numbers(keras_mdl.build_resnet26(classes))


def with_numbers(model):
    """Gives gammas, betas and statistics values as after a training."""
    rng = np.random.default_rng(0)
    for path, v in model.variables_by_path().items():
        if "gamma" in path or "variance" in path:
            v.assign(rng.uniform(0.5, 1.5, v.shape))
        elif "beta" in path or "mean" in path:
            v.assign(rng.normal(0, 0.3, v.shape))
    return model


def measure(mode, classes):
    model = network(classes)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (100, 72, 72, 3)).astype("uint8")
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        report = export(
            model,
            pathlib.Path(folder, "export"),
            mode=mode,
            calibration=dict.fromkeys(classes, images),
            min_agreement=0.0,  # of random classes
            min_shared=1.0,
        )
    seconds = time.perf_counter() - start
    return {
        "mode": mode,
        "domains": len(classes),
        **{f"{k}_bytes": v for k, v in report.sizes.items()},
        "largest_prefix_bytes": max(d["prefix"] for d in report.domains),
        "smallest_prefix_bytes": min(d["prefix"] for d in report.domains),
        "smallest_pack_bytes": min(d["pack"] for d in report.domains),
        "largest_pack_bytes": max(d["pack"] for d in report.domains),
        **of_100_classes(report),
        "seconds": round(seconds),
        **environment(),
    }


def of_100_classes(report):
    found = [d for d in report.domains if d["classes"] == 100]
    return {
        "prefix_bytes_100_classes": found[0]["prefix"] if found else "",
        "pack_bytes_100_classes": found[0]["pack"] if found else "",
    }


if __name__ == "__main__":
    main()
