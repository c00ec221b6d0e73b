"""The model card beside every network that a command writes."""

import pathlib
import shlex

_RECIPE = ("phase", "batch_size", "learning_rate", "optimizer_name",
           "weight_decay", "label_smoothing", "balance", "patience",
           "ema", "precision", "augment")  # fmt: skip


def card_path(model):
    """Where the card of a model lies: `NAME.keras.card.md`."""
    return model.with_name(model.name + ".card.md")


def facts_of(ready, spec, method, training, done):
    """What a card says of one domain's training, as plain values.

    Args:
        ready: `inputs.Ready`.
        spec: The specification that the images were read from.
        method: How the domain shares the trunk.
        training: The `flags.Training`.
        done: The `Fit`.
    """
    import numpy as np

    data, recipe, findings = ready.data, ready.recipe, ready.findings
    count = data.domain.num_classes
    counts = np.bincount(data.labels("train"), minlength=count).tolist()
    share = None
    if "val_accuracy" in done.final:
        most = int(np.argmax(counts))
        share = float(np.mean(data.labels("validation") == most))
    values = {name: getattr(recipe, name) for name in _RECIPE}
    return {
        "source": str(spec),
        "provenance": data.provenance,
        "images": {split: data.size(split) for split in data.splits},
        "classes": dict(zip(data.domain.classes, counts, strict=True)),
        "unreadable": len(data.skipped),
        "findings": [str(f) for f in findings if f.kind != "unreadable"],
        "method": method,
        "recipe": recipe.name,
        "settings": {k: v for k, v in values.items() if v not in (None, 0)},
        "best_epoch": done.best_from is not None,
        "seed": training.seed,
        "epochs": len(done.history),
        "seconds": round(done.seconds, 1),
        "final": done.final,
        "most_frequent": share,
    }


def complete(result, command, settings, model):
    """Adds to a result what is known of each of its domains (`facts`).

    That of domains which the command has not touched comes from the record
    of the model that it read; the digests of their weights say whether the
    record is still of that model.

    Args:
        result: Of the command, with the `fingerprint` of what it wrote.
        command: Name of the command.
        settings: `{flag: value}`.
        model: The model file that the command read, or `None`.
    """
    digests, new = result["fingerprint"], result.get("facts", {})
    for facts in new.values():
        facts["command"] = _line(command, settings)
    known = recorded(model, digests) if model is not None else {}
    result["facts"] = {
        name: {**facts, "digest": digests[f"domains/{name}"]}
        for name, facts in {**known, **new}.items()
    }


def recorded(model, digests):
    """`{domain: facts}` from a model's record, of unchanged domains alone."""
    import yaml

    from keras_mdl.runs.records import record_path

    try:
        content = yaml.safe_load(record_path(model).read_text("utf-8"))
        found = content["result"]["facts"]
        return {
            name: facts
            for name, facts in found.items()
            if digests.get(f"domains/{name}") == facts["digest"]
        }
    # A record is a convenience: one that cannot be read says nothing.
    except (OSError, ValueError, yaml.YAMLError, LookupError, TypeError,
            AttributeError):  # fmt: skip
        return {}


def write_card(out, result):
    """Writes the card of a model file that a command has written."""
    from keras_mdl.cli.saved import open_saved

    saved = open_saved(out)
    rows = {row["owner"]: row for row in result.get("parameters", ())}
    _write(
        card_path(out),
        out.name,
        saved.domains,
        result["facts"],
        trunk=rows["trunk"]["parameters"] if "trunk" in rows else None,
        size=saved.input_shape[0],
    )


def write_export_card(folder, model, loaded, report):
    """Writes `README.md`, a card, into an exported folder."""
    _write(
        pathlib.Path(folder, "README.md"),
        pathlib.Path(folder).name,
        loaded.domains,
        recorded(model, loaded.fingerprint()),
        size=loaded.get_config()["input_shape"][0],
        export=report.to_dict(),
    )


def _write(path, file, domains, facts, **options):
    from keras_mdl.files import write_text
    from keras_mdl.report.model_card import render_card
    from keras_mdl.runs.environment import describe_environment

    text = render_card(
        pathlib.Path(file).stem,
        file,
        {name: domain.classes for name, domain in domains.items()},
        facts,
        environment=describe_environment(),
        **options,
    )
    write_text(path, text)


def _line(command, settings):
    """The command as it would be typed; switches have no value."""
    words = ["keras-mdl", command]
    for flag, value in settings.items():
        if value is True:
            words.append(f"--{flag}")
        elif value is False:
            if flag == "flip":
                words.append("--no-flip")
        else:
            values = value if isinstance(value, list) else [value]
            words += [f"--{flag}", *(shlex.quote(str(v)) for v in values)]
    return " ".join(words)
