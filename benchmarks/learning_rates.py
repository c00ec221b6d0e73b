"""Which learning rate each method wants: found on training images alone.

    python benchmarks/learning_rates.py --data DIR

Every method is trained on a domain that the comparison leaves out, at each
rate of a grid, on four fifths of the TRAINING images, and measured on the
fifth that was left out; no validation split is looked at. The base has a seed
that the comparison (`compare_methods.yaml`) does not use. One row per training
goes to `results/learning_rates.csv`; rows that exist are not run again. The
best rates are printed; they stand in that file. For the dense network of
`compare_dense.yaml`:

    python benchmarks/learning_rates.py --data DIR --network dense_resnet26 \
        --out benchmarks/results/learning_rates_dense.csv

Why a method falls behind is asked in the same way: `--variant` changes one
thing about it (see `VARIANTS`), on the same images.
"""

import statistics
import time

import keras
import numpy as np
import sharing

from keras_mdl.data import from_arrays
from keras_mdl.runs import fitting
from keras_mdl.runs.networks import methods_for
from keras_mdl.training import METHODS, get_recipe

RESULTS = sharing.RESULTS.parent / "learning_rates.csv"
RATES = (1e-3, 3e-3, 1e-2, 3e-2)
HEAD_RATE = 3e-2  # what a classifier alone wants
VARIANTS = {
    "with norms": "the domain's BatchNorms train too, for methods that keep "
    "the base's",
    "from zero": "residual adapters start at zero, that is with the base's "
    "features; published is a random start",
    "head first": "for a third of the epochs the classifier trains alone, at "
    "a rate of its own",
}


def main():
    p = sharing.parser(__doc__, RESULTS, [2])
    p.set_defaults(images=8_000, domains=["fashion"])
    p.add_argument("--methods", nargs="+", choices=METHODS)
    p.add_argument("--rates", nargs="+", type=float, default=RATES)
    p.add_argument("--variant", choices=VARIANTS, help="with one change")
    args = sharing.parse(p)
    methods = args.methods or methods_for(args.network)
    for seed in args.seeds:
        model = sharing.base_model(args, seed, row=False)
        for name in args.domains:
            data = held_out_fifth(sharing.load_domain(args, name))
            for method in methods:
                for rate in args.rates:
                    run(args, seed, model, data, METHODS[method], rate)
    print_best(sharing.rows(args))


def held_out_fifth(data):
    """The training images alone, every fifth of them to measure with."""
    images, labels = data.images("train"), data.labels("train")
    fifth = np.arange(len(labels)) % 5 == 0
    splits = {
        split: ([images[i] for i in np.flatnonzero(chosen)], labels[chosen])
        for split, chosen in (("train", ~fifth), ("validation", fifth))
    }
    return from_arrays(data.domain.name, splits, data.domain.classes, data.flip)


def run(args, seed, model, data, method, rate):
    epochs = max(1, round(args.images / data.size("train")))
    name, phase = method.name, method.phase
    if args.variant:
        name = f"{name} {args.variant}"
    if args.variant == "with norms":
        phase = "adapter_and_norm"
    if sharing.done(
        args,
        seed=seed,
        domain=data.domain.name,
        method=name,
        learning_rate=rate,
        epochs=epochs,
    ):
        return
    keras.utils.set_random_seed(seed)
    wider, view = method.start(model, data.domain)
    if args.variant == "from zero":
        start_from_zero(wider, data.domain.name)
    stages = [(phase, rate, epochs)]
    if args.variant == "head first":
        alone = max(1, epochs // 3)
        stages = [("head", HEAD_RATE, alone), (phase, rate, epochs - alone)]
    start = time.perf_counter()
    for stage, at, length in stages:
        recipe = get_recipe("quick-domain").replace(
            phase=stage, epochs=length, learning_rate=at
        )
        view = wider.for_domain(data.domain.name, phase=stage)
        fit = fitting.fit(view, recipe, data, args.size, seed)
    sharing.write(
        args,
        seed,
        data,
        method=name,
        accuracy=round(fit.final["val_accuracy"], 4),
        epochs=epochs,
        seconds=round(time.perf_counter() - start),
        learning_rate=rate,
    )


def start_from_zero(model, name):
    kernels = [
        v
        for path, v in model.variables_by_path().items()
        if path.startswith(f"domains/{name}/")
        and path.endswith("/adapter/kernel")
    ]
    if not kernels:
        raise SystemExit("only residual adapters can start from zero")
    for kernel in kernels:
        kernel.assign(0 * kernel)


def print_best(rows):
    found = {}
    for row in rows:
        case = f"{row['method']}, {row['epochs']} epochs"
        of_method = found.setdefault(case, {})
        rate = float(row["learning_rate"])
        of_method.setdefault(rate, []).append(float(row["accuracy"]))
    for case, by_rate in found.items():
        means = {r: statistics.fmean(a) for r, a in sorted(by_rate.items())}
        best = max(means, key=means.get)
        all_means = ", ".join(f"{r}: {100 * a:.1f}" for r, a in means.items())
        print(f"{case}: {best} ({all_means})")


if __name__ == "__main__":
    main()
