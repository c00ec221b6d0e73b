"""Does over-parameterisation help? DO slots, and a DO stem, against plain ones.

    python benchmarks/do_conv.py --data DIR --seeds 0 1 2
    python benchmarks/do_conv.py --time

The first command trains pairs that differ in nothing but the factor D: the
same base, images, order, recipe and initial values (a DO layer starts as the
plain one).

- `slot_plain`, `slot_do`: a further domain on the frozen trunk of the
  separable ResNet-26, its depthwise kernels plain or over-parameterised;
- `stem_plain`, `stem_do`: a dense ResNet-26 trained from scratch on the
  domain, its first convolution plain or over-parameterised.

One row per result goes to `results/do_conv.csv` (VALIDATION accuracy after the
last epoch); rows that exist are not run again. The second command times
training steps in turn and writes ratios to `results/do_conv_time.csv`.
"""

import csv
import statistics
import time

import keras
import numpy as np
import sharing
import throughput
from dense_resnet26 import dense_resnet26
from environment import environment

import keras_mdl
from keras_mdl.data import SetEpoch
from keras_mdl.training import get_recipe

RESULTS = sharing.RESULTS.parent
SLOTS = {"slot_plain": "plain", "slot_do": "do"}
STEMS = {"stem_plain": "plain", "stem_do": "do"}


def main():
    p = sharing.parser(__doc__, RESULTS / "do_conv.csv", [0, 1, 2])
    p.add_argument("--only", choices=("slots", "stems"))
    p.add_argument("--time", action="store_true")
    args = sharing.parse(p)
    if args.time:
        measure_steps(args)
        return
    for seed in args.seeds:
        for name in args.domains:
            data = sharing.load_domain(args, name)
            for method, kind in SLOTS.items():
                if args.only != "stems":
                    run(args, seed, data, method, kind, train_slot)
            for method, kind in STEMS.items():
                if args.only != "slots":
                    run(args, seed, data, method, kind, train_dense)


def run(args, seed, data, method, kind, train_one):
    name = data.domain.name
    if sharing.done(args, seed=seed, domain=name, method=method):
        return
    epochs = max(1, round(args.images / data.size("train")))
    recipe = get_recipe("quick-domain").replace(epochs=epochs)
    print(f"seed {seed}, {data.domain.name}, {method}", flush=True)
    start = time.perf_counter()
    accuracy, values = train_one(args, seed, data, method, kind, recipe)
    sharing.write(
        args,
        seed,
        data,
        method=method,
        epochs=epochs,
        seconds=round(time.perf_counter() - start),
        accuracy=round(accuracy, 4),
        **values,
    )


def train_slot(args, seed, data, method, kind, recipe):
    base = sharing.base_model(args, seed)
    before, name = base.fingerprint(), data.domain.name
    keras.utils.set_random_seed(seed)
    wider = base.with_domain(data.domain, depthwise=kind)
    history = sharing.fit(args, wider[name], recipe, data, seed)
    after = wider.fingerprint()
    wider.save_domain(name, args.work / f"{name}-{method}-s{seed}.safetensors")
    return history["val_accuracy"][-1], {
        "parameters_private": sharing.parameters(wider, name),
        "parameters_shared": sharing.parameters(wider, "trunk"),
        "others_bit_identical": all(after[k] == v for k, v in before.items()),
    }


def train_dense(args, seed, data, method, kind, recipe):
    keras.utils.set_random_seed(seed)
    model = dense_of(args, data.domain, kind)
    training, validation = sharing.loaders(args, data, seed)
    compile_dense(model, recipe.optimizer(data.domain.name, len(training)))
    history = model.fit(
        training,
        epochs=recipe.epochs,
        validation_data=validation,
        callbacks=[SetEpoch(training)],
        verbose=2,
        shuffle=False,
    ).history
    return history["val_accuracy"][-1], {
        "parameters_private": sum(
            int(np.prod(v.shape)) for v in model.trainable_variables
        )
    }


def dense_of(args, domain, kind):
    return dense_resnet26(
        domain.num_classes,
        (args.size, args.size, 3),
        domain.mean,
        domain.std,
        args.width,
        kind,
    )


def compile_dense(model, optimizer):
    model.compile(
        optimizer,
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        # As keras_mdl's own models choose on CPUs.
        jit_compile=keras.backend.backend() == "jax",
    )


def measure_steps(args, batch=64, steps=8, rounds=7):
    """Rounds in turn; each ratio is DO against plain of the same round."""
    domain = keras_mdl.Domain("domain", 100)
    shape = (args.size, args.size, 3)
    x = np.random.default_rng(0).uniform(0, 255, (steps * batch, *shape))
    x, y = x.astype("float32"), np.arange(len(x)) % domain.num_classes
    runners = {}
    for method, kind in SLOTS.items():
        model = keras_mdl.build_resnet26(
            {"base": 10, "domain": 100},
            shape,
            args.width,
            depthwise={"domain": kind},
        )
        view = model["domain"]
        compile_dense(view, keras.optimizers.Adam(1e-3))
        runners[method] = throughput.fit_runner(view, x, y, batch)
    for method, kind in STEMS.items():
        model = dense_of(args, domain, kind)
        compile_dense(model, keras.optimizers.Adam(1e-3))
        runners[method] = throughput.fit_runner(model, x, y, batch)
    for runner in runners.values():
        runner()
    times = [
        {name: runner()[0] for name, runner in runners.items()}
        for _ in range(rounds)
    ]
    rows = []
    for do, plain in (("slot_do", "slot_plain"), ("stem_do", "stem_plain")):
        ratios = [t[do] / t[plain] for t in times]
        rows.append(
            {
                "run": do,
                "width": args.width,
                "size": args.size,
                "batch": batch,
                "ms_per_step": round(
                    1e3 * statistics.median(t[do] for t in times), 1
                ),
                "ratio_to_plain": round(statistics.median(ratios), 3),
                "ratio_min": round(min(ratios), 3),
                "ratio_max": round(max(ratios), 3),
                "rounds": rounds,
                "steps": steps,
                **environment(),
            }
        )
        print(rows[-1])
    path = RESULTS / "do_conv_time.csv"
    new = not path.exists()
    with open(path, "a", newline="") as f:
        writer = csv.DictWriter(f, list(rows[0]))
        if new:
            writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
