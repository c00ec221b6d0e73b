"""What a command writes: refused before any work, and never lost after it."""

import contextlib
import functools
import inspect
import os
import pathlib
import shutil
import tempfile

from keras_mdl.cli import cards
from keras_mdl.cli.config import settings_of
from keras_mdl.cli.errors import InputError, OutputError, bad_input, message_of
from keras_mdl.files import remove_leftovers

# A file system with less room than this is full.
_LEAST = 1 << 20


def writes_file(verb):
    """The wrapper of each command with `--out FILE`: refuse, reserve, record.

    Before the command runs, its outputs are checked and the name is reserved;
    after it settings, versions and the result go to `FILE.run.yaml`, and of a
    model a card to `FILE.card.md`.
    """

    @functools.wraps(verb)
    def wrapped(*args, **kwargs):
        from keras_mdl.runs.directory import refuse_existing
        from keras_mdl.runs.records import record_path, write_record

        bound = inspect.signature(verb).bind(*args, **kwargs)
        bound.apply_defaults()
        given = bound.arguments
        if given.get("check"):  # nothing is written
            with given["console"].contexts:
                return verb(*args, **kwargs)
        if given["out"] is None:
            raise InputError("required: --out, or --check")
        out, record = given["out"], record_path(given["out"])
        written = [out, record]
        if out.suffix == ".keras":
            written.append(cards.card_path(out))
        refuse = functools.partial(
            refuse_existing, *written, overwrite=given["overwrite"]
        )
        if "training" in given:
            _check_folder("--tensorboard", given["training"].tensorboard)
        with bad_input():
            refuse()
        with reserved(out):
            with bad_input():
                refuse()  # now that no other command can write it
            if "resume" in given:
                _find_unfinished(**given)
            model = given.get("model")
            if out.suffix == ".keras" and model and model.exists():
                with bad_input():
                    require_room(out, model.stat().st_size)
            with given["console"].contexts:
                with _unfinished(given):
                    result = verb(*args, **kwargs)
            command = verb.__name__.replace("_", "-")
            settings = settings_of(given)
            if out.suffix == ".keras":
                cards.complete(result, command, settings, model)
            try:
                write_record(record, command, settings, result=result)
                if out.suffix == ".keras":
                    cards.write_card(out, result)
            except OSError as error:
                raise OutputError(
                    f"{out} is written and complete; its record {record} "
                    f"could not be written: {message_of(error)}"
                ) from error
            if "resume" in given:
                state_of(out).remove()
            names = f"{', '.join(map(str, written[:-1]))} and {written[-1]}"
            given["console"].say(f"\nwrote {names}")
        return result

    return wrapped


def state_path(out):
    """Where an unfinished training of `out` lies."""
    return out.with_name(f"{out.name}.resume.npz")


def state_of(out):
    """The `TrainingState` of a training whose model goes to `out`."""
    from keras_mdl.training import TrainingState

    # (Whether it may go on has been decided before anything was loaded.)
    return TrainingState(state_path(out), resume=True)


def _find_unfinished(out, resume, overwrite, console, **_):
    path = state_path(out)
    if path.exists() and not resume:
        if not overwrite:
            raise InputError(
                f"{path} holds a training of {out} that was interrupted: go "
                "on with it (--resume), or begin anew (--overwrite)"
            )
        path.unlink()
    if resume and not path.exists():
        console.warn(f"no interrupted training of {out} is there: it begins")
    remove_leftovers(path)


@contextlib.contextmanager
def _unfinished(given):
    """Says how to go on, where the command ends too early."""
    from keras_mdl.runs.isolation import IsolationError

    path = state_path(given["out"])
    try:
        yield
    except IsolationError:
        path.unlink(missing_ok=True)  # it would end like that again
        raise
    except BaseException:
        if "resume" in given and path.exists():
            given["console"].warn(
                f"the training is kept in {path}: the same command with "
                "--resume goes on"
            )
        raise


