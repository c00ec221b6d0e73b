"""Sharing against classifier-only and individual networks, on image folders.

    python benchmarks/sharing.py --data DIR --seeds 0 1

`DIR` holds one TFDS directory per domain (or a class folder per domain). For
each seed a base network is trained on `--base`; then each domain starts from
it by each method, independently, as in the paper. One row per result goes to
`benchmarks/results/sharing.csv` as soon as it is there; rows that exist are
not run again, so a killed run goes on where it was. Figures are accuracies on
the VALIDATION splits after the last epoch (no epoch is selected).
"""

import argparse
import csv
import fcntl
import math
import pathlib
import time

import keras
from environment import environment

import keras_mdl
from keras_mdl.data import Preprocess, SetEpoch, load
from keras_mdl.runs.networks import NETWORKS, build_network
from keras_mdl.training import METHODS, get_recipe, train

FLIP = {"miniimagenet", "dtd", "flowers", "pedestrians", "fashion"}
DOMAINS = ["gtsrb", "omniglot", "dtd", "flowers", "pedestrians", "chars74k"]
RESULTS = pathlib.Path(__file__).parent / "results" / "sharing.csv"
COMPARED = ["pointwise_sharing", "classifier_only", "individual"]
# A linear classifier alone bears, and needs, larger steps.
LEARNING_RATE = {"classifier_only": 1e-2}


def main():
    p = parser(__doc__, RESULTS, [0, 1])
    p.add_argument("--methods", nargs="+", choices=METHODS, default=COMPARED)
    args = parse(p)
    for seed in args.seeds:
        model = base_model(args, seed)
        for name in args.domains:
            data = load_domain(args, name)
            for method in args.methods:
                run(args, seed, model, data, METHODS[method])


def parser(doc, out, seeds):
    """Flags of this and of the other benchmarks on the same domains."""
    p = argparse.ArgumentParser(description=doc.splitlines()[0])
    p.add_argument("--data", type=pathlib.Path, help="folder of the domains")
    p.add_argument("--network", choices=NETWORKS, default="resnet26")
    p.add_argument("--base", default="miniimagenet")
    p.add_argument("--domains", nargs="+", default=DOMAINS)
    p.add_argument("--seeds", nargs="+", type=int, default=seeds)
    p.add_argument("--width", type=float, default=0.25)
    p.add_argument("--size", type=int, default=32)
    p.add_argument("--base-epochs", type=int, default=12)
    p.add_argument(
        "--images",
        type=int,
        default=60_000,
        help="images seen per domain and method (sets the epochs)",
    )
    p.add_argument("--work", type=pathlib.Path, default="runs/sharing")
    p.add_argument("--out", type=pathlib.Path, default=out)
    return p


def parse(p):
    args = p.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    return args


def load_domain(args, name):
    return load(f"{name}={args.data / name}", flip=name in FLIP)


def loaders(args, data, seed):
    options = {"batch_size": 64, "preprocess": Preprocess.default(args.size)}
    return (
        data.tf_dataset("train", training=True, seed=seed, **options),
        data.tf_dataset("validation", **options),
    )


def base_model(args, seed, row=True):
    """The base of a seed: from the work folder, or trained, which adds a row
    (not to files whose rows have other columns)."""
    base = args.base
    if args.network != "resnet26":
        base = f"{args.network}-{base}"
    path = args.work / f"base-{base}-w{args.width}-s{seed}.keras"
    if path.exists():
        return keras_mdl.load_model(path)
    keras.utils.set_random_seed(seed)
    data = load_domain(args, args.base)
    model = build_network(args.network, [data.domain], args.size, args.width)
    recipe = get_recipe("quick-base").replace(epochs=args.base_epochs)
    start = time.perf_counter()
    history = fit(args, model[data.domain.name], recipe, data, seed)
    model.save(path)
    if not row:
        return model
    write(
        args,
        seed,
        data,
        method="base",
        epochs=recipe.epochs,
        seconds=round(time.perf_counter() - start),
        accuracy=round(history["val_accuracy"][-1], 4),
        parameters_private=parameters(model, data.domain.name),
        parameters_shared=parameters(model, "trunk"),
    )
    return model


def run(args, seed, model, data, method):
    if done(args, seed=seed, domain=data.domain.name, method=method.name):
        return
    keras.utils.set_random_seed(seed)
    name = data.domain.name
    before = model.fingerprint()
    wider, view = method.start(model, data.domain)
    epochs = max(1, round(args.images / data.size("train")))
    recipe = get_recipe("quick-domain").replace(
        phase=method.phase, epochs=epochs
    )
    if method.name in LEARNING_RATE:
        recipe = recipe.replace(learning_rate=LEARNING_RATE[method.name])
    start = time.perf_counter()
    history = fit(args, view, recipe, data, seed)
    after = wider.fingerprint()
    wider.save_domain(
        name, args.work / f"{name}-{method.name}-s{seed}.safetensors"
    )
    # The model we came from must not have moved; and, where the trunk is
    # shared, neither may trunk and other domains have in the wider model.
    kept = model.fingerprint() == before
    if not method.alone:
        kept = kept and all(after[k] == v for k, v in before.items())
    shared = 0 if method.alone else parameters(wider, "trunk")
    private = parameters(wider, name)
    if method.alone:
        private += parameters(wider, "trunk")
    elif method.phase == "head":
        head = wider.summary_by_domain().to_dicts()[-1]["head"]
        shared, private = shared + private - head, head
    write(
        args,
        seed,
        data,
        method=method.name,
        epochs=epochs,
        seconds=round(time.perf_counter() - start),
        accuracy=round(history["val_accuracy"][-1], 4),
        parameters_private=private,
        parameters_shared=shared,
        others_bit_identical=kept,
    )


def fit(args, view, recipe, data, seed):
    training, validation = loaders(args, data, seed)
    print(f"seed {seed}, {view.domain}, phase {recipe.phase}", flush=True)
    return train(
        view, recipe, training, validation, [SetEpoch(training)], verbose=2
    ).history


def parameters(model, owner):
    rows = model.summary_by_domain().to_dicts()
    return next(r["parameters"] for r in rows if r["owner"] == owner)


def done(args, **values):
    """Whether there is a row with these values, at this width and size."""
    values = {"width": args.width, "size": args.size, **values}
    return any(
        all(row[k] == str(v) for k, v in values.items()) for row in rows(args)
    )


def rows(args):
    if not args.out.exists():
        return []
    with open(args.out, newline="") as f:
        return list(csv.DictReader(f))


def write(args, seed, data, **values):
    record = {
        "seed": seed,
        "domain": data.domain.name,
        "classes": data.domain.num_classes,
        "method": "",
        "accuracy": math.nan,
        "parameters_private": 0,
        "parameters_shared": 0,
        "others_bit_identical": "",
        "train_images": data.size("train"),
        "validation_images": data.size("validation"),
        "base": args.base,
        "width": args.width,
        "size": args.size,
        "epochs": 0,
        "seconds": 0,
        **values,
        **environment(),
    }
    # One line, appended under a lock: runs of several seeds share the file.
    with open(args.out, "a", newline="") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        writer = csv.DictWriter(f, list(record))
        if f.tell() == 0:
            writer.writeheader()
        writer.writerow(record)
    print(record, flush=True)


if __name__ == "__main__":
    main()
