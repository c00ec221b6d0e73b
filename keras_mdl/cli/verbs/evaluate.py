"""`keras-mdl evaluate`."""

from typing import Literal

from keras_mdl.cli import flags, inputs
from keras_mdl.cli.errors import InputError, bad_input
from keras_mdl.cli.saved import open_exported, open_saved

_SHOWN = 24  # images with the largest loss
_SIDE = 96  # of the pictures at the least, in pixels


def evaluate(
    model: flags.Evaluated,
    *,
    data: flags.Specs,
    domain: str | None = None,
    split: str = "validation",
    batch_size: flags.PositiveInt = 64,
    size: flags.Size | None = None,
    resize: Literal["antialiased", "plain"] = "antialiased",
    report: flags.PageOut | None = None,
    reading: flags.Reading = flags.READING,
    overwrite: flags.Overwrite = False,
    console: flags.Shown,
):
    """Accuracy and mistakes of a network or an export on labelled images.

    Each SPEC is evaluated with the domain of the same name in the model; name
    it with NAME=SPEC, or with --domain for a single SPEC. Classes match by
    name; the images may have some of the domain's classes only. With --report
    a page shows what is confused with what, precision and recall of each
    class, the images with the largest loss, how far confidence can be trusted,
    and a threshold below which an app should not answer.

    Args:
        domain: of the model (for one SPEC)
        split: of the data
        batch_size: images at a time
        resize: how images are shrunk: antialiased as in training, or plain
            bilinear as many apps do it
        report: page to write, NAME.html
    """
    if domain is not None and len(data) > 1:
        raise InputError(
            "--domain is for one SPEC; name several as NAME=SPEC. "
            f"Received: {len(data)} specifications"
        )
    if report is not None:
        from keras_mdl.runs.directory import refuse_existing

        with bad_input():
            refuse_existing(report, overwrite=overwrite)
    saved = open_exported(model) if model.is_dir() else open_saved(model)
    size = saved.size(size)
    found = []
    opened = inputs.open_data(console, data, size, reading, name=domain)
    for spec, one in zip(data, opened, strict=True):
        found.append(inputs.matched(one, saved, spec, partial=True))
        inputs.require_labels(one, split)
    loaded = saved.load()
    from keras_mdl.data import Preprocess
    from keras_mdl.report.text import format_table, percent
    from keras_mdl.runs import fitting

    how = Preprocess.default(size, antialias=resize == "antialiased")
    rows, sections = [], []
    table = [["domain", "split", "images", "accuracy", "loss"]]
    for one in found:
        name = one.domain.name
        done = fitting.evaluate(
            loaded[name], one, size, split, batch_size, preprocess=how
        )
        row = {
            "domain": name,
            "split": split,
            "images": len(done.labels),
            "accuracy": round(done.accuracy, 6),
            "loss": round(done.loss, 6),
        }
        rows.append(row)
        shown = {**row, "accuracy": percent(done.accuracy),
                 "loss": f"{done.loss:.3f}"}  # fmt: skip
        table.append([str(shown[column]) for column in table[0]])
        if report is not None:
            row["mistakes"], more = _mistakes(one, done, split, size)
            sections += more
    console.say(format_table(table, "<<>"))
    if report is not None:
        from keras_mdl.report.sections import Section, write_sections
        from keras_mdl.runs.environment import describe_environment

        write_sections(
            report,
            f"What {model.name} gets wrong",
            f"Measured on the split {split}.",
            [Section("Accuracy", rows=table, numeric_from=2), *sections],
            {"model": model, "data": list(data), "size": size,
             "resize": resize},
            describe_environment(),
        )  # fmt: skip
        console.say(f"\nwrote {report}")
    return {"model": str(model), "results": rows}


def _mistakes(data, done, split, size):
    """Numbers and sections of the report about one domain."""
    import numpy as np

    from keras_mdl.analysis import Mistakes
    from keras_mdl.report.mistakes_page import mistake_sections
    from keras_mdl.runs import fitting

    domain = data.domain
    mistakes = Mistakes(
        domain.classes, done.labels, np.exp(done.log_probabilities)
    )
    pictures = fitting.pictures(
        data, split, mistakes.worst(_SHOWN), max(size, _SIDE)
    )
    sections = mistake_sections(domain.name, mistakes, pictures)
    return mistakes.to_dict(), sections
