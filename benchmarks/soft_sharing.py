"""Soft sharing: where do gates help, and does folding them keep the gain?

    python benchmarks/soft_sharing.py --data DIR --seeds 0 1

Per seed, the domains that `do_conv.py` (slot_plain) has trained on one trunk
are put into one model. Then, for each target domain on its own, gates are
trained in the early, middle, late or all layers; the gates alone or with the
target's BatchNorms, last pointwise and head; from the released random start
(near uniform) or from 0.9 on the own filters. `--layers none` continues to
train the same other parts without any gate, for as long: what more training
alone would have given. One row each goes to `results/soft_sharing.csv`: the
VALIDATION accuracy before, with gates, and with gates folded to their mean.
Rows that exist are not run again.
"""

import itertools
import time

import keras
import sharing

from keras_mdl.runs import fitting
from keras_mdl.runs.soft_sharing import share
from keras_mdl.training import get_recipe

RESULTS = sharing.RESULTS.parent / "soft_sharing.csv"
LAYERS = ("early", "middle", "late", "all")
TRAINS = {"gates": "gate", "slot": "gate_and_slot"}
STARTS = {"released": None, "own_0.9": 0.9}


def main():
    p = sharing.parser(__doc__, RESULTS, [0, 1])
    p.set_defaults(images=8_000)
    p.add_argument("--layers", nargs="+", default=["none", *LAYERS])
    p.add_argument("--slots", default="slot_plain")
    args = sharing.parse(p)
    for seed in args.seeds:
        model = trained_model(args, seed)
        for name in args.domains:
            data = sharing.load_domain(args, name)
            hard = None
            for case in cases(args.layers):
                method = "/".join(case)
                if sharing.done(args, seed=seed, domain=name, method=method):
                    continue
                if hard is None:
                    hard = fitting.evaluate(model[name], data, args.size)
                run(args, seed, model, data, hard.accuracy, *case)


def cases(layers):
    for layer, trains in itertools.product(layers, TRAINS):
        if layer == "none":
            if trains == "slot":
                yield layer, trains, "-"
        else:
            for start in STARTS:
                yield layer, trains, start


def trained_model(args, seed):
    """The base of a seed and all domains that were trained on its trunk."""
    model = sharing.base_model(args, seed)
    for name in sharing.DOMAINS:
        file = args.work / f"{name}-{args.slots}-s{seed}.safetensors"
        model = model.load_domain(file)
    return model


def run(args, seed, model, data, hard, layers, trains, start):
    name, before = data.domain.name, model.fingerprint()
    epochs = max(1, round(args.images / data.size("train")))
    recipe = get_recipe("quick-gate").replace(
        epochs=epochs, phase=TRAINS[trains]
    )
    print(f"seed {seed}, {name}, {layers}, {trains}, {start}", flush=True)
    begin = time.perf_counter()
    if layers == "none":
        after, found = more_training(args, seed, model, data, recipe)
    else:
        shared = share(
            model,
            data,
            recipe,
            args.size,
            layers,
            own_weight=STARTS[start],
            seed=seed,
        )
        after = shared.gated.fingerprint()
        found = {
            "gated": round(shared.accuracy["gated"], 4),
            "collapsed": round(shared.accuracy["collapsed"], 4),
            "variation": round(shared.variation, 4),
        }
    own = f"domains/{name}"
    sharing.write(
        args,
        seed,
        data,
        method=f"{layers}/{trains}/{start}",
        accuracy=found["gated"],
        accuracy_hard=round(hard, 4),
        accuracy_collapsed=found["collapsed"],
        variation=found["variation"],
        others_bit_identical=all(
            after[k] == v for k, v in before.items() if k != own
        ),
        epochs=epochs,
        seconds=round(time.perf_counter() - begin),
    )


def more_training(args, seed, model, data, recipe):
    """The control: the same parts train on, without gates, on a copy."""
    keras.utils.set_random_seed(seed)
    copy = model.folded([])
    view = copy.for_domain(data.domain.name, phase=recipe.phase)
    fitting.fit(view, recipe, data, args.size, seed)
    accuracy = fitting.evaluate(view, data, args.size).accuracy
    return copy.fingerprint(), {
        "gated": round(accuracy, 4),
        "collapsed": "",
        "variation": "",
    }


if __name__ == "__main__":
    main()
