"""`keras-mdl search`."""

import pathlib

from keras_mdl.cli import backend, flags, outputs
from keras_mdl.cli.errors import bad_input


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
    with classifiers. A run that was stopped goes on where it was, in the
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

    Of space also: multipliers, kernels, expansions, squeezes. Of search also:
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
    with bad_input():
        file.open("rb").close()
    with outputs.reserved(out):
        console.say("loading the deep-learning backend ...")
        backend.load_backend()
        from keras_mdl.report.search_page import search_text
        from keras_mdl.runs.search import read_search_settings
        from keras_mdl.runs.search import search as searched
        from keras_mdl.runs.search.search_run import check

        with bad_input():
            settings = read_search_settings(file)
            check(settings, out)
        console.say(str(settings.search_space))
        found = searched(settings, out, processes, console.say, executor)
    result = {
        "folder": str(out),
        "complete": not found.failures,
        "rows": len(found.rows),
        "failures": [str(f) for f in found.failures],
    }
    if found.summary is not None:
        console.say("\n" + search_text(found.summary))
        console.say(f"\nwrote {out / 'report.html'} and summary.csv")
        result["report"] = str(out / "report.html")
        result["summary"] = [m.to_dict() for m in found.summary.methods]
    if found.failures:
        console.result(result)
        raise RuntimeError(
            f"{len(found.failures)} of the jobs failed; the same command runs "
            "them again\n\n" + "\n\n".join(result["failures"])
        )
    return result
