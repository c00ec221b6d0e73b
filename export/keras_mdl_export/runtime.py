"""A process that runs an export as a device would: LiteRT and NumPy alone.

`python -m keras_mdl_export.runtime JOB`. In a process of its own a crash of
the runtime is an error with a reason, its memory is given back, and its many
notes stay out of the terminal.
"""

import json
import pathlib
import sys

import numpy as np

from keras_mdl.processes import end_with_parent
from keras_mdl_export import processes
from keras_mdl_export.loading import load

_FORMS_ON = 8  # images on which other forms must repeat the first, bit by bit


def run_all(folder, forms, images, work):
    """Runs an export on images.

    Args:
        folder: The export folder.
        forms: Forms to load; the first runs on all images, the others on a
            few, and must give the same bits.
        images: `{domain: images}`.
        work: A folder to work in.

    Returns:
        `{domain: outputs (n, classes)}`.

    Raises:
        ProcessError: If a file cannot be loaded or run, or forms differ.
    """
    work = pathlib.Path(work)
    # By number: NumPy does not take every name.
    np.savez(work / "images.npz", *images.values())
    job = {
        "folder": str(folder),
        "forms": list(forms),
        "domains": list(images),
        "images": str(work / "images.npz"),
        "outputs": str(work / "outputs.npz"),
    }
    handle = processes.start("keras_mdl_export.runtime", work, "runtime", job)
    try:
        processes.wait(handle, "Running the export on LiteRT")
    finally:
        processes.stop(handle)
    with np.load(work / "outputs.npz") as found:
        return {name: found[f"arr_{i}"] for i, name in enumerate(images)}


def main(job):
    """Runs the job in a JSON file; see `run_all`."""
    end_with_parent()
    job = json.loads(pathlib.Path(job).read_text(encoding="utf-8"))
    images = np.load(job["images"])
    first, *others = [load(job["folder"], form) for form in job["forms"]]
    outputs = []
    for i, name in enumerate(job["domains"]):
        x = images[f"arr_{i}"]
        outputs.append(first[name](x))
        for form, classifiers in zip(job["forms"][1:], others, strict=True):
            few = classifiers[name](x[:_FORMS_ON])
            if not np.array_equal(few, outputs[-1][:_FORMS_ON]):
                raise RuntimeError(
                    f"The form {form!r} of domain {name!r} does not give the "
                    f"outputs of the form {job['forms'][0]!r}, bit for bit"
                )
    np.savez(job["outputs"], *outputs)


if __name__ == "__main__":
    main(*sys.argv[1:])
