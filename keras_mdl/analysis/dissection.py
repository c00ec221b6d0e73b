"""`dissect`: which concepts the units of a network detect, and how many."""

import hashlib
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import keras
import numpy as np

from keras_mdl.analysis.activations import fitted, forward, layer_outputs
from keras_mdl.analysis.probes import ProbeSet
from keras_mdl.analysis.progress import Progress
from keras_mdl.analysis.quantiles import TopQuantile
from keras_mdl.analysis.tally import Tally, mask

QUANTILE, DETECTS = 0.005, 0.04
_TOP = 10  # images that are kept for each unit
# Values of a unit that thresholds are made of; of more, as many are drawn.
_MOST_VALUES = 4_000_000


@dataclass(frozen=True)
class LayerDissection:
    """The units of one layer.

    Attributes:
        concepts: All `Concept`s of the probe set.
        thresholds: `(units,)`, what a unit's highest activations exceed.
        iou: `(units, concepts)`.
        control: The same with the labels of another image for each image.
        top: `(units, n)` indices of the images that excite a unit most.
        detects: IoU from which a unit is a detector.
    """

    concepts: tuple
    thresholds: np.ndarray
    iou: np.ndarray
    control: np.ndarray
    top: np.ndarray
    detects: float = DETECTS

    def best(self, control: bool = False) -> np.ndarray:
        """`(concept numbers from 0, IoU)`, each `(units,)`."""
        iou = self.control if control else self.iou
        return iou.argmax(axis=1), iou.max(axis=1)

    def counts(
        self, category: str | None = None, control: bool = False
    ) -> tuple[int, int]:
        """How much the layer detects.

        Each unit stands for its best concept of all categories alone: so a
        unit is in one category, and the categories add up.

        Args:
            category: Concepts of one category; default all.
            control: Count what chance gives.

        Returns:
            `(unique detectors, detectors)`: distinct concepts that a unit
            detects, and units that detect one.
        """
        concept, iou = self.best(control)
        found = [
            c
            for c, value in zip(concept, iou, strict=True)
            if value >= self.detects
            and category in (None, self.concepts[c].category)
        ]
        return len(set(found)), len(found)

    def units(self) -> list[dict]:
        """A dict for each unit: what it detects best."""
        concept, iou = self.best()
        _, chance = self.best(control=True)
        return [
            {
                "unit": unit,
                "concept": self.concepts[c].name,
                "category": self.concepts[c].category,
                "iou": float(iou[unit]),
                "detector": bool(iou[unit] >= self.detects),
                "iou_by_chance": float(chance[unit]),
                "threshold": float(self.thresholds[unit]),
            }
            for unit, c in enumerate(concept)
        ]


