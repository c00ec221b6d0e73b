"""Soft sharing of one trained domain: gates in, trained, measured, folded."""

from dataclasses import dataclass

import keras

from keras_mdl.models import gating
from keras_mdl.runs import fitting
from keras_mdl.tables import format_table

HARD, GATED, COLLAPSED = "hard", "gated", "collapsed"


@dataclass(frozen=True)
class SoftSharing:
    """What came of the gates of one domain.

    Attributes:
        target: Name of the domain.
        layers: Names of the gated layers.
        accuracy: `{"hard" | "gated" | "collapsed": validation accuracy}`: the
            slot before, with its trained gates, and with the gates folded
            into ordinary kernels by their mean weights. Empty without
            validation images.
        statistics: `GateStatistics` of each gated layer, on the training
            images.
        fit: `fitting.Fit` of the gates.
        gated, collapsed: The models.
    """

    target: str
    layers: tuple
    accuracy: dict
    statistics: tuple
    fit: fitting.Fit
    gated: object
    collapsed: object

    @property
    def variation(self):
        """The largest of the layers: how much kernels depend on the image."""
        return max(s.variation for s in self.statistics)

    def to_dict(self):
        """Plain values."""
        return {
            "target": self.target,
            "accuracy": {k: round(v, 4) for k, v in self.accuracy.items()},
            "variation": round(self.variation, 4),
            "gates": [
                {
                    "layer": s.layer,
                    "weights": {
                        d: round(float(w), 4)
                        for d, w in zip(s.domains, s.mean, strict=True)
                    },
                    "entropy": round(s.entropy, 4),
                    "variation": round(s.variation, 4),
                    "spread": round(s.spread, 4),
                }
                for s in self.statistics
            ],
        }

    def __str__(self):
        domains = self.statistics[0].domains
        rows = [["layer", *domains, "entropy", "variation"]]
        rows += [
            [
                s.layer,
                *(f"{w:.2f}" for w in s.mean),
                f"{s.entropy:.2f}",
                f"{s.variation:.3f}",
            ]
            for s in self.statistics
        ]
        text = format_table(rows, "<>")
        if self.accuracy:
            found = ", ".join(f"{k} {v:.3f}" for k, v in self.accuracy.items())
            text += f"\nvalidation accuracy: {found}"
        return text


def share(
    model,
    data,
    recipe,
    size,
    layers="all",
    sources=None,
    own_weight=None,
    seed=0,
    callbacks=(),
    verbose=2,
):
    """Trains gates for a domain that has been trained already.

    Args:
        model: The `MultiDomainModel` with the domain of `data` in it.
        data: `DomainData` of the target.
        recipe: A `Recipe` in phase `"gate"` or `"gate_and_slot"`.
        size: Side of the images.
        layers, sources, own_weight: As `MultiDomainModel.with_gate`.
        seed: Of order, augmentation and the gates' start.
        callbacks, verbose: As for `fitting.fit`.

    Returns:
        A `SoftSharing`.
    """
    name = data.domain.name
    keras.utils.set_random_seed(seed)
    gated = model.with_gate(name, layers, sources, own_weight)
    view = gated.for_domain(name, phase=recipe.phase)
    done = fitting.fit(view, recipe, data, size, seed, callbacks, verbose)

    dtype = keras.backend.standardize_dtype(view.inputs[0].dtype)
    images = fitting.batches(data, "train", size, 128, dtype=dtype)
    statistics = gating.gate_statistics(gated, name, images)
    # How much the gates depend on the image is reported, and what folding
    # them costs is measured: nothing is refused here.
    collapsed = gating.fold_gates(gated, name, statistics)
    accuracy = {}
    if fitting.has_labels(data, "validation"):
        models = {HARD: model, GATED: gated, COLLAPSED: collapsed}
        accuracy = {
            k: fitting.evaluate(m[name], data, size).accuracy
            for k, m in models.items()
        }
    return SoftSharing(
        name,
        tuple(s.layer for s in statistics),
        accuracy,
        tuple(statistics),
        done,
        gated,
        collapsed,
    )
