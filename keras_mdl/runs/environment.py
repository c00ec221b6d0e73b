"""What a result depends on besides its settings: versions and hardware."""

import importlib.metadata
import platform

from keras_mdl.runs.executors import cores

_PACKAGES = ("tensorflow", "jax", "numpy", "pillow", "matplotlib",
             "scikit-learn", "scikit-image", "safetensors")  # fmt: skip


def describe_environment():
    """Versions, backend and hardware, as a flat dict of plain values."""
    import keras

    import keras_mdl

    found = {
        "keras_mdl": keras_mdl.__version__,
        "python": platform.python_version(),
        "keras": keras.__version__,
        "backend": keras.backend.backend(),
    }
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    found["platform"] = platform.platform(terse=True)
    found["machine"] = platform.machine()
    found["cpu"] = _cpu_name()
    found["cpu_cores"] = cores()
    found["accelerators"] = sum(
        not d.startswith("cpu") for d in keras.distribution.list_devices()
    )
    return found


def _cpu_name():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as f:
            for line in f:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"
