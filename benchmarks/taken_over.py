"""Networks of `keras.applications` as trunks: what is shared, what is private.

    python benchmarks/taken_over.py [--only NAME ...] [--export NAME ...]

Each network, with random weights that show every mistake (negative BatchNorm
factors among them), is taken over by `from_keras`. A row in
`results/taken_over.csv` says how far the first domain's softmax is from the
network's output, and how far outputs differ between images at all; what the
trunk and a further domain's slot hold; whether a second domain trained with
weight decay left every bit of the first alone through save and load; and, for
those named by `--export`, the part of the trunk's bytes that exported files
share.
"""

import argparse
import csv
import pathlib
import tempfile

import keras
import numpy as np
from environment import environment

import keras_mdl

RESULTS = pathlib.Path(__file__).parent / "results" / "taken_over.csv"
CLASSES = 5
SCALED = {
    "-1..1": lambda x: x * np.float32(1 / 127.5) - 1,
    "imagenet": lambda x: (
        (x / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    ),
    "caffe": lambda x: x[..., ::-1] - [103.939, 116.779, 123.68],
    None: lambda x: x,
}
# Name: (scaling, side of the images, further arguments).
NETWORKS = {
    "MobileNet": ("-1..1", 32, {}),
    "MobileNetV2": ("-1..1", 32, {}),
    "MobileNetV3Small": (None, 32, {}),
    "MobileNetV3Small minimalistic": (None, 32, {"minimalistic": True}),
    "MobileNetV3Large": (None, 32, {}),
    "MobileNetV3Large minimalistic": (None, 32, {"minimalistic": True}),
    "EfficientNetB0": (None, 32, {}),
    "EfficientNetV2B0": (None, 32, {}),
    "NASNetMobile": ("-1..1", 32, {}),
    "Xception": ("-1..1", 71, {}),
    "ResNet50": ("caffe", 32, {}),
    "DenseNet121": ("imagenet", 32, {}),
    "ConvNeXtTiny": (None, 32, {}),
}


def build(name):
    """The network with random weights, and how to scale its pixels."""
    scaling, side, options = NETWORKS[name]
    make = getattr(keras.applications, name.split()[0])
    network = make(
        input_shape=(side, side, 3), weights=None, classes=CLASSES, **options
    )
    rng = np.random.default_rng(0)
    for v in network.weights:
        shape = tuple(v.shape)
        if "gamma" in v.name and len(shape) == 1:
            value = rng.choice([-1, 1], shape, p=[0.1, 0.9])
            value = value * rng.uniform(0.5, 1.5, shape)
        elif "variance" in v.name:
            value = rng.uniform(0.5, 1.5, shape)
        elif v.name == "count":
            continue
        else:
            depthwise = len(shape) == 4 and shape[-1] == 1
            fan = np.prod(shape[: 2 if depthwise else -1])
            scale = (2 / fan) ** 0.5 if len(shape) > 1 else 0.1
            value = rng.normal(0, scale, shape)
        v.assign(value)
    _settle(network, SCALED[scaling](_pixels(side, 16)).astype("float32"))
    return network, scaling, side


def _pixels(side, count):
    """Images that differ: noise of many strengths."""
    rng = np.random.default_rng(1)
    x = rng.uniform(0, 255, (count, side, side, 3))
    return (x * rng.uniform(0.2, 1, (count, 1, 1, 3))).astype("float32")


def _settle(network, x):
    """Running statistics as the weights have them, or outputs would be all
    the same, and differences nothing to see."""
    norms = [n for n in network.layers if hasattr(n, "moving_mean")]
    momenta = [n.momentum for n in norms]
    for norm in norms:
        norm.momentum = 0.0
    network(x, training=True)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def take_over(name, exported):
    """One row about a network."""
    network, scaling, side = build(name)
    model = keras_mdl.from_keras(network, "first", scaling=scaling, verbose=0)
    x = _pixels(side, 4)
    scaled = SCALED[scaling](x).astype("float32")
    theirs = np.asarray(network(scaled, training=False))
    # Scaling inside the graph rounds pixels otherwise than NumPy does, which
    # deep networks amplify: apart from that nothing may differ.
    plain = keras_mdl.from_keras(network, "first", scaling="0..255", verbose=0)
    rows = {r.owner: r for r in model.summary_by_domain().rows}
    return {
        "network": name,
        "parameters": sum(r.parameters for r in rows.values()),
        "shared": rows["trunk"].parameters,
        "private": rows["first"].parameters - rows["first"].head,
        "statistics": rows["first"].statistics,
        "macs": rows["first"].macs,
        "spread": f"{np.ptp(theirs, axis=0).max():.1e}",
        "difference": _difference(theirs, plain, scaled),
        "scaled_inside": _difference(theirs, model, x),
        "isolated": isolated(model, x),
        **({m: share(model, x, m) for m in ("dyn_conv", "int8")}
           if exported else {}),
        **environment(),
    }  # fmt: skip


def _difference(theirs, model, x):
    ours = keras.ops.softmax(model["first"](x, training=False))
    return f"{np.abs(theirs - np.asarray(ours)).max():.1e}"


def isolated(model, x):
    """Whether a second domain's training leaves the first bit-identical."""
    before = model.fingerprint()
    wider = model.with_domain("second", 3)
    view = wider["second"]
    view.compile(
        keras.optimizers.AdamW(0.01, weight_decay=0.1),
        "sparse_categorical_crossentropy",
    )
    view.fit(x, np.array([0, 1, 2, 0]), batch_size=4, verbose=0)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder)
        wider.save(path / "m.keras")
        loaded = keras_mdl.load_model(path / "m.keras")
        wider.save_domain("second", path / "second")
        back = loaded.without_domain("second").load_domain(path / "second")
    after = loaded.fingerprint()
    return (
        {k: after[k] for k in before} == before
        and after["domains/second"] != before["domains/first"]
        and back.fingerprint() == after == wider.fingerprint()
        and loaded.without_domain("second").fingerprint() == before
    )


def share(model, x, mode):
    """The part of the trunk's bytes that two domains' files share, in %."""
    from keras_mdl_export import export

    wider = model.with_domain("second", 3)
    images = {name: np.repeat(x, 25, axis=0) for name in wider}
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "e"
        report = export(
            wider, path, mode, images, forms=["models"], min_shared=0,
            min_agreement=0, max_accuracy_drop=1, say=lambda text: None,
        )  # fmt: skip
    return round(100 * min(d["shared"] for d in report.domains), 2)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=list(NETWORKS))
    parser.add_argument("--export", nargs="*", default=[])
    options = parser.parse_args()
    rows = {}
    if RESULTS.exists():
        with RESULTS.open(newline="") as file:
            rows = {r["network"]: r for r in csv.DictReader(file)}
    for name in options.only:
        row = take_over(name, name in options.export)
        rows[name] = {**rows.get(name, {}), **row}
        print(row, flush=True)
        keys = list(dict.fromkeys(k for r in rows.values() for k in r))
        with RESULTS.open("w", newline="") as file:
            writer = csv.DictWriter(file, keys, restval="")
            writer.writeheader()
            writer.writerows(rows[n] for n in NETWORKS if n in rows)


if __name__ == "__main__":
    main()
