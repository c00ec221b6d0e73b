"""`keras-mdl compare`."""

import pathlib

from keras_mdl.cli import flags
from keras_mdl.cli.experiments import run_experiment


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
    batch_size, epochs, cosine, optimizer_name, balance, ema, precision.
    Without them all methods train as the recipe says, which does not suit all
    of them: a head alone wants a larger learning rate.

    Args:
        file: what to compare, FILE.yaml
        out: folder of the comparison: a new one, or one to go on with
        processes: trainings at a time, one thread each (default: the file's,
            or one per core)
        executor: what the trainings run on: processes, submitit (Slurm),
            dask or ray, with :ADDRESS where one has it (default: the file's,
            or processes)
    """

    def prepare():
        from keras_mdl.runs.compare import compare as run
        from keras_mdl.runs.compare import read_settings
        from keras_mdl.runs.compare.run import check

        settings = read_settings(file)
        check(settings, out)
        return lambda: run(settings, out, processes, console.say, executor)

    def summarize(summary):
        from keras_mdl.report.compare_page import compare_text

        return f"{compare_text(summary)}\n{summary.score_note}", {
            "isolated": summary.isolated,
            "summary": summary.to_dicts(),
        }

    return run_experiment(file, out, console, prepare, summarize, base=True)
