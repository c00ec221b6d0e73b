"""Trained networks, exported in every mode: what do they lose, and share?

    python benchmarks/export_accuracy.py --data DIR --seeds 0 1

Per seed, the domains that `do_conv.py` (slot_plain) has trained on one trunk
are put into one model and exported in every mode and form, calibrated on
training images and verified on VALIDATION images. One row per seed, mode and
domain goes to `results/export_accuracy.csv`: the accuracy in Keras, with the
trunk on its int8 grid, and of the exported file (every form of which gives
the same bits, or the export fails), the bytes, and the part of the trunk's
bytes that the file shares. Rows that exist are not run again.

`--keep DIR` keeps the exports of the first seed.
"""

import pathlib
import tempfile
import time

import sharing
import soft_sharing
from keras_mdl_export.modes import MODES

from keras_mdl.runs.exporting import export_with_data

RESULTS = sharing.RESULTS.parent / "export_accuracy.csv"
# Everything is to be reported here, nothing refused.
ANYTHING = {
    "min_shared": 0.0,
    "max_accuracy_drop": 1.0,
    "min_agreement": 0.0,
}


def main():
    p = sharing.parser(__doc__, RESULTS, [0, 1])
    p.add_argument("--modes", nargs="+", choices=MODES, default=list(MODES))
    p.add_argument("--slots", default="slot_plain")
    p.add_argument("--keep", type=pathlib.Path)
    args = sharing.parse(p)
    for seed in args.seeds:
        model = soft_sharing.trained_model(args, seed)
        names = [args.base, *sharing.DOMAINS]
        data = {name: sharing.load_domain(args, name) for name in names}
        for mode in args.modes:
            # The rows of a mode are written together; this is the last.
            last = names[-1]
            if not sharing.done(args, seed=seed, domain=last, method=mode):
                run(args, seed, model, data, mode)


def run(args, seed, model, data, mode):
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder, "export")
        if args.keep and seed == args.seeds[0]:
            folder = args.keep / mode
        report = export_with_data(
            model, data, folder, args.size, mode=mode, **ANYTHING
        )
        print(report, flush=True)
    seconds = round(time.perf_counter() - start)
    for row in report.domains:
        sharing.write(
            args,
            seed,
            data[row["domain"]],
            method=mode,
            accuracy=round(row["accuracy"], 4),
            seconds=seconds,
            accuracy_keras=round(row["accuracy_keras"], 4),
            accuracy_quantized=round(row["accuracy_quantized"], 4),
            agreement=round(row["agreement"], 4),
            snr_db=round(row["snr_db"], 1),
            images=row["images"],
            file_bytes=row["complete"],
            own_bytes=row["prefix"],
            pack_bytes=row["pack"] or "",
            shared=round(row["shared"], 4),
            unshared_kernels=len(row["unshared"]),
            trunk_bytes=report.sizes.get("trunk", 0),
            bundle_bytes=report.sizes["bundle"],
        )


if __name__ == "__main__":
    main()
