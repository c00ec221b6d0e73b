"""Which domain an image is of, or none: ways to tell, measured.

    python benchmarks/router.py ../data/chars74k ../data/dtd ../data/flowers \\
        ../data/gtsrb ../data/omniglot ../data/pedestrians \\
        --unknown ../data/fashion ../data/miniimagenet ../photos/caltech101 \\
        --all
    python benchmarks/router.py ../photos/flowers ../photos/dtd \\
        ../photos/caltech101 --size 128

EfficientNet-Lite0 with ImageNet weights, at most 500 training images of each
domain to fit on and as many validation images to measure with. Each row of
`results/router.csv` is a way, a layer and a domain that the router does not
know: one of `--unknown`, or one of the domains, which is then left out.

- `right`, `elsewhere`, `none`: parts of the known domains' images, mean over
  domains; `none` was set to 0.05 on training images;
- `rejected`: part of the unknown domain's images that goes to none;
- `auroc`: of known against unknown images, by the margin.

Ways: `normal` is `keras_mdl.routing`; `normal, not scaled` without the length
of 1; `shared covariance` one for all domains (linear discriminant analysis
with Mahalanobis distances, Lee et al., 2018); `softmax` and `energy` of a
logistic regression (Hendrycks and Gimpel, 2017; Liu et al., 2020);
`neighbours` the distance to the tenth nearest training image (Sun et al.,
2022), which stores them all. Where `others` is not empty, images of that name
(the second of `--unknown`) are given to the router as others.
"""

import argparse
import functools

import keras
import numpy as np
import stored
from environment import environment
from sklearn.covariance import oas
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

import keras_mdl
from keras_mdl.data import load
from keras_mdl.routing import Normal, default_layer
from keras_mdl.routing.features import layers_of
from keras_mdl.runs.exporting import evenly_spread

RESULTS = stored.RESULTS / "router.csv"
LAYERS = ("block3b_add", "block4c_add", "block5c_add", "block6d_add",
          "top_activation")  # fmt: skip
IMAGES, REJECTED, NEAREST = 500, 0.05, 10


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("domains", nargs="+")
    p.add_argument("--unknown", nargs="*", default=[])
    p.add_argument("--size", type=int, default=96)
    p.add_argument("--all", action="store_true", help="all ways and layers")
    args = p.parse_args()
    shape = (args.size, args.size, 3)
    model = keras_mdl.build_efficientnet_lite0(input_shape=shape)
    view = model.for_domain("imagenet", phase="frozen")
    chosen = default_layer(view)
    seen = {
        spec: features(view, spec, args.size)
        for spec in [*args.domains, *args.unknown]
    }
    ways = [("normal", chosen, False), ("normal", chosen, True)]
    if args.all:
        ways += [("normal", y, False) for y in LAYERS if y != chosen]
        ways += [(way, chosen, False) for way in WAYS if way != "normal"]
    rows = []
    for way, layer, others in ways:
        for unknown in [*args.domains, *args.unknown]:
            known = [d for d in args.domains if d != unknown]
            helping = [u for u in args.unknown[1:2] if others and u != unknown]
            if others and not helping:
                continue
            x = [{s: seen[d][s][layer] for s in ("train", "validation")}
                 for d in [*known, *helping, unknown]]  # fmt: skip
            row = measured(WAYS[way], x, len(known))
            rows.append(
                {"size": args.size, "way": way,
                 "layer": layer, "channels": view.endpoints[layer].shape[-1],
                 "known": len(known), "others": " ".join(map(_name, helping)),
                 "unknown": _name(unknown), **row, **environment()}
            )  # fmt: skip
        own = [r for r in rows if bool(r["others"]) == others
               and (r["way"], r["layer"]) == (way, layer)]  # fmt: skip
        if own:
            print(way, layer, "others" * others, {
                k: round(float(np.mean([r[k] for r in own])), 3)
                for k in ("right", "elsewhere", "none", "rejected", "auroc")
            }, flush=True)  # fmt: skip
    stored.append(RESULTS, rows)


def _name(spec):
    return spec.rstrip("/").rpartition("/")[2]


def features(view, spec, size):
    """`{split: {layer: means of channels}}` of a domain's images."""
    outputs = {
        layer: keras.ops.mean(layers_of(view)[layer], axis=(1, 2))
        for layer in LAYERS
    }
    network, data = keras.Model(view.input, outputs), load(spec)
    found = {}
    for split in ("train", "validation"):
        x, _ = evenly_spread(data, split, size, IMAGES)
        found[split] = network.predict(
            x.astype("float32"), batch_size=64, verbose=0
        )
    return found


