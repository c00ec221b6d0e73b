"""A gated layer: one convolution with mixed kernels, against T convolutions.

    KERAS_BACKEND=tensorflow python benchmarks/gate_mixing.py
    KERAS_BACKEND=jax python benchmarks/gate_mixing.py

For T = 2, 5, 10 domains and batches of 1 and 32 images, at two layers of the
full-size network on 72x72 images (early: 72x72x64, late: 9x9x512), forward
and forward + backward (to the image and the gate's weights):

- `sum`: T depthwise convolutions, weighted and added, as the released code;
- `channels`: mixed kernels, the images of a batch as channels of one image;
- `shifts`: mixed kernels, shifted multiply-adds.

Forms take turns in one process; `ratio_to_sum` is the median over rounds of
each form's time by that of `sum` in the same round. Memory is the growth of
the peak resident set of a process of its own that runs the one form (of `sum`
and the chosen form, forward + backward; Linux). What
`keras_mdl` chooses is in `chosen`. Rows go to `results/gate_mixing.csv`; those
that exist are not measured again.
"""

import argparse
import itertools
import json
import pathlib
import re
import statistics
import subprocess
import sys
import time

import keras
import numpy as np
import stored
from environment import environment
from keras import ops

from keras_mdl.layers import depthwise

RESULTS = stored.RESULTS / "gate_mixing.csv"
LAYERS = {"early": (72, 64), "late": (9, 512)}
FORMS = ("sum", "channels", "shifts")
_PASS = {False: "forward", True: "forward+backward"}


def form_of(name):
    """A function of images, gate weights and kernels `(T, 3, 3, c)`."""

    def sum_of_convolutions(x, s, kernels):
        return sum(
            s[:, t, None, None, None]
            * ops.depthwise_conv(x, kernels[t][..., None], padding="same")
            for t in range(kernels.shape[0])
        )

    def mixed(x, s, kernels):
        depthwise.shifts_are_faster = lambda: name == "shifts"
        return depthwise.depthwise_per_image(
            x, ops.einsum("bt,tijc->bijc", s, kernels)
        )

    return sum_of_convolutions if name == "sum" else mixed


def compiled(form, backward):
    """The form as a compiled function that ends with its result at hand."""

    def loss(x, s, kernels):
        return ops.sum(form(x, s, kernels) ** 2)

    if keras.backend.backend() == "jax":
        import jax

        run = jax.jit(jax.grad(loss, argnums=(0, 1)) if backward else form)
        return lambda *args: jax.block_until_ready(run(*args))
    import tensorflow as tf

    @tf.function
    def run(x, s, kernels):
        if not backward:
            return form(x, s, kernels)
        with tf.GradientTape() as tape:
            tape.watch([x, s])
            value = loss(x, s, kernels)
        return tape.gradient(value, [x, s])

    return lambda *args: tf.nest.map_structure(np.asarray, run(*args))


def tensors(layer, batch, domains):
    side, channels = LAYERS[layer]
    rng = np.random.default_rng(0)
    x = rng.normal(size=(batch, side, side, channels))
    s = rng.uniform(0.1, 1, (batch, domains))
    kernels = rng.normal(size=(domains, 3, 3, channels))
    s = s / s.sum(axis=1, keepdims=True)
    return [ops.convert_to_tensor(v.astype("float32")) for v in (x, s, kernels)]


def peak_mib():
    # Not `getrusage`: its peak is inherited from the parent process.
    status = pathlib.Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s*(\d+)", status).group(1)) / 1024


def measure_memory(layer, batch, domains, form, backward):
    """In this process, which has done nothing else."""
    args = tensors(layer, batch, domains)
    run = compiled(form_of(form), backward)
    # A first, tiny call: what the compiler and its threads take is no matter.
    run(*tensors("late", 1, 2))
    before = peak_mib()
    for _ in range(2):
        run(*args)
    return peak_mib() - before


def memory_of(*case):
    done = subprocess.run(
        [sys.executable, __file__, "--memory", json.dumps(case)],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout.strip().splitlines()[-1])


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--memory", help=argparse.SUPPRESS)
    p.add_argument("--rounds", type=int, default=7)
    p.add_argument("--out", type=pathlib.Path, default=RESULTS)
    args = p.parse_args()
    if args.memory:
        print(measure_memory(*json.loads(args.memory)))
        return
    chosen = "shifts" if depthwise.shifts_are_faster() else "channels"
    for case in itertools.product(LAYERS, (1, 32), (2, 5, 10), (False, True)):
        if not finished(args, *case):
            stored.append(args.out, list(compare(args, chosen, *case)))


def finished(args, layer, batch, domains, backward):
    case = (layer, str(batch), str(domains), _PASS[backward])
    return args.out.exists() and any(
        case == (r["layer"], r["batch"], r["domains"], r["pass"])
        and r["backend"] == keras.backend.backend()
        for r in stored.rows(args.out)
    )


def compare(args, chosen, layer, batch, domains, backward):
    inputs = tensors(layer, batch, domains)
    runs = {name: compiled(form_of(name), backward) for name in FORMS}
    for run in runs.values():
        run(*inputs)
    rounds = []
    for _ in range(args.rounds):
        times = {}
        for name, run in runs.items():
            start = time.perf_counter()
            run(*inputs)
            times[name] = time.perf_counter() - start
        rounds.append(times)
    for name in FORMS:
        ratios = [t[name] / t["sum"] for t in rounds]
        row = {
            "layer": layer,
            "batch": batch,
            "domains": domains,
            "pass": _PASS[backward],
            "form": name,
            "chosen": name == chosen,
            "ms": round(1e3 * statistics.median(t[name] for t in rounds), 3),
            "ratio_to_sum": round(statistics.median(ratios), 3),
            "ratio_min": round(min(ratios), 3),
            "ratio_max": round(max(ratios), 3),
            "memory_mib": (
                round(memory_of(layer, batch, domains, name, backward), 1)
                if backward and name in ("sum", chosen)
                else ""
            ),
            "rounds": args.rounds,
            **environment(),
        }
        print(*list(row.values())[:11], flush=True)
        yield row


if __name__ == "__main__":
    main()
