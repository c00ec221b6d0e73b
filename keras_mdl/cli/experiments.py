"""What `compare` and `search` have in common: from a file to a report."""

import functools

from keras_mdl.cli import backend, outputs
from keras_mdl.cli.errors import bad_input


def run_experiment(file, out, console, prepare, summarize, base=False):
    """Runs the experiment of a settings file into a folder, and sums it up.

    Args:
        file: The settings file.
        out: The folder, reserved meanwhile.
        console: `Console`.
        prepare: Function that reads and checks the settings, once the backend
            is loaded; gives a function that runs them.
        summarize: Function of what came of it: `(text, plain values)`.
        base: Whether `base` in the file names data.

    Returns:
        The command's result.

    Raises:
        RuntimeError: If jobs have failed, with what each said.
    """
    from keras_mdl.runs.data_entry import check_data
    from keras_mdl.runs.settings_files import read_yaml

    with outputs.reserved(out):
        with bad_input():
            read_yaml(file, functools.partial(check_data, base=base))
        console.say("loading the deep-learning backend ...")
        backend.load_backend()
        with bad_input():
            run = prepare()
        found = run()
    result = {
        "folder": str(out),
        "complete": not found.failures,
        "rows": len(found.rows),
        "failures": [str(f) for f in found.failures],
    }
    if found.summary is not None:
        text, values = summarize(found.summary)
        console.say(f"\n{text}\n\nwrote {out / 'report.html'} and summary.csv")
        result |= {"report": str(out / "report.html"), **values}
    if found.failures:
        console.result(result)
        raise RuntimeError(
            f"{len(found.failures)} of the jobs failed; the same command runs "
            "them again\n\n" + "\n\n".join(result["failures"])
        )
    return result
