"""An experiment's folder: refused, locked, resumed and never mixed up."""

import contextlib
import pathlib
from typing import NamedTuple

from keras_mdl.files import locked
from keras_mdl.runs.engine import stored_results
from keras_mdl.runs.executors import checked_executor, require_executor
from keras_mdl.runs.settings_files import write_yaml


class Kind(NamedTuple):
    """What an experiment is called, and its settings file in its folder."""

    word: str
    file: str


@contextlib.contextmanager
def opened(settings, out, kind, check, jobs_of, executor=None):
    """The jobs of an experiment, while nobody else works in its folder.

    Args:
        settings: With `to_dict`, `folder` and `executor`.
        out: The folder: new, empty, or that of the same experiment.
        kind: `Kind`.
        check: Function of settings and folder that refuses what cannot be.
        jobs_of: Function of settings that gives the `Job`s.
        executor: What they will run on; default the settings'.

    Yields:
        The jobs.

    Raises:
        ValueError: If the folder holds results of other settings.
        FileExistsError: If it is some other folder, or in use.
        RuntimeError: If the executor is not installed.
    """
    require_executor(checked_executor(executor or settings.executor)[0])
    check(settings, out)
    out.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(locked(out / ".lock", wait=False))
        except BlockingIOError as error:
            raise FileExistsError(
                f"Another {kind.word} is running in {out}"
            ) from error
        jobs = jobs_of(settings)
        refuse_changes(jobs, out)  # now that nobody else writes
        write_yaml(out / kind.file, settings)
        yield jobs


def refuse_folder_of_others(settings, out, kind):
    """Refuses folders that are no experiment's of this kind.

    Args:
        settings: With the `folder` that they were read from.
        out: The folder.
        kind: `Kind`.

    Raises:
        FileExistsError: If it holds other things.
        ValueError: If the settings were read out of it.
    """
    out, (what, stored) = pathlib.Path(out), kind
    if not out.exists():
        return
    there = not out.is_dir() or any(p.name[0] != "." for p in out.iterdir())
    if there and not (out / stored).is_file():
        raise FileExistsError(
            f"{out} is not the folder of a {what} (it has no {stored}): "
            "choose a new one"
        )
    if there and settings.folder.resolve() == out.resolve():
        # Compared with itself, it could change under its own rows.
        raise ValueError(
            f"The settings are in {out}, the {what}'s own folder, where it "
            f"keeps its copy ({stored}): give it a file that is elsewhere"
        )


def refuse_changes(jobs, folder):
    """Refuses jobs under which results that exist would mean another thing.

    What no result depends on may change: further seeds, methods and domains
    are welcome, one that has failed may be mended or left out.

    Args:
        jobs: Those that are asked for.
        folder: The experiment's folder.

    Raises:
        ValueError: If something else differs; the message lists it.
    """
    found = differences(jobs, folder)
    if found:
        raise ValueError(
            f"{folder} holds results with other settings or "
            "images (further seeds, methods and domains may be added, and "
            "what has no results may change). Choose another folder, or "
            "change back:\n" + "\n".join(f"- {d}" for d in found)
        )


def differences(jobs, folder):
    """Lines that say what jobs change or leave out of the results there."""
    wanted = {job.name: job for job in jobs}
    lines = {}
    for found in stored_results(folder):
        name, before = found["job"]["name"], found["job"]["values"]
        if name not in wanted:
            lines.setdefault("is missing", []).append(name)
            continue
        for key, old, new in _changes(before, wanted[name].values):
            line = f"{key}: expected {old!r}, received {new!r}"
            lines.setdefault(line, []).append(name)
    # The base's own lines say it better.
    kept = {k: v for k, v in lines.items() if not k.startswith("trunk: ")}
    return [_line(text, names) for text, names in (kept or lines).items()]


def _line(text, names):
    if text == "is missing":
        return f"{', '.join(names)}: {text}"
    rest = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{text} ({names[0]}{rest})"


def _changes(old, new, prefix=""):
    """`(key, old, new)` of all values that differ, of mappings in them too."""
    for key in dict.fromkeys([*old, *new]):
        a, b = old.get(key), new.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            yield from _changes(a, b, f"{prefix}{key}.")
        elif a != b:
            yield f"{prefix}{key}", a, b
