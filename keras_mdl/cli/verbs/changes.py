"""`keras-mdl changes`."""

from keras_mdl.cli import flags, inputs, outputs
from keras_mdl.cli.errors import InputError
from keras_mdl.cli.saved import open_saved

_IMAGES = 300  # of each domain, to compare features and to measure losses


@outputs.writes_file
def changes(
    model: flags.Model,
    *,
    out: flags.PageOut,
    base: str | None = None,
    data: list[str] | None = None,
    size: flags.Size | None = None,
    reading: flags.Reading = flags.READING,
    overwrite: flags.Overwrite = False,
    console: flags.Shown,
):
    """What the domains of a network changed, and which of them are alike.

    A page: how far each domain's depthwise kernels and norms moved from the
    base, layer by layer; which domains moved in the same direction; and, with
    --data, which domains see images alike (CKA of features) and how much
    accuracy each layer of a slot is worth (it is put back to the base's, one
    layer at a time).

    Args:
        out: page to write, NAME.html
        base: domain to compare with (default: the first)
        data: images of domains of the model, as for `evaluate`; at most 300
            of the split validation of each are used
    """
    saved = open_saved(model)
    names = list(saved.domains)
    base = base or names[0]
    saved.domain(base)
    if len(names) < 2:
        raise InputError(
            f"{model} has one domain, {base}: there is nothing to compare"
        )
    found, size = {}, saved.size(size) if data else None
    for spec, one in zip(
        data or (),
        inputs.open_data(console, data or (), size, reading) if data else (),
        strict=True,
    ):
        one = inputs.matched(one, saved, spec)
        inputs.require_labels(one, "validation")
        found[one.domain.name] = one
    loaded = saved.load()
    import numpy as np

    from keras_mdl.analysis import changes as changed
    from keras_mdl.report.changes_page import changes_sections
    from keras_mdl.report.sections import write_sections
    from keras_mdl.runs.environment import describe_environment
    from keras_mdl.runs.exporting import evenly_spread

    moved = changed.moved(loaded, base)
    slots = changed.slot_similarity(loaded, base)
    features, gates, losses, images = None, None, {}, {}
    for name, one in found.items():
        pixels, labels = evenly_spread(one, "validation", size, _IMAGES)
        images[name] = pixels
        if name != base:
            console.say(f"{name}: layer by layer")
            losses[name] = changed.importance(
                loaded, name, _accuracy(pixels, labels), base
            )
    if images:
        features = changed.feature_similarity(
            loaded, np.concatenate(list(images.values()))
        )
    gated = {d: x for d, x in images.items() if loaded.slots[d].gates}
    if gated:
        gates = changed.gate_weights(loaded, gated)
    write_sections(
        out,
        f"What the domains of {model.name} changed",
        f"Compared with {base}, whose slot the others may have started from.",
        changes_sections(moved, slots, features, losses, gates),
        {"model": model, "base": base, "data": data or []},
        describe_environment(),
    )
    for name, rows in losses.items():
        worst = sorted(rows, key=lambda r: -r["loss"])[:3]
        shown = (f"{r['layer']} {100 * r['loss']:.1f}" for r in worst)
        console.say(f"{name}: points lost without {', '.join(shown)}")
    return {
        "moved": moved,
        "slot_similarity": _plain(slots),
        "feature_similarity": _plain(features),
        "importance": losses,
    }


def _accuracy(pixels, labels):
    """A function of a view: its accuracy on these images."""

    def accuracy(view):
        logits = view.predict(pixels.astype("float32"), verbose=0)
        return float((logits.argmax(axis=-1) == labels).mean())

    return accuracy


def _plain(found):
    if found is None:
        return None
    names, matrix = found
    return {
        a: {b: round(float(v), 6) for b, v in zip(names, row, strict=True)}
        for a, row in zip(names, matrix, strict=True)
    }
