"""Training images per second: what slots cost, what a frozen trunk saves.

    KERAS_BACKEND=tensorflow python benchmarks/throughput.py
    KERAS_BACKEND=tensorflow python benchmarks/throughput.py --jit
    KERAS_BACKEND=jax python benchmarks/throughput.py
    python benchmarks/throughput.py --network mobilenet_v2

Times, in one process and in turn (A B C, A B C, ...), the same network

- `plain_keras`: in Keras' own layers, no slots, everything trains;
- `plain`: likewise, with this package's depthwise and BatchNorm kernels (of
  the ResNet-26 alone);
- `base`: as a view of a 10-domain model, everything trains;
- `domain`: the same view with the trunk frozen;
- `domain_do`: the same with over-parameterised (DO) kernels (likewise);
- `head`: only the classifier trains (the floor: a forward pass).

CPU time is given beside wall time: with several cores weight gradients run
beside the rest of the backward pass, so that not all of what freezing saves is
waited for. Ratios are taken round by round against `base`; the median and the
range over rounds go to `results/throughput.csv`, or
`results/throughput_mobilenet_v2.csv`.
"""

import argparse
import pathlib
import statistics
import time

import keras
import numpy as np
import stored
from environment import environment
from plain_resnet26 import plain_resnet26

import keras_mdl

CASES = {"small": (0.25, 32, 64), "full": (1.0, 72, 16)}
CLASSES = 100


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--network", choices=NETWORKS, default="resnet26")
    p.add_argument("--case", choices=CASES, default="small")
    p.add_argument("--jit", action="store_true", help="TensorFlow with XLA")
    p.add_argument("--rounds", type=int, default=7)
    p.add_argument("--steps", type=int, default=8)
    p.add_argument("--domains", type=int, default=10)
    p.add_argument("--out", type=pathlib.Path)
    args = p.parse_args()
    width, size, batch = CASES[args.case]
    jit = args.jit or keras.backend.backend() == "jax"
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 255, (args.steps * batch, size, size, 3))
    x = x.astype("float32")
    y = rng.integers(0, CLASSES, len(x))

    runners = {}
    models = NETWORKS[args.network](width, size, args.domains)
    for name, model in models.items():
        model.compile(
            keras.optimizers.SGD(0.01, momentum=0.9),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            jit_compile=jit,
        )
        runners[name] = fit_runner(model, x, y, batch)
    for name, runner in runners.items():
        start = time.perf_counter()
        runner()
        print(f"{name}: first run {time.perf_counter() - start:.1f} s")
    rounds = []
    for i in range(args.rounds):
        rounds.append({name: runner() for name, runner in runners.items()})
        print(i, {n: f"{1e3 * t:.0f} ms" for n, (t, _) in rounds[-1].items()})
    report(args, rounds, width, size, batch, jit)


def resnet26(width, size, domains):
    shape = (size, size, 3)
    names = {f"domain{i}": CLASSES for i in range(domains)}
    slotted = keras_mdl.build_resnet26(names, shape, width=width)
    do = {"domain0": "do"}
    over = keras_mdl.build_resnet26(names, shape, width=width, depthwise=do)
    return {
        "plain_keras": plain_resnet26(CLASSES, shape, width, "keras"),
        "plain": plain_resnet26(CLASSES, shape, width, "ours"),
        **views(slotted),
        "domain_do": over.for_domain("domain0", phase="domain"),
    }


def mobilenet_v2(width, size, domains):
    plain = keras.applications.MobileNetV2(
        (size, size, 3),
        alpha=width,
        weights=None,
        classes=CLASSES,
        classifier_activation=None,
    )
    slotted = keras_mdl.models.from_keras(
        plain, keras_mdl.Domain("domain0", CLASSES), "0..255", verbose=0
    )
    for i in range(1, domains):
        slotted = slotted.with_domain(keras_mdl.Domain(f"domain{i}", CLASSES))
    return {"plain_keras": plain, **views(slotted)}


def views(slotted):
    return {
        phase: slotted.for_domain("domain0", phase=phase)
        for phase in ("base", "domain", "head")
    }


NETWORKS = {"resnet26": resnet26, "mobilenet_v2": mobilenet_v2}


class EpochTime(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter(), time.process_time()

    def on_epoch_end(self, epoch, logs=None):
        self.wall = time.perf_counter() - self.start[0]
        self.cpu = time.process_time() - self.start[1]


def fit_runner(model, x, y, batch):
    """A function that fits one epoch; returns (wall, CPU) seconds per step."""
    clock = EpochTime()
    options = {"batch_size": batch, "verbose": 0, "shuffle": False}

    def run():
        model.fit(x, y, epochs=1, callbacks=[clock], **options)
        steps = len(x) // batch
        return clock.wall / steps, clock.cpu / steps

    return run


def report(args, rounds, width, size, batch, jit):
    out = []
    for name in rounds[0]:
        times, cpu = zip(*(r[name] for r in rounds), strict=True)
        ratios, cpu_ratios = (
            [r[name][i] / r["base"][i] for r in rounds] for i in (0, 1)
        )
        out.append(
            {
                "run": name,
                "width": width,
                "size": size,
                "batch": batch,
                "xla": jit,
                "ms_per_step": round(1e3 * statistics.median(times), 1),
                "images_per_s": round(batch / statistics.median(times), 1),
                "ratio_to_base": round(statistics.median(ratios), 3),
                "ratio_min": round(min(ratios), 3),
                "ratio_max": round(max(ratios), 3),
                "cpu_ms_per_step": round(1e3 * statistics.median(cpu), 1),
                "cpu_ratio_to_base": round(statistics.median(cpu_ratios), 3),
                "cpu_ratio_min": round(min(cpu_ratios), 3),
                "cpu_ratio_max": round(max(cpu_ratios), 3),
                "rounds": len(rounds),
                "steps": args.steps,
                "domains": args.domains,
                **environment(),
            }
        )
        print(*list(out[-1].values())[:14])
    name = "throughput" + f"_{args.network}" * (args.network != "resnet26")
    stored.append(args.out or stored.RESULTS / f"{name}.csv", out)


if __name__ == "__main__":
    main()
