"""A worker: the base of a seed, or all missing methods of one domain.

A process of its own, which ends with its parent. What it has done is in the
comparison's folder at once; nothing else is handed back.
"""

import json
import pathlib
import sys
import traceback

from keras_mdl.processes import end_with_parent
from keras_mdl.runs.compare.rows import (
    BASE,
    append_row,
    key_of,
    read_rows,
    require_same_images,
)
from keras_mdl.runs.isolation import IsolationError


def base_path(folder, seed):
    """Where the base of a seed is kept."""
    return pathlib.Path(folder) / "bases" / f"base-s{seed}.keras"


def main(job):
    """Runs one job.

    Args:
        job: JSON of `settings` and `data_folder` (as `settings_from` takes
            them), `folder` of the comparison, `seed`, `domain` and `methods`.
    """
    end_with_parent()
    from keras_mdl.runs.compare.settings_file import settings_from

    job = json.loads(job)
    settings = settings_from(job["settings"], job["data_folder"], check=False)
    folder, seed = pathlib.Path(job["folder"]), job["seed"]
    if job["methods"] == [BASE]:
        train_base(settings, folder, seed)
    else:
        run_methods(settings, folder, seed, job["domain"], job["methods"])


def train_base(settings, folder, seed):
    """Trains and keeps a base, then adds its row."""
    from keras_mdl.runs.compare import trial

    data = settings.base.load(settings.folder, settings.size)
    trial.require_splits(data)
    require_same_images(read_rows(folder), data)
    model, row = trial.train_base(settings, seed, data, verbose=2)
    path = base_path(folder, seed)
    path.parent.mkdir(exist_ok=True)
    model.save(path)
    append_row(folder, row)


def run_methods(settings, folder, seed, domain, methods):
    """Trains one domain by several methods; a row after each.

    Raises:
        SystemExit: With status 1, if some of them failed. The others ran.
    """
    from keras_mdl.models import load_model
    from keras_mdl.runs.compare import trial

    base = load_model(base_path(folder, seed))
    rows = read_rows(folder)
    expected = {key_of(r): r["base_sha256"] for r in rows}
    expected = expected[seed, settings.base.name, BASE]
    if trial.digest_of(base) != expected:
        raise ValueError(
            f"{base_path(folder, seed)} is not the base that the rows of seed "
            f"{seed} started from. Expected: {expected}, "
            f"received: {trial.digest_of(base)}"
        )
    entry = next(d for d in settings.domains if d.name == domain)
    data = entry.load(settings.folder, settings.size)
    trial.require_splits(data)
    require_same_images(rows, data)
    failed = []
    for method in methods:
        print(f"== {domain} by {method}, seed {seed}", flush=True)
        try:
            row = trial.run_method(settings, seed, base, data, method, 2)
        except IsolationError:
            raise  # the base in memory may be damaged
        except Exception as error:
            # A method that diverges is no reason to leave out the others.
            traceback.print_exception(error, file=sys.stdout)
            failed.append(f"{domain} by {method}: {error}")
            continue
        append_row(folder, row)
    if failed:
        print("\nFAILED: " + "\nFAILED: ".join(failed), flush=True)
        sys.exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
