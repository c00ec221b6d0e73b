"""Training images per second: what slots cost, what a frozen trunk saves.

    KERAS_BACKEND=tensorflow python benchmarks/throughput.py
    KERAS_BACKEND=tensorflow python benchmarks/throughput.py --jit
    KERAS_BACKEND=jax python benchmarks/throughput.py

Times, in one process and in turn (A B C, A B C, ...), the same ResNet-26

- `plain_keras`: in Keras' own layers, no slots, everything trains;
- `plain`: likewise, with this package's depthwise and BatchNorm kernels;
- `base`: as a view of a 10-domain model, everything trains;
- `domain`: the same view with the trunk frozen;
- `head`: only the classifier trains (the floor: a forward pass);

and, for the gain a frozen trunk can bring at most, `pointwise_gradient`: the
weight gradients of the 24 shared pointwise kernels alone, which is the work
that freezing makes needless. CPU time is given beside wall time: with several
cores these gradients run beside the rest of the backward pass, so that not all
of what freezing saves is waited for. Ratios are taken round by round against
`base`; the median and the range over rounds go to `results/throughput.csv`.
"""

import argparse
import csv
import pathlib
import statistics
import time

import keras
import numpy as np
from environment import environment
from plain_resnet26 import plain_resnet26

import keras_mdl

RESULTS = pathlib.Path(__file__).parent / "results" / "throughput.csv"
CASES = {"small": (0.25, 32, 64), "full": (1.0, 72, 16)}
CLASSES = 100


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--case", choices=CASES, default="small")
    p.add_argument("--jit", action="store_true", help="TensorFlow with XLA")
    p.add_argument("--rounds", type=int, default=7)
    p.add_argument("--steps", type=int, default=8)
    p.add_argument("--domains", type=int, default=10)
    p.add_argument("--out", type=pathlib.Path, default=RESULTS)
    args = p.parse_args()
    width, size, batch = CASES[args.case]
    jit = args.jit or keras.backend.backend() == "jax"
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 255, (args.steps * batch, size, size, 3))
    x = x.astype("float32")
    y = rng.integers(0, CLASSES, len(x))

    runners = {}
    for name, model in models(width, size, args.domains).items():
        model.compile(
            keras.optimizers.SGD(0.01, momentum=0.9),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            jit_compile=jit,
        )
        runners[name] = fit_runner(model, x, y, batch)
    runners["pointwise_gradient"] = gradient_runner(
        width, size, batch, args.steps, jit
    )
    for name, runner in runners.items():
        start = time.perf_counter()
        runner()
        print(f"{name}: first run {time.perf_counter() - start:.1f} s")
    rounds = []
    for i in range(args.rounds):
        rounds.append({name: runner() for name, runner in runners.items()})
        print(i, {n: f"{1e3 * t:.0f} ms" for n, (t, _) in rounds[-1].items()})
    report(args, rounds, width, size, batch, jit)


def models(width, size, domains):
    shape = (size, size, 3)
    names = {f"domain{i}": CLASSES for i in range(domains)}
    found = {
        f"plain{suffix}": plain_resnet26(CLASSES, shape, width, kernels)
        for suffix, kernels in (("_keras", "keras"), ("", "ours"))
    }
    slotted = keras_mdl.build_resnet26(names, shape, width=width)
    for phase in ("base", "domain", "head"):
        found[phase] = slotted.for_domain("domain0", phase=phase)
    return found


class EpochTime(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter(), time.process_time()

    def on_epoch_end(self, epoch, logs=None):
        self.wall = time.perf_counter() - self.start[0]
        self.cpu = time.process_time() - self.start[1]


def fit_runner(model, x, y, batch):
    """A function that fits one epoch; returns (wall, CPU) seconds per step."""
    clock = EpochTime()

    def run():
        model.fit(
            x,
            y,
            batch_size=batch,
            epochs=1,
            verbose=0,
            shuffle=False,
            callbacks=[clock],
        )
        steps = len(x) // batch
        return clock.wall / steps, clock.cpu / steps

    return run  # fmt: skip


def gradient_runner(width, size, batch, steps, jit):
    """Seconds per step for the weight gradients of the 24 shared kernels."""
    shapes = []
    side, before = size, max(1, round(64 * width))
    shapes.append((side, 3, before))
    for n in (128, 256, 512):
        n = max(1, round(n * width))
        side //= 2
        shapes += [(side, before, n)] + [(side, n, n)] * 7
        before = n
    shapes = shapes[:24]
    rng = np.random.default_rng(0)
    pairs = [
        (
            rng.standard_normal((batch, s, s, a)).astype("float32"),
            rng.standard_normal((batch, s, s, b)).astype("float32"),
        )
        for s, a, b in shapes
    ]
    step = (
        _gradients_jax() if keras.backend.backend() == "jax"
        else _gradients_tensorflow(jit)
    )  # fmt: skip
    tensors = [tuple(map(keras.ops.convert_to_tensor, p)) for p in pairs]

    def run():
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(steps):
            float(step(tensors))
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        return wall / steps, cpu / steps

    return run


def _gradients_tensorflow(jit):
    import tensorflow as tf

    @tf.function(jit_compile=jit)
    def step(tensors):
        total = 0.0
        for x, dy in tensors:
            kernel = tf.raw_ops.Conv2DBackpropFilter(
                input=x,
                filter_sizes=(1, 1, x.shape[-1], dy.shape[-1]),
                out_backprop=dy,
                strides=[1, 1, 1, 1],
                padding="SAME",
            )
            total += kernel[0, 0, 0, 0]
        return total

    return step


def _gradients_jax():
    import jax

    @jax.jit
    def step(tensors):
        total = 0.0
        for x, dy in tensors:
            kernel = keras.ops.einsum("bhwc,bhwn->cn", x, dy)
            total += kernel.sum()
        return total

    return step


def report(args, rounds, width, size, batch, jit):
    env = environment()
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
                **env,
            }
        )
    args.out.parent.mkdir(parents=True, exist_ok=True)
    new = not args.out.exists()
    with open(args.out, "a", newline="") as f:
        writer = csv.DictWriter(f, list(out[0]))
        if new:
            writer.writeheader()
        writer.writerows(out)
    for row in out:
        print(
            f"{row['run']:>20} {row['ms_per_step']:>8} ms "
            f"{row['images_per_s']:>7} images/s  ratio {row['ratio_to_base']} "
            f"({row['ratio_min']}..{row['ratio_max']}), "
            f"CPU time {row['cpu_ratio_to_base']} "
            f"({row['cpu_ratio_min']}..{row['cpu_ratio_max']})"
        )


if __name__ == "__main__":
    main()
