"""The end of a command: the record beside the output, and what it says."""

from keras_mdl.cli.config import settings_of
from keras_mdl.runs.records import record_path, write_record


def fit_result(out, model, domain, done):
    """The result of a training, as plain values.

    Args:
        out: The model's file.
        model: The `MultiDomainModel`.
        domain: Name of the trained domain.
        done: `Fit`.
    """
    return {
        "model": str(out),
        "domain": domain,
        "domains": list(model),
        "final": done.final,
        "history": done.history,
        "seconds": round(done.seconds, 2),
        "parameters": model.summary_by_domain().to_dicts(),
    }


def finish(args, parser, console, command, result):
    """Writes `FILE.run.yaml` beside `--out`, and says what was written.

    Returns:
        `result`, for `--json`.
    """
    record = record_path(args.out)
    settings = {
        name: [str(v) for v in value]
        if isinstance(value, list)
        else value
        if isinstance(value, (bool, int, float))
        else str(value)
        for name, value in settings_of(parser, args).items()
    }
    write_record(record, command, settings, result=result)
    console.say(f"\nwrote {args.out} and {record}")
    return result
