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

takes the steps of coarser private numbers instead, and `auto`: each mode is
converted once, and each step's file runs on LiteRT. (An export would verify all
forms besides.) With

    --domains flowers --private-bits coarsest --out .../compression.csv \
        --ways plain tune quantize

the domains' private kernels are first trained: by `keras_mdl.compression`
(`quantize`), or further and rounded by nothing (`tune`).

`--keep DIR` keeps the exports of the first seed, with their images.
"""

import argparse
import functools
import pathlib
import tempfile
import time

import numpy as np
import stored
from environment import environment
from keras_mdl_export import load, make_pack
from keras_mdl_export.choosing import choose, probabilities
from keras_mdl_export.converting import convert_all
from keras_mdl_export.expected import outputs_of
from keras_mdl_export.finishing import finish
from keras_mdl_export.flatbuffer import pack, tail_bytes
from keras_mdl_export.modes import MODES, get_mode
from keras_mdl_export.prepared import ordinary
from keras_mdl_export.private_bits import LADDER
from keras_mdl_export.sharing import sharing_of
from keras_mdl_export.trunk import (
    as_bytes,
    quantized,
    stored_kernels,
    trunk_kernels,
    without_dead_rows,
)
from keras_mdl_export.verification import compare

from keras_mdl.compression import compress
from keras_mdl.runs.compare import read_settings
from keras_mdl.runs.compare.trial import trained_model
from keras_mdl.runs.exporting import evenly_spread, export_with_data
from keras_mdl.runs.fitting import batches

RESULTS = stored.RESULTS / "export_accuracy.csv"
WAYS = ("plain", "tune", "quantize")
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
        for way in args.ways:
            compressed = None
            for mode in args.modes:
                if done(args, seed, mode, way):
                    continue
                compressed = compressed or by_way(args, model, data, way)
                measure = run if args.private_bits == "full" else steps
                measure(args, seed, compressed, data, mode, way)


def by_way(args, model, data, way):
    """The model with every domain's private kernels trained by a way."""
    if way == "plain":
        return model
    bits = LADDER.get(args.private_bits, LADDER["coarsest"])
    levels = {"kernels": bits.kernels, "depthwise": bits.depthwise}
    if way == "tune":
        levels = {"kernels": 127, "depthwise": 127}
    for name, one in data.items():
        images = batches(one, "train", args.compared.size, training=True)
        model, _ = compress(
            model, name, images, args.epochs, verbose=2, **levels
        )
    return model


def done(args, seed, mode, way):
    """Whether there are rows; those of a mode are written together."""
    return args.out.exists() and any(
        (r["seed"], r["method"], r["way"]) == (str(seed), mode, way)
        for r in stored.rows(args.out)
    )


def run(args, seed, model, data, mode, way):
    """A whole export."""
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder, "export")
        if args.keep and seed == args.seeds[0]:
            folder = args.keep / mode
        report = export_with_data(
            model, data, folder, args.compared.size, mode=mode,
            private_bits="full", **ANYTHING
        )  # fmt: skip
        print(report, flush=True)
        if args.keep and seed == args.seeds[0]:
            keep_images(args, data, folder)
    seconds = round(time.perf_counter() - start)
    sizes = report.sizes
    found = [
        row_of(args, seed, data, mode, way, "full", seconds, sizes, row)
        for row in report.domains
    ]
    stored.append(args.out, found)


def steps(args, seed, model, data, mode, way):
    """The files of the steps of coarser private numbers, on LiteRT."""
    start, size = time.perf_counter(), args.compared.size
    mode = get_mode(mode)
    images, training = (
        {n: evenly_spread(d, split, size, 1000) for n, d in data.items()}
        for split in ("validation", "train")
    )
    expected = outputs_of(model, images, "probabilities")
    on_grid = quantized(without_dead_rows(ordinary(model))[0])
    kernels = trunk_kernels(on_grid)
    stored_trunk = stored_kernels(kernels, mode)
    arrays = [as_bytes(k) for k in stored_trunk.values()]
    trunk = tail_bytes(arrays)
    finished = functools.partial(
        finish, mode=mode, kernels=kernels, output="probabilities",
        trunk=stored_trunk,
    )  # fmt: skip
    calibration = {n: x for n, (x, _) in training.items()}
    rows = []
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        contents = convert_all(on_grid, work, mode, "uint8", calibration)
        rungs = {n: dict.fromkeys(contents, n) for n in LADDER}
        if args.private_bits == "all":
            limit = 0.003  # the default
            chosen = choose(
                contents, finished, "auto", training, limit, work, print
            )
            rungs["auto"] = {n: c.bits.name for n, c in chosen.items()}
        else:
            rungs = {args.private_bits: rungs[args.private_bits]}
        for rung, names in rungs.items():
            for name, content in contents.items():
                tree = finished(content, bits=LADDER[names[name]])
                shared = sharing_of(name, tree, stored_trunk)
                content = pack(tree, arrays)
                path = work / "file.tflite"
                path.write_bytes(content)
                x, labels = images[name]
                found = compare(
                    expected[name], expected[name], probabilities(path, x),
                    labels,
                )  # fmt: skip
                row = {
                    "domain": name,
                    "complete": len(content),
                    "prefix": len(content) - len(trunk),
                    "pack": len(make_pack(trunk, content)),
                    "shared": shared.fraction,
                    "unshared": shared.unshared,
                    "private_bits": names[name],
                    "lost": chosen[name].lost if rung == "auto" else 0.0,
                    **found.to_dict(),
                }
                seconds = round(time.perf_counter() - start)
                sizes = {"trunk": len(trunk), "bundle": 0}
                rows.append(
                    row_of(args, seed, data, mode.name, way, rung, seconds,
                           sizes, row)
                )  # fmt: skip
                print(way, rung, row, flush=True)
    stored.append(args.out, rows)


def row_of(args, seed, data, mode, way, bits, seconds, sizes, row):
    own = data[row["domain"]]
    return {
        "seed": seed,
        "domain": row["domain"],
        "classes": own.domain.num_classes,
        "method": mode,
        "accuracy": round(row["accuracy"], 4),
        # As the rows of trainings have them.
        "parameters_private": 0,
        "parameters_shared": 0,
        "others_bit_identical": "",
        "train_images": own.size("train"),
        "validation_images": own.size("validation"),
        "base": args.compared.base.name,
        "width": args.compared.width or 1,
        "size": args.compared.size,
        "epochs": 0 if way == "plain" else args.epochs,
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
        "trunk_bytes": sizes.get("trunk", 0),
        "bundle_bytes": sizes["bundle"],
        **environment(),
    }


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
