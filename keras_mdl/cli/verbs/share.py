"""`keras-mdl share`."""

from typing import Literal

from keras_mdl.cli import backend, cards, flags, inputs, outputs
from keras_mdl.cli.errors import InputError, bad_input
from keras_mdl.cli.saved import open_saved

_PHASES = {"gates": "gate", "slot": "gate_and_slot"}


@outputs.writes_file
def share(
    model: flags.Model,
    *,
    data: flags.Spec,
    target: str,
    out: flags.ModelOut,
    layers: list[str] | None = None,
    sources: list[str] | None = None,
    trains: Literal["gates", "slot"] = "gates",
    own_weight: flags.Fraction | None = None,
    collapse: flags.Switch = False,
    max_variation: flags.PositiveFloat | None = None,
    size: flags.Size | None = None,
    recipe: flags.Recipe = "quick-gate",
    reading: flags.Reading = flags.READING,
    training: flags.Training = flags.TRAINING,
    overwrite: flags.Overwrite = False,
    console: flags.Shown,
):
    """Mix a trained domain's depthwise filters with those of other domains.

    For each chosen layer a small gate looks at the image and weighs the
    trained filters of all domains. Only the gates of the target train
    (--trains slot: also its BatchNorm, last pointwise and head); the trunk
    and all other domains stay bit-identical. The weights are printed, and the
    accuracy of the hard slot, of the gates, and of the gates collapsed into
    ordinary filters (--collapse writes that one: no cost in use).

    Args:
        target: domain to improve
        layers: all, early, middle, late, or layer names and patterns such as
            'stage3_*' (default: all)
        sources: domains to mix in (default: all others)
        trains: gates: the gates alone, as the paper says; slot: also
            BatchNorm, last pointwise and head, as the released code does
        own_weight: weight of the domain's own filters at the start, for
            example 0.9 (default: about the same for all, as released)
        collapse: write the slot collapsed into ordinary filters
        max_variation: with --collapse: keep gates whose mixed filters vary
            more between images, as a part of their size (default: 0.1)
    """
    if max_variation is not None and not collapse:
        raise InputError("--max-variation needs --collapse")
    saved = open_saved(model)
    size = saved.size(size)
    for name in (target, *(sources or ())):
        saved.domain(name)
    found, findings = inputs.open_training_data(
        console, data, size, reading, training, target
    )
    found = inputs.matched(found, saved, data, warn=console.warn)
    backend.load_backend()
    inputs.use_devices(training, console)
    loaded = saved.load()
    from keras_mdl.models.gating import choose_layers
    from keras_mdl.runs.isolation import IsolationTable
    from keras_mdl.runs.soft_sharing import share as share_softly

    phase = loaded.suited(_PHASES[trains])
    chosen = inputs.open_recipe(recipe, phase, training)
    layers = layers or ["all"]
    layers = layers[0] if len(layers) == 1 else layers
    with bad_input():
        choose_layers(loaded, layers)
        loaded.with_gate(target, layers, sources, own_weight)
    isolation = IsolationTable()
    isolation.record("before", loaded.fingerprint())
    inputs.say_data(console, found, findings)
    done = share_softly(
        loaded,
        found,
        chosen,
        size,
        layers,
        sources,
        own_weight,
        training.seed,
        inputs.callbacks(training, target),
        console.verbose,
    )
    console.say(f"\n{done}")
    limit = max_variation or 0.1
    collapsed = collapse and done.variation <= limit
    if collapse and not collapsed:
        # The trained gates are not thrown away for it.
        console.warn(
            f"not collapsed: filters vary by {done.variation:.3f} of their "
            f"size between images, more than --max-variation {limit}. {out} "
            "keeps the gates; in Python `model.collapsed` folds them, which "
            "an export needs"
        )
    result = done.collapsed if collapsed else done.gated
    isolation.record(
        f"{target} shared softly", result.fingerprint(), [f"domains/{target}"]
    )
    outputs.save_model(result, out, isolation, overwrite)
    console.say(f"\n{isolation}")
    ready = inputs.Ready(loaded, None, chosen, found, findings, size, size)
    facts = cards.facts_of(ready, data, "soft_sharing", training, done.fit)
    return {
        **outputs.trained(out, result, target, done.fit, facts),
        **done.to_dict(),
        "collapsed": collapsed,
        "isolated": isolation.isolated,
    }