def dissect(
    network: keras.Model,
    probe: ProbeSet,
    layers: Sequence[str] | None,
    quantile: float = QUANTILE,
    detects: float = DETECTS,
    batch_size: int = 32,
    seed: int = 0,
    folder: str | None = None,
    say: Callable = lambda text: None,
) -> dict[str, LayerDissection]:
    """Network Dissection: compares what units and concepts cover.

    Each unit gets the threshold that a part `quantile` of its activations
    exceed, over all positions of all images. Its map above the threshold,
    enlarged bilinearly to the grid of the labels, is compared with every
    concept by the IoU over the whole probe set (see `Tally`). Images pass
    through the network twice, a batch at a time; what is kept does not grow
    with the number of images beyond the `top` and, for the thresholds, four
    million values of each unit, of which the largest are held.

    **What chance gives.** With some hundred units and concepts some pair
    overlaps anyway. As a control the same masks are compared with the labels
    of another image each: whatever is "detected" there is chance, and what
    lies at the same place in most images.

    Args:
        network: A view (`model["dtd"]`) or any functional Keras model.
        probe: A `ProbeSet`.
        layers: Names of endpoints with maps `(h, w, units)`.
        quantile: Part of the activations above the threshold.
        detects: IoU from which a unit is a detector.
        batch_size: Images at a time.
        seed: Of the order of the control.
        folder: A folder for the state: a call with the same network, probe
            set and arguments goes on where one was stopped, and reads back
            what one has finished.
        say: Function that gets lines about the progress.

    Returns:
        `{layer: LayerDissection}`.

    Raises:
        ValueError: For an unknown layer or one without maps, or numbers out
            of range, before any image is read.

    Reference: Bau, Zhou, Khosla, Oliva, Torralba, "Network Dissection", CVPR
    2017. Deviations: maps are enlarged by plain bilinear interpolation rather
    than anchored at the centres of receptive fields; the network normalises
    images as it was trained; the control is ours.
    """
    outputs = layer_outputs(network, layers)
    if not (0 < quantile < 1 and 0 < detects <= 1 and batch_size >= 1):
        raise ValueError(
            "`quantile` must be in (0, 1), `detects` in (0, 1] and "
            f"`batch_size` 1 or more. Received: quantile={quantile}, "
            f"detects={detects}, batch_size={batch_size}"
        )
    units = {name: t.shape[-1] for name, t in outputs.items()}
    run = forward(network, list(outputs.values()))
    key = _key(network, probe, units, quantile, batch_size, seed)
    progress = Progress(folder, key, len(probe), batch_size, say)

    def activations(batch):
        pixels = np.stack([fitted(probe.image(i), network) for i in batch])
        return zip(units, run(pixels), strict=True)

    shape = min(_TOP, len(probe))
    top = {
        name: progress.array(
            f"top/{name}", np.full((2, n, shape), -np.inf, np.float32)
        )
        for name, n in units.items()
    }
    thresholds = _thresholds(
        activations, probe, units, quantile, seed, progress, top
    )
    tallies = {
        (name, kind): Tally(n, probe.concepts)
        for name, n in units.items()
        for kind in ("iou", "control")
    }
    other = _derangement(len(probe), seed)
    for (name, kind), tally in tallies.items():
        for part in ("both", "mask", "label"):
            array = progress.array(
                f"{kind}/{name}/{part}", getattr(tally, part)
            )
            setattr(tally, part, array)
    for batch in progress.batches("overlaps"):
        found = dict(activations(batch))
        for row, index in enumerate(batch):
            own, others = probe.labels(index), probe.labels(other[index])
            for name, maps in found.items():
                here = mask(maps[row], thresholds[name], own.grid)
                tallies[name, "iou"].add(here, own)
                if others.grid != own.grid:
                    here = mask(maps[row], thresholds[name], others.grid)
                tallies[name, "control"].add(here, others)
    return {
        name: LayerDissection(
            tuple(probe.concepts),
            thresholds[name],
            tallies[name, "iou"].iou(),
            tallies[name, "control"].iou(),
            top[name][1].astype(int),
            detects,
        )
        for name in units
    }


def _thresholds(activations, probe, units, quantile, seed, progress, top):
    """First pass: `{layer: thresholds}`, and the images in `top`."""
    sketches = {}
    for batch in progress.batches("thresholds"):
        for name, maps in activations(batch):
            positions = math.prod(maps.shape[1:3])
            total = positions * len(probe)
            rate = min(1, _MOST_VALUES / total)
            if name not in sketches:
                sketches[name] = TopQuantile(
                    units[name], quantile, total * rate, *_state(progress, name)
                )
            values = maps.reshape(len(batch) * positions, -1)
            if rate < 1:
                rng = np.random.default_rng([seed, batch[0]])
                values = values[rng.random(len(values)) < rate]
            sketches[name].add(values)
            progress.keep(f"values/{name}", sketches[name].values)
            progress.keep(f"seen/{name}", np.int64(sketches[name].seen))
            _keep_top(top[name], maps.max(axis=(1, 2)), batch)
    return {
        name: TopQuantile(n, quantile, 0, *_state(progress, name)).thresholds()
        for name, n in units.items()
    }


def _state(progress, name):
    return progress.array(f"values/{name}"), progress.array(f"seen/{name}")


def _keep_top(top, highest, batch):
    """Merges the images of a batch into `(2, units, n)`: values, indices."""
    indices = np.broadcast_to(np.float32(batch)[:, None], highest.shape)
    merged = np.concatenate([top, [highest.T, indices.T]], axis=2)
    order = np.argsort(-merged[0], axis=1, kind="stable")[:, : top.shape[2]]
    top[:] = np.take_along_axis(merged, order[None], axis=2)


def _derangement(count, seed):
    """For each image another one; for a single one itself."""
    order = np.random.default_rng([seed, count]).permutation(count)
    other = np.empty(count, int)
    other[order] = np.roll(order, 1)
    return other


def _key(network, *settings):
    """What a stored state belongs to: weights, images and settings."""
    digest = hashlib.sha256()
    for variable in network.variables:
        digest.update(keras.ops.convert_to_numpy(variable).tobytes())
    probe, *rest = settings
    digest.update(os.fsencode(repr((probe.name, len(probe), *rest))))
    digest.update(repr(probe.concepts).encode())
    return digest.hexdigest()
