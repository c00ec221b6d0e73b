"""`keras-mdl compare`."""

import pathlib

from keras_mdl.cli import backend, flags, outputs
from keras_mdl.cli.errors import bad_input


def compare(
    file: pathlib.Path,
    *,
    out: pathlib.Path,
    processes: flags.PositiveInt | None = None,
    executor: str | None = None,
    console: flags.Shown,
):
    """Train sharing methods side by side: methods x domains x seeds.

    FILE.yaml says what: a base, domains, methods and seeds (see below). For
    each seed a base is trained, then each domain starts from it by each
    method. Rows go to DIR/rows.csv as soon as they are there. A run that was
    stopped goes on where it was when the command is given again; further
    seeds, domains and methods may be added to the file, and only they are
    trained. In the end DIR/summary.csv and DIR/report.html show accuracy,
    decathlon-like score S, parameters, bytes, multiply-accumulates and time,
    and the picture of accuracy against what a domain adds.

      name: first-look
      base: {data: embedded:shapes, epochs: 6}
      domains:                    # [NAME=]SPEC; paths relative to this file
        - embedded:digits
        - {data: signs=folder:photos/signs, flip: false}
      images: 20000               # seen per domain and method (or epochs: N)
      seeds: [0, 1]
      methods:                    # default: all
        pointwise_sharing:
        classifier_only: {learning_rate: 0.01}
        individual:

    Either `images` or `epochs` is needed. Further keys: network (resnet26,
    dense_resnet26), width, size, recipe, batch_size, processes, executor,
    variants (a method with changes, under a name), hold_out, tensorboard; of
    base: recipe; of data: flip, validation_fraction, on_bad_image, data_dir,
    download; of each method: learning_rate, weight_decay, momentum,
    batch_size, epochs, cosine, optimizer_name. Without them all methods train
    as the recipe says, which does not suit all of them: a classifier alone
    wants a larger learning rate.

    Args:
        file: what to compare, FILE.yaml
        out: folder of the comparison: a new one, or one to go on with
        processes: trainings at a time, one thread each (default: the file's,
            or one per core)
        executor: what the trainings run on: processes, submitit (Slurm),
            dask or ray, with :ADDRESS where one has it (default: the file's,
            or processes)
    """
    with bad_input():
        file.open("rb").close()
    with outputs.reserved(out):
        console.say("loading the deep-learning backend ...")
        backend.load_backend()
        from keras_mdl.report.compare_page import compare_text
        from keras_mdl.runs.compare import compare as compared
        from keras_mdl.runs.compare import read_settings
        from keras_mdl.runs.compare.run import check

        with bad_input():
            settings = read_settings(file)
            check(settings, out)
        found = compared(settings, out, processes, console.say, executor)
    result = {
        "folder": str(out),
        "complete": not found.failures,
        "rows": len(found.rows),
        "failures": [str(f) for f in found.failures],
    }
    if found.summary is not None:
        console.say("\n" + compare_text(found.summary))
        console.say(found.summary.score_note)
        console.say(f"\nwrote {out / 'report.html'} and summary.csv")
        result["report"] = str(out / "report.html")
        result["isolated"] = found.summary.isolated
        result["summary"] = found.summary.to_dicts()
    if found.failures:
        console.result(result)
        raise RuntimeError(
            f"{len(found.failures)} of the jobs failed; the same command runs "
            "them again\n\n" + "\n\n".join(result["failures"])
        )
    return result
