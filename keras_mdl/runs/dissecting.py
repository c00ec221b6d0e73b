"""Dissections of a model's domains, with pictures and tables of them."""

import numpy as np

from keras_mdl.analysis.activations import fitted, layer_outputs, unit_maps
from keras_mdl.analysis.dissection import dissect
from keras_mdl.analysis.probes import Broden, DrawnProbe
from keras_mdl.analysis.separable import late_layers, separable_layers
from keras_mdl.analysis.tally import resized
from keras_mdl.report.dissect_page import HALVES, Probed, layer_rows
from keras_mdl.report.overlays import outlined
from keras_mdl.report.sections import Shot
from keras_mdl.runs.records import write_csv

EMBEDDED = "embedded"


def open_probe(name, images=None, categories=None):
    """The probe set of `--probe`.

    Args:
        name: `"embedded"`, or the folder of a Broden.
        images: How many are drawn, for the embedded one.
        categories: Of a Broden; default all.

    Raises:
        FileNotFoundError, ValueError: As `Broden`.
    """
    if str(name) == EMBEDDED:
        return DrawnProbe(images or 1000)
    return Broden(name, categories)


def chosen_layers(view, given=None):
    """`[(layer, half, endpoint), ...]` of numbers and names of layers.

    Args:
        view: A `DomainModel`.
        given: Numbers of separable convolutions (both halves of each), or
            names of endpoints. Default: 18, 20 and 22 of the paper's network,
            or those as deep elsewhere.

    Raises:
        ValueError: For an unknown number; names are checked by `dissect`.
    """
    pairs = {str(p.number): p for p in separable_layers(view)}
    if not given:
        given = [str(p.number) for p in late_layers(view)]
    found = []
    for name in map(str, given):
        if name in pairs:
            for half in HALVES:
                found.append((name, half, getattr(pairs[name], half)))
        elif name.isdecimal():
            raise ValueError(
                f"The network has {len(pairs)} separable convolutions. "
                f"Received: layer {name}"
            )
        else:
            found.append((name, "", name))
    return found


def check_layers(view, given=None):
    """Refuses unknown layers before any work; see `chosen_layers`."""
    layer_outputs(view, [name for *_, name in chosen_layers(view, given)])


def dissect_domains(
    model, domains, probe, layers=None, folder=None, shown=6, say=print,
    **options,
):  # fmt: skip
    """Dissects layers of several domains of a model.

    Args:
        model: A `MultiDomainModel`.
        domains: Names.
        probe: A `ProbeSet`.
        layers: As `chosen_layers`.
        folder: Where states are kept, to go on after an interruption.
        shown: Units of each layer that pictures show.
        say: Gets lines about the progress.
        **options: Of `dissect`.

    Returns:
        List of `Probed`.
    """
    chosen = {d: chosen_layers(model[d], layers) for d in domains}
    found = []
    for domain in domains:
        view = model[domain]
        state = folder and folder / domain
        if state:
            state.mkdir(parents=True, exist_ok=True)
        names = [endpoint for *_, endpoint in chosen[domain]]
        say(f"{domain}: {', '.join(names)}")
        done = dissect(view, probe, names, folder=state, say=say, **options)
        for layer, half, name in chosen[domain]:
            shots = unit_shots(view, name, done[name], probe, shown)
            found.append(Probed(domain, layer, half, done[name], shots))
    return found


def unit_shots(view, layer, found, probe, units=6, images=4):
    """The images that excite the best detectors most, with their masks."""
    concept, iou = found.best()
    best = [u for u in np.argsort(-iou, kind="stable")[:units]
            if iou[u] >= found.detects]  # fmt: skip
    shots = []
    for unit in best:
        indices = found.top[unit][: min(images, len(probe))]
        originals = [probe.image(int(i)) for i in indices]
        maps = unit_maps(view, layer, [fitted(x, view) for x in originals])
        name = found.concepts[concept[unit]].name
        for pixels, own in zip(originals, maps[..., [unit]], strict=True):
            large = resized(own, pixels.shape[:2])[..., 0]
            mask = large > found.thresholds[unit]
            shots.append(
                Shot(outlined(pixels, mask),
                     f"unit {unit}: {name}, {iou[unit]:.2f}")
            )  # fmt: skip
    return shots


def write_tables(folder, probed, categories):
    """`layers.csv` and `units.csv`."""
    write_csv(folder / "layers.csv", layer_rows(probed, categories))
    write_csv(
        folder / "units.csv",
        [
            {"domain": p.domain, "layer": p.layer, "half": p.half, **unit}
            for p in probed
            for unit in p.found.units()
        ],
    )
