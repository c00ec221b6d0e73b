"""`keras-mdl evaluate`."""

from typing import Literal

from keras_mdl.cli import flags, inputs
from keras_mdl.cli.errors import InputError
from keras_mdl.cli.saved import open_saved


def evaluate(
    model: flags.Model,
    *,
    data: flags.Specs,
    domain: str | None = None,
    split: str = "validation",
    batch_size: flags.PositiveInt = 64,
    size: flags.Size | None = None,
    resize: Literal["antialiased", "plain"] = "antialiased",
    reading: flags.Reading = flags.READING,
    console: flags.Shown,
):
    """Accuracy of a saved network on labelled images.

    Each SPEC is evaluated with the domain of the same name in the model; name
    it with NAME=SPEC, or with --domain for a single SPEC. Classes match by
    name; the images may have some of the domain's classes only.

    Args:
        domain: of the model (for one SPEC)
        split: of the data
        batch_size: images at a time
        resize: how images are shrunk: antialiased as in training, or plain
            bilinear as many apps do it
    """
    if domain is not None and len(data) > 1:
        raise InputError(
            "--domain is for one SPEC; name several as NAME=SPEC. "
            f"Received: {len(data)} specifications"
        )
    saved = open_saved(model)
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
    rows, table = [], [["domain", "split", "images", "accuracy", "loss"]]
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
    console.say(format_table(table, "<<>"))
    return {"model": str(model), "results": rows}