def measured(way, x, known):
    """Numbers of a router for the first `known` of some domains.

    Those behind are others, but for the last, which it does not know.
    """
    *inside, unknown = x
    fit = way([d["train"] for d in inside])
    counts, margins = [], []
    for i, domain in enumerate(inside[:known]):
        best, margin = fit(domain["validation"])
        kept = (margin >= 0) & (best < known)
        counts.append(
            [np.mean(kept & (best == i)), np.mean(kept & (best != i)),
             np.mean(~kept)]
        )  # fmt: skip
        margins.append(np.where(best < known, margin, -np.inf))
    best, margin = fit(unknown["validation"])
    away = np.where(best < known, margin, -np.inf)
    inner = np.concatenate(margins)
    labels = np.repeat([1, 0], [len(inner), len(away)])
    both = np.nan_to_num(np.concatenate([inner, away]), neginf=-1e9)
    right, elsewhere, none = np.mean(counts, axis=0)
    return {
        "right": round(float(right), 4),
        "elsewhere": round(float(elsewhere), 4),
        "none": round(float(none), 4),
        "rejected": round(float(np.mean(away < 0)), 4),
        "auroc": round(float(roc_auc_score(labels, both)), 4),
    }


# === Ways: from training features to (nearest domain, margin) of images ===


def _decide(scores, thresholds):
    best = scores.argmax(axis=1)
    return best, scores[np.arange(len(best)), best] - thresholds[best]


def _unit(z):
    return z / np.linalg.norm(z, axis=1, keepdims=True)


_FITTED = {}  # a domain's numbers are the same in every company


def normal(training, scale=_unit):
    keys = [(id(z), scale) for z in training]
    for key, z in zip(keys, training, strict=True):
        if key not in _FITTED:
            _FITTED[key] = Normal.fit(scale(z), REJECTED)
    found = [_FITTED[key] for key in keys]
    thresholds = np.array([f.threshold for f in found])
    return lambda z: _decide(
        np.stack([f.scores(scale(z)) for f in found], axis=1), thresholds
    )


def shared(training):
    means = [_unit(z).mean(axis=0) for z in training]
    apart = np.concatenate(
        [_unit(z) - m for z, m in zip(training, means, strict=True)]
    )
    factor = np.linalg.cholesky(
        np.linalg.inv(oas(apart, assume_centered=True)[0])
    )

    def scores(z):
        away = [np.square((_unit(z) - m) @ factor).sum(axis=1) for m in means]
        return -np.stack(away, axis=1)

    thresholds = np.array(
        [np.quantile(scores(z)[:, i], REJECTED)
         for i, z in enumerate(training)]
    )  # fmt: skip
    return lambda z: _decide(scores(z), thresholds)


def logistic(training, score):
    x = np.concatenate([_unit(z) for z in training])
    centre, deviation = x.mean(axis=0), x.std(axis=0) + 1e-9
    labels = np.repeat(np.arange(len(training)), [len(z) for z in training])
    model = LogisticRegression(C=0.1, max_iter=300)
    model.fit((x - centre) / deviation, labels)

    def found(z):
        logits = model.decision_function((_unit(z) - centre) / deviation)
        return logits.argmax(axis=1), score(logits)

    thresholds = np.array(
        [np.quantile(found(z)[1], REJECTED) for z in training]
    )

    def decide(z):
        best, sure = found(z)
        return best, sure - thresholds[best]

    return decide


def neighbours(training):
    training = [_unit(z) for z in training]

    def away(known, z, first=0):
        distances = 2 - 2 * z @ known.T
        return -np.sort(distances, axis=1)[:, NEAREST + first - 1]

    thresholds = np.array(
        [np.quantile(away(z, z, 1), REJECTED) for z in training]
    )
    return lambda z: _decide(
        np.stack([away(known, _unit(z)) for known in training], axis=1),
        thresholds,
    )


def _energy(logits):
    return np.log(np.exp(logits).sum(axis=1))


WAYS = {
    "normal": normal,
    "normal, not scaled": functools.partial(normal, scale=np.asarray),
    "shared covariance": shared,
    "softmax": functools.partial(
        logistic, score=lambda x: x.max(axis=1) - _energy(x)
    ),
    "energy": functools.partial(logistic, score=_energy),
    "neighbours": neighbours,
}


if __name__ == "__main__":
    main()
