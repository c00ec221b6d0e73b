"""`keras-mdl search`."""

import pathlib

from keras_mdl.cli import flags
from keras_mdl.cli.experiments import run_experiment


def search(
    file: pathlib.Path,
    *,
    out: pathlib.Path,
    processes: flags.PositiveInt | None = None,
    executor: str | None = None,
    console: flags.Shown,
):
    """Search a path per domain through one supernetwork, and train the union.

    FILE.yaml says what (see below). For each seed and method a controller per
    domain searches a path (MPNAS); blocks on several paths are shared; the
    union is trained on all domains together. Baselines beside it: random
    paths, one searched path for all, one network per domain, one fixed path
    with heads. A run that was stopped goes on where it was, in the
    middle of a search too, when the command is given again. In the end
    DIR/report.html shows the paths, how similar they are, accuracy,
    parameters and multiply-accumulates; DIR/models has the trained models
    (`keras-mdl export`), DIR/paths the paths.

      name: first-search
      domains:                    # [NAME=]SPEC; paths relative to this file
        - embedded:digits
        - {data: signs=folder:photos/signs, flip: false}
      space: {size: 32, width: 0.5, stages: 3, layers: 3}
      search:
        steps: 300
        reward: {kind: absolute, cost: macs, target: 1.0e6}
      training: {steps: 600}
      seeds: [0]
      methods: [mpnas, random, multi_head, independent, single_path]

    Of space also: multipliers, kernels, expansions, squeezes, head. Of search:
    batch_size, held_out_batch, optimizer, learning_rate, weight_decay,
    controller_rate, delay, relaxed, entropy, balancing (equal, exponential,
    bounded, uncertainty, dynamic). Rewards: absolute, soft, hard, accuracy;
    costs: macs, parameters, bytes, union_bytes. Of training also: batch_size,
    learning_rate, momentum. Further methods: mpnas_abdp, mpnas_bounded, or a
    name of your own with {of: METHOD, ...}. Further keys: hold_out (each n-th
    training image is the controllers'), base (of single_path), tensorboard,
    processes, executor.

    Args:
        file: what to search, FILE.yaml
        out: folder of the run: a new one, or one to go on with
        processes: jobs at a time, one thread each (default: the file's, or
            one per core)
        executor: what the jobs run on: processes, submitit (Slurm), dask or
            ray, with :ADDRESS where one has it (default: the file's, or
            processes)
    """

    def prepare():
        from keras_mdl.runs.search import read_search_settings
        from keras_mdl.runs.search import search as run
        from keras_mdl.runs.search.search_run import check

        settings = read_search_settings(file)
        check(settings, out)
        console.say(str(settings.search_space))
        return lambda: run(settings, out, processes, console.say, executor)

    def summarize(summary):
        from keras_mdl.report.search_page import search_text

        methods = [m.to_dict() for m in summary.methods]
        return search_text(summary), {"summary": methods}

    return run_experiment(file, out, console, prepare, summarize)
