"""Trained networks, exported in every mode: what do they lose, and share?

    python benchmarks/export_accuracy.py benchmarks/do_conv.yaml runs/do_conv

Per seed, the domains that a comparison has trained on one trunk (by
`pointwise_sharing`) are put into one model and exported in every mode and form,
calibrated on training images and verified on VALIDATION images. One row per
seed, mode and domain goes to `results/export_accuracy.csv`: the accuracy in
Keras, with the trunk on its int8 grid, and of the exported file (every form of
which gives the same bits, or the export fails), the bytes, and the part of the
trunk's bytes that the file shares. Rows that exist are not run again.

    python benchmarks/export_accuracy.py benchmarks/private_bits.yaml \
        runs/private_bits --seeds 0 --modes dyn_conv int8 --private-bits all \
        --out benchmarks/results/private_bits.csv

does the same for each step of coarser private numbers; each mode is converted
once. `seconds` is then without the conversion, but for the first. With

    --domains flowers --private-bits coarsest --out .../compression.csv \
        --ways plain tune quantize prune cluster

the domains' private kernels are first trained by each way of
`keras_mdl.compression` (`plain`: by none; `tune`: on, and rounded by nothing).

`--keep DIR` keeps the exports of the first seed, with their images.
"""

import argparse
import pathlib
import tempfile
import time

import numpy as np
import stored
from environment import environment
from keras_mdl_export import exporting, load
from keras_mdl_export.modes import MODES
from keras_mdl_export.private_bits import LADDER

from keras_mdl.compression import compress
from keras_mdl.runs.compare import read_settings
from keras_mdl.runs.compare.trial import trained_model
from keras_mdl.runs.exporting import evenly_spread, export_with_data
from keras_mdl.runs.fitting import batches

CONVERT = exporting.convert_all
RESULTS = stored.RESULTS / "export_accuracy.csv"
WAYS = ("plain", "tune", "quantize", "prune", "cluster")
# Everything is to be reported here, nothing refused.
ANYTHING = {
    "min_shared": 0.0,
    "max_accuracy_drop": 1.0,
    "min_agreement": 0.0,
}


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("settings", type=pathlib.Path, help="of the comparison")
    p.add_argument("folder", type=pathlib.Path, help="of the comparison")
    p.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    p.add_argument("--modes", nargs="+", choices=MODES, default=list(MODES))
    p.add_argument("--private-bits", default="full", help="or all")
    p.add_argument("--domains", nargs="+", help="default: all")
    p.add_argument("--ways", nargs="+", choices=WAYS, default=["plain"])
    p.add_argument("--epochs", type=int, default=2, help="of the ways")
    p.add_argument("--out", type=pathlib.Path, default=RESULTS)
    p.add_argument("--keep", type=pathlib.Path)
    args = p.parse_args()
    args.compared = s = read_settings(args.settings)
    for seed in args.seeds:
        # (A pretrained base has no images here.)
        entries = [e for e in (s.base, *s.domains) if hasattr(e, "load")]
        data = {
            e.name: e.load(s.folder, s.size)
            for e in entries
            if e.name in (args.domains or [e.name])
        }
        model = trained_model(s, args.folder, seed)
        for name in [n for n in model if n not in data]:
            model = model.without_domain(name)
        names = [args.private_bits]
        if names == ["all"]:
            names = [*LADDER, "auto"]
        for way in args.ways:
            left = [
                (mode, bits)
                for mode in args.modes
                for bits in names
                if not done(args, seed, mode, bits, way)
            ]
            if left:
                compressed = by_way(args, model, data, way, names[-1])
            for mode in dict.fromkeys(mode for mode, _ in left):
                exporting.convert_all = once(CONVERT)
                for bits in (b for m, b in left if m == mode):
                    run(args, seed, compressed, data, mode, bits, way)


def by_way(args, model, data, way, bits):
    """The model with every domain's private kernels trained by a way."""
    if way == "plain":
        return model
    options, bits = {}, LADDER.get(bits, LADDER["full"])
    if way == "tune":
        options = {"kernels": 127, "depthwise": 127}
    if way == "quantize":
        options = {"kernels": bits.kernels, "depthwise": bits.depthwise}
    for name, one in data.items():
        images = batches(one, "train", args.compared.size, training=True)
        model, _ = compress(
            model, name, images, "quantize" if way == "tune" else way,
            args.epochs, verbose=2, **options,
        )  # fmt: skip
    return model


def once(convert):
    """A conversion that is not repeated: it does not depend on the bits."""
    found = []

    def converted(*args, **options):
        if not found:
            found.append(convert(*args, **options))
        return found[0]

    return converted


def done(args, seed, mode, bits, way):
    """Whether there are rows; those of a mode are written together."""
    return args.out.exists() and any(
        (r["seed"], r["method"], r["private_bits"], r["way"])
        == (str(seed), mode, bits, way)
        for r in stored.rows(args.out)
    )


def run(args, seed, model, data, mode, bits, way):
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder, "export")
        if args.keep and seed == args.seeds[0]:
            folder = args.keep / mode
        report = export_with_data(
            model, data, folder, args.compared.size, mode=mode,
            private_bits=bits, **ANYTHING
        )  # fmt: skip
        print(report, flush=True)
        if args.keep and seed == args.seeds[0]:
            keep_images(args, data, folder)
    seconds = round(time.perf_counter() - start)
    found = [
        {
            "seed": seed,
            "domain": row["domain"],
            "classes": data[row["domain"]].domain.num_classes,
            "method": mode,
            "accuracy": round(row["accuracy"], 4),
            # As the rows of trainings have them.
            "parameters_private": 0,
            "parameters_shared": 0,
            "others_bit_identical": "",
            "train_images": data[row["domain"]].size("train"),
            "validation_images": data[row["domain"]].size("validation"),
            "base": args.compared.base.name,
            "width": args.compared.width or 1,
            "size": args.compared.size,
            "epochs": 0,
            "seconds": seconds,
            "accuracy_keras": round(row["accuracy_keras"], 4),
            "accuracy_quantized": round(row["accuracy_quantized"], 4),
            "agreement": round(row["agreement"], 4),
            "snr_db": round(row["snr_db"], 1),
            "images": row["images"],
            "file_bytes": row["complete"],
            "own_bytes": row["prefix"],
            "pack_bytes": row["pack"] or "",
            "shared": round(row["shared"], 4),
            "way": way,
            "private_bits": bits,
            "chosen": row["private_bits"],
            "lost_training": round(row["lost"], 4),
            "unshared_kernels": len(row["unshared"]),
            "trunk_bytes": report.sizes.get("trunk", 0),
            "bundle_bytes": report.sizes["bundle"],
            **environment(),
        }
        for row in report.domains
    ]
    stored.append(args.out, found)


def keep_images(args, data, folder):
    """Images, labels and our answers, for a check with another runtime."""
    classifiers, kept = load(folder, "models"), {}
    for name, domain_data in data.items():
        x, y = evenly_spread(domain_data, "validation", args.compared.size, 100)
        kept[name], kept[f"{name}_labels"] = x, y
        kept[f"{name}_expected"] = classifiers[name](x).argmax(-1)
    np.savez_compressed(folder.with_suffix(".npz"), **kept)


if __name__ == "__main__":
    main()