@contextlib.contextmanager
def reserved(path):
    """Holds the name of an output as long as the block runs.

    A locked file beside it keeps other commands away from the name, and
    shows that something can be written there. The lock ends with the process,
    however that ends.
    """
    import filelock

    path = pathlib.Path(path).absolute()
    made = [p for p in path.parents if not p.exists()]
    held = filelock.FileLock(
        path.parent / f".{path.name[:200]}.lock", blocking=False
    )
    try:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            held.acquire()
        except filelock.Timeout as error:
            if not os.path.exists(held.lock_file):
                raise InputError(f"Nothing can be written to {path}") from error
            raise InputError(
                f"Another command is writing {path} at this moment: choose "
                "another --out, or wait for it"
            ) from error
        except OSError as error:
            raise InputError(
                f"Nothing can be written to {path}: {error.strerror}"
            ) from error
        require_room(path)
        yield
    finally:
        with contextlib.suppress(OSError):
            if held.is_locked:
                # While it is held: nobody else can hold a lock on it.
                os.unlink(held.lock_file)
            held.release()
            for folder in made:
                folder.rmdir()  # where nothing has been written in the end


def require_room(path, size=0):
    """Refuses to start what will not fit: `size` bytes and a little."""
    folder = pathlib.Path(path).absolute().parent
    free = shutil.disk_usage(folder).free
    if free < size + _LEAST:
        raise InputError(
            f"{path} needs {(size + _LEAST) / 1e6:,.1f} MB; {free / 1e6:,.1f} "
            f"MB are free in {folder}"
        )


def keep(out, overwrite, write):
    """Calls `write(out)`; where that fails, writes to another place.

    Raises:
        OutputError: Names the other place.
    """
    from keras_mdl.runs.isolation import IsolationError

    try:
        if out.exists() and not overwrite:
            raise FileExistsError(f"{out} has appeared since the start")
        return write(out)
    except IsolationError:
        raise  # such a result is not to be kept
    # (HDF5 makes RuntimeErrors of some of the file system's errors.)
    except (OSError, RuntimeError) as error:
        for place in (tempfile.gettempdir(), pathlib.Path.home(), "/dev/shm"):
            with contextlib.suppress(OSError, RuntimeError):
                folder = tempfile.mkdtemp(prefix="keras-mdl-", dir=place)
                other = pathlib.Path(folder, out.name)
                try:
                    write(other)
                except BaseException:
                    shutil.rmtree(folder)
                    raise
                raise OutputError(
                    f"{out} could not be written ({message_of(error)}). "
                    f"The result is not lost: it is in {other}"
                ) from error
        raise


def save_model(model, out, isolation, overwrite):
    """`keras_mdl.runs.saving.save_checked`, never lost; see `keep`."""
    from keras_mdl.runs.saving import save_checked

    keep(out, overwrite, lambda path: save_checked(model, path, isolation))


def trained(out, model, domain, done, facts):
    """The result of a training (`done`, a `Fit`) as plain values.

    `facts` are those of `cards.facts_of`.
    """
    return {
        "model": str(out),
        "domain": domain,
        "domains": list(model),
        "final": done.final,
        "history": done.history,
        "seconds": round(done.seconds, 2),
        "parameters": model.summary_by_domain().to_dicts(),
        "fingerprint": model.fingerprint(),
        "facts": {domain: facts},
    }


def checked(ready, seconds):
    """The result of `--check` as plain values."""
    data, findings = ready.data, ready.findings
    return {
        "domain": data.domain.name,
        "images": {s: data.size(s) for s in data.splits},
        "findings": [vars(f) for f in findings],
        "seconds": seconds,
    }


def _check_folder(flag, path):
    if path is not None:
        path = path.absolute()
        there = next(p for p in (path, *path.parents) if p.exists())
        if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
            raise InputError(
                f"{flag} needs a folder that can be written to, received: "
                f"{there}"
            )
