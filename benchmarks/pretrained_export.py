"""EfficientNet-Lite0 with ImageNet weights, exported: bytes, sharing, time.

    python benchmarks/pretrained_export.py

Three domains of 100 classes on one trunk, 96x96 pixels: `base`, as it was
taken over; `own`, whose depthwise kernels and norms differ from it, as after
training a whole slot; `kept`, whose norms alone differ, as after the phase
`head_and_norm_kept`. (They are perturbed, not trained: bytes do not depend on
what the numbers mean.) One row per mode, step of coarser private numbers and
domain goes to `results/pretrained_export.csv`: the trunk's bytes and the part
of them that is shared, those of the domain's own part, and of its pack for a
device that has the trunk, or the file of `base`. Latency: `own`'s files beside
the same network as plain Keras layers in the same mode, one thread, batch 1, in
rounds over all files, so that a busy machine slows all alike; report the ratio.
"""

import argparse
import csv
import pathlib
import statistics
import tempfile

import keras
import numpy as np
import stored
from environment import environment
from export_runtime import best_of, int8_kernels, runner
from keras_mdl_export import export, make_pack, worker
from PIL import Image
from skimage import data

import keras_mdl
from keras_mdl.models.pretrained.efficientnet_lite import efficientnet_lite

RESULTS = stored.RESULTS / "pretrained_export.csv"
SIZE, CLASSES = 96, 100
MODES = ("dyn_conv", "int8")
BITS = ("full", "coarse", "coarsest")
# What differs from the base, by domain.
PRIVATE = {"base": (), "own": ("depthwise", "norm"), "kept": ("norm",)}


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--rounds", type=int, default=25)
    p.add_argument("--out", type=pathlib.Path, default=RESULTS)
    args = p.parse_args()
    model, rows, timed = perturbed(), [], {}
    plain = plain_network()
    for mode in MODES:
        for bits in BITS:
            found, content = exported(model, mode, bits)
            rows += found
            timed[mode, bits] = runner(content, SIZE)[0]
        timed[mode, "plain"] = runner(plain[mode], SIZE)[0]
    times = {key: [] for key in timed}
    for _ in range(args.rounds):
        for key, invoke in timed.items():
            times[key].append(best_of(invoke))
    for row in rows:
        mode, bits = row["mode"], row["private_bits"]
        ours, beside = times[mode, bits], times[mode, "plain"]
        ratios = [a / b for a, b in zip(ours, beside, strict=True)]
        if row["domain"] == "own":
            row |= {
                "milliseconds": round(1e3 * statistics.median(ours), 3),
                "of_plain": round(statistics.median(ratios), 3),
                "of_plain_low": round(min(ratios), 3),
                "of_plain_high": round(max(ratios), 3),
                "rounds": args.rounds,
            }
    about = environment()
    columns = dict.fromkeys(k for row in rows for k in row)
    with open(args.out, "w", newline="") as f:
        writer = csv.DictWriter(f, [*columns, *about], restval="")
        writer.writeheader()
        writer.writerows({**row, **about} for row in rows)


def perturbed():
    """The model, with slots that differ as trained ones would."""
    model = keras_mdl.build_efficientnet_lite0(
        dict.fromkeys(PRIVATE, CLASSES), (SIZE, SIZE, 3)
    )
    rng = np.random.default_rng(0)
    kinds = {"gamma": "norm", "beta": "norm"}
    for path, v in model.variables_by_path().items():
        owner, domain, *_, part, name = path.split("/")
        kind = "depthwise" if part == "depthwise" else kinds.get(name)
        if owner == "domains" and kind in PRIVATE[domain]:
            factor = rng.uniform(0.9, 1.1, v.shape).astype("float32")
            v.assign(v * factor)
    return model


def photos(n=100):
    """Crops of three photographs that scikit-image carries."""
    rng, found = np.random.default_rng(0), []
    sources = [data.astronaut(), data.coffee(), data.cat()]
    for i in range(n):
        image = sources[i % len(sources)]
        side = int(rng.uniform(0.4, 1) * min(image.shape[:2]))
        top, left = (int(rng.integers(s - side + 1)) for s in image.shape[:2])
        crop = Image.fromarray(image[top : top + side, left : left + side])
        crop = crop.resize((SIZE, SIZE), Image.Resampling.BILINEAR)
        found.append(np.asarray(crop))
    return np.stack(found)


def exported(model, mode, bits):
    """Rows about the domains, and the file of `own`."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder, "export")
        report = export(
            model,
            folder,
            mode,
            dict.fromkeys(PRIVATE, photos()),
            output="logits",
            private_bits=bits,
            forms=["models", "packs"],
            min_agreement=0.0,  # of heads that know nothing
            min_shared=0.0,
        )
        print(report, flush=True)
        files = {
            name: (folder / "models" / f"{name}.tflite").read_bytes()
            for name in PRIVATE
        }
    rows = [
        {
            "mode": mode,
            "private_bits": bits,
            "domain": row["domain"],
            "differs": " ".join(PRIVATE[row["domain"]]),
            "size": SIZE,
            "classes": CLASSES,
            "trunk_bytes": report.sizes["trunk"],
            "shared": row["shared"],
            "file_bytes": row["complete"],
            "own_bytes": row["prefix"],
            "pack_bytes": row["pack"],
            "pack_on_base_bytes": ""
            if row["domain"] == "base"
            else len(make_pack(files["base"], files[row["domain"]])),
            "agreement": round(row["agreement"], 3),
            "snr_db": round(row["snr_db"], 1),
        }
        for row in report.domains
    ]
    return rows, files["own"]


def plain_network():
    """`{mode: file}` of the network as ordinary layers of Keras."""
    inputs = keras.Input((SIZE, SIZE, 3))
    network = efficientnet_lite("efficientnet_lite0", (SIZE, SIZE, 3), CLASSES)
    scaled = keras.layers.Rescaling(1 / 128, -127 / 128)(inputs)
    network = keras.Model(inputs, network(scaled))
    return {
        "dyn_conv": int8_kernels(worker.convert(network, "plain", "uint8")),
        "int8": worker.convert(network, "plain", "uint8", photos()),
    }


if __name__ == "__main__":
    main()
