"""What jobs run on: processes of this machine, Slurm, Dask or Ray."""

import contextlib
import importlib.util
import os
import pathlib
import sys
from collections.abc import Iterator

from keras_mdl.processes import ProcessExecutor
from keras_mdl.runs.engine import LOGS, Engine

_NEEDED = {"processes": (), "submitit": ("submitit",),
           "dask": ("dask", "distributed"), "ray": ("ray",)}  # fmt: skip
EXECUTORS = tuple(_NEEDED)


@contextlib.contextmanager
def open_engine(
    folder: str | os.PathLike, executor: str | dict = "processes",
    slots: int | None = None,
) -> Iterator[Engine]:  # fmt: skip
    """An `Engine` for a run; leaving it ends what still runs.

    Args:
        folder: The run's folder.
        executor: One of `EXECUTORS`, or `{name: options}`: of `submitit`
            `cluster` (`"local"`, or by default the one that is there) and
            the parameters of its `AutoExecutor`; of `dask` `address` of a
            scheduler, or arguments of `LocalCluster`; of `ray` those of
            `ray.init`; of all `threads`, of a worker (default 1).
        slots: Jobs at a time; default one for each core of this machine.

    Raises:
        RuntimeError: If a package is missing; says what to install.
    """
    name, options = checked_executor(executor)
    require_executor(name)
    slots = slots or cores()
    environment = worker_environment(options.pop("threads", 1))
    folder = pathlib.Path(folder)
    (folder / LOGS).mkdir(parents=True, exist_ok=True)
    with _OPEN[name](folder, slots, options) as opened:
        yield Engine(folder, opened, slots, environment)


def checked_executor(executor: str | dict) -> tuple[str, dict]:
    """`(name, options)` of a setting.

    Raises:
        ValueError: If it is none; the message lists those known.
    """
    found = {executor: {}} if isinstance(executor, str) else executor
    if isinstance(found, dict) and len(found) == 1:
        ((name, options),) = found.items()
        if name in _NEEDED and isinstance(options, dict | None):
            return name, dict(options or {})
    raise ValueError(
        f"`executor` must be one of {', '.join(EXECUTORS)}, or one of them "
        f"with its options. Received: {executor!r}"
    )


def require_executor(name: str):
    """Refuses an executor whose packages are missing.

    Raises:
        RuntimeError: Naming what to install.
    """
    missing = [n for n in _NEEDED[name] if importlib.util.find_spec(n) is None]
    if missing:
        extra = "ray" if name == "ray" else "cluster"
        raise RuntimeError(
            f"The executor {name!r} needs {', '.join(missing)}: "
            f"pip install 'keras-mdl[{extra}]'"
        )


def worker_environment(threads: int = 1) -> dict:
    """Variables of a worker: our backend, and few threads.

    With more threads workers beside each other would wait for each other, and
    sums would come in another order from run to run.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    if threads == 1:
        flags = f"{flags} --xla_cpu_multi_thread_eigen=false".strip()
    # Without Keras here the workers choose as this process would.
    keras = sys.modules.get("keras")
    return {
        **({"KERAS_BACKEND": keras.backend.backend()} if keras else {}),
        "TF_NUM_INTRAOP_THREADS": str(threads),
        "TF_NUM_INTEROP_THREADS": "1",
        "OMP_NUM_THREADS": str(threads),
        "XLA_FLAGS": flags,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        # One device, several workers.
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    }


def cores() -> int:
    """The cores that this process may use, not those of the machine."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _processes(folder, slots, options):
    if options:
        raise ValueError(
            "The executor 'processes' has no options but `threads`. "
            f"Received: {options!r}"
        )
    return ProcessExecutor(slots, folder / LOGS / "processes.txt")


@contextlib.contextmanager
def _submitit(folder, slots, options):
    import submitit

    executor = submitit.AutoExecutor(
        folder / LOGS / "submitit", cluster=options.pop("cluster", None)
    )
    executor.update_parameters(**options)
    opened = _Submitting(executor.submit)
    try:
        yield opened
    finally:
        for job in opened.jobs:
            if not job.done():
                job.cancel()


@contextlib.contextmanager
def _dask(folder, slots, options):
    from dask.distributed import Client, LocalCluster

    address = options.pop("address", None)
    with contextlib.ExitStack() as stack:
        if address is None:
            options = {
                "n_workers": slots,
                "threads_per_worker": 1,
                "dashboard_address": None,
                **options,
            }
            address = stack.enter_context(LocalCluster(**options))
        client = stack.enter_context(Client(address))
        yield client.get_executor(pure=False)


@contextlib.contextmanager
def _ray(folder, slots, options):
    import ray

    ray.init(**{"num_cpus": slots, "include_dashboard": False, **options})
    try:
        yield _Submitting(lambda f, *args: ray.remote(f).remote(*args).future())
    finally:
        ray.shutdown()


class _Submitting:
    """`submit` as a method, and what it returned."""

    def __init__(self, submit):
        self._submit = submit
        self.jobs = []

    def submit(self, function, *args):
        self.jobs.append(self._submit(function, *args))
        return self.jobs[-1]


_OPEN = {"processes": _processes, "submitit": _submitit, "dask": _dask,
         "ray": _ray}  # fmt: skip
