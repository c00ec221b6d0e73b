"""Runs an export as a device would: LiteRT and NumPy alone.

In a process of its own a crash of the runtime is an error with a reason, its
memory is given back, and its many notes stay out of the terminal.
"""

import pathlib

import numpy as np

from keras_mdl_export.loading import load
from keras_mdl_export.manifest_schema import ROUTER
from keras_mdl_export.verification import compare

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
    from keras_mdl.processes import ProcessError, ProcessExecutor

    work = pathlib.Path(work)
    # By number: NumPy does not take every name.
    np.savez(work / "images.npz", *images.values())
    with ProcessExecutor(1, work / "log") as executor:
        try:
            executor.submit(
                run_forms, str(folder), list(forms), list(images), str(work)
            ).result()
        except ProcessError as error:
            raise ProcessError(
                f"Running the export on LiteRT {error}"
            ) from None
    with np.load(work / "outputs.npz") as found:
        return {name: found[f"arr_{i}"] for i, name in enumerate(images)}


def run_verified(
    folder, forms, work, images, plain, expected, at_grid, route=None
):
    """Runs an export beside what the Keras model answers.

    Args:
        folder, forms, work: As for `run_all`.
        images: `{domain: (images, labels or None)}`.
        plain: `{domain: images}`, those that were shrunk otherwise as well.
        expected, at_grid: What the model answers; see `verification.compare`.
        route: A `Routed`, or `None`.

    Returns:
        `{domain: Verification}`; the router's under its name.
    """
    pixels = {
        name: np.concatenate([x, plain[name]] if name in plain else [x])
        for name, (x, _) in images.items()
    }
    if route is not None:
        pixels[ROUTER] = np.concatenate([x for x, _ in images.values()])
    outputs = run_all(folder, forms, pixels, work)
    verified = {
        name: compare(
            expected[name],
            at_grid[name],
            outputs[name][: len(x)],
            labels,
            outputs[name][len(x) :] if name in plain else None,
        )
        for name, (x, labels) in images.items()
    }
    if route is not None:
        verified[ROUTER] = route.verified(images, outputs[ROUTER])
    return verified


def run_forms(folder, forms, domains, work):
    """What `run_all` does in another process: images.npz to outputs.npz."""
    images = np.load(pathlib.Path(work, "images.npz"))
    first, *others = [load(folder, form).networks for form in forms]
    outputs = []
    for i, name in enumerate(domains):
        x = images[f"arr_{i}"]
        outputs.append(first[name](x))
        for form, classifiers in zip(forms[1:], others, strict=True):
            few = classifiers[name](x[:_FORMS_ON])
            if not np.array_equal(few, outputs[-1][:_FORMS_ON]):
                raise RuntimeError(
                    f"The form {form!r} of domain {name!r} does not give the "
                    f"outputs of the form {forms[0]!r}, bit for bit"
                )
    np.savez(pathlib.Path(work, "outputs.npz"), *outputs)
