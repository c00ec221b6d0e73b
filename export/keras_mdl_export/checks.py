"""Checks of what is to be exported, before anything is done."""

import importlib.util

import keras
import numpy as np

from keras_mdl_export.manifest import FORMS
from keras_mdl_export.manifest_schema import check_classes
from keras_mdl_export.metadata import labels_zip
from keras_mdl_export.modes import get_mode
from keras_mdl_export.trunk import slot_facts

_WITHOUT_SHARING = ("models", "bundle")
INPUT_DTYPES = ("uint8", "float32")
OUTPUTS = ("probabilities", "logits")
MIN_CALIBRATION = 100  # fewer images double the error (measured)


def check_choices(
    model, mode, input_dtype, output, forms, pack_base, several_paths=False
):
    """Refuses unknown choices, and `"parts"` where domains have several
    paths through the trunk.

    Returns:
        `forms`, by default all that the mode has.

    Raises:
        ValueError: Naming those known.
    """
    possible = FORMS if get_mode(mode).shares else _WITHOUT_SHARING
    if several_paths:  # no file is a prefix and the whole trunk
        possible = tuple(f for f in possible if f != "parts")
    if isinstance(forms, str):
        forms = [forms]
    forms = possible if forms is None else tuple(dict.fromkeys(forms))
    for label, value, known in (
        ("input_dtype", input_dtype, INPUT_DTYPES),
        ("output", output, OUTPUTS),
        ("pack_base", pack_base, (None, *model)),
    ):
        if value not in known:
            raise ValueError(
                f"`{label}` must be one of {', '.join(map(str, known))}. "
                f"Received: {label}={value!r}"
            )
    if not forms or not set(forms) <= set(possible):
        raise ValueError(
            f"`forms` must be some of {', '.join(possible)} in mode {mode!r}"
            f"{' for domains with paths of their own' * several_paths}. "
            f"Received: {list(forms)}"
        )
    if "packs" in forms and pack_base is not None:
        if "models" not in forms or len(model.domains) == 1:
            raise ValueError(
                f"Packs on the file of {pack_base!r} are for further domains "
                "of a receiver that has it: they need the form 'models' and "
                f"another domain. Received: forms={list(forms)}, domains "
                f"{', '.join(model)}"
            )
    if "packs" in forms and importlib.util.find_spec("zstandard") is None:
        raise ModuleNotFoundError(
            "The form 'packs' needs zstandard: "
            "pip install 'keras-mdl[export]', or choose other `forms`"
        )
    return forms


def check_limits(**limits):
    """Refuses limits that would let everything pass, or nothing.

    Args:
        **limits: `{name: (value, low)}`; the highest is 1.

    Raises:
        ValueError: For what is no number from low to 1.
    """
    for label, (value, low) in limits.items():
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not low <= value <= 1:
            raise ValueError(
                f"`{label}` must be a number from {low} to 1. "
                f"Received: {label}={value!r}"
            )


def check_model(model):
    """Refuses models that have no files to become.

    Raises:
        TypeError: For anything but a `MultiDomainModel`.
        ValueError: For a model without heads or of open image size, a domain
            with gates, weights that are no numbers, class names that no
            file of labels can hold, or a backbone that a new process could
            not find.
    """
    if not hasattr(model, "variables_by_path"):
        raise TypeError(
            "`model` must be a keras_mdl.MultiDomainModel, the whole and not "
            f"the view of a domain. Received: {type(model).__name__}"
        )
    config = model.get_config()
    if not config["include_top"]:
        raise ValueError(
            "A model without heads classifies nothing: expected "
            "`include_top=True`"
        )
    if None in config["input_shape"]:
        raise ValueError(
            "An exported network has one image size. Build the model with a "
            "fixed `input_shape`. "
            f"Received: input_shape={tuple(config['input_shape'])}"
        )
    backbone = keras.saving.deserialize_keras_object(config["backbone"])
    if backbone.__module__ == "__main__":
        raise ValueError(
            f"The backbone {backbone.__name__!r} is defined in a script or "
            "notebook. The conversion runs in a process of its own and has to "
            "import it: put it into a module"
        )
    for name, domain in model.domains.items():
        check_classes(list(domain.classes), f"classes of {name}")
        labels_zip(domain.classes, 0)
    for path, variable in model.variables_by_path().items():
        value = keras.ops.convert_to_numpy(keras.ops.cast(variable, "float32"))
        if not np.isfinite(value).all():
            raise ValueError(
                f"The weights of {path} are not all finite numbers: the "
                "training diverged"
            )
    gated = sorted(slot_facts(model)["gates"])
    if gated:
        raise ValueError(
            "Kernels that are mixed anew for every image have no constant "
            "form: they would share nothing and run outside the delegate. "
            "Fold the gates first, `model.collapsed(domain, images)`, or take "
            f"them out, `model.without_gate(domain)`. Gated: {', '.join(gated)}"
        )


def checked_images(model, calibration, validation, mode, plain=None):
    """The images to calibrate and to verify with, by domain.

    Args:
        model: The `MultiDomainModel`.
        calibration, validation: `{domain: images or (images, labels)}`.
        mode: A `Mode`.
        plain: `{domain: images}`: those of `validation`, shrunk otherwise.

    Returns:
        `(calibration, training, verification, plain)`: the first and the
        last `{domain: images}`, the others `{domain: (images, labels or
        None)}`, images as uint8 `(n, height, width, 3)`. Without validation
        images those for calibration verify; `training` are those for
        calibration of the other domains.

    Raises:
        ValueError: For missing domains, wrong shapes or dtypes, or fewer than
            100 images to calibrate `int8` with.
    """
    shape = tuple(model.get_config()["input_shape"])
    calibration, validation = (
        {n: _pair(label, n, x, model, shape) for n, x in (given or {}).items()}
        for label, given in (
            ("calibration", calibration), ("validation", validation)
        )
    )  # fmt: skip
    verification = calibration | validation
    training = {n: pair for n, pair in calibration.items() if n in validation}
    calibration = {n: x for n, (x, _) in calibration.items()}
    plain = {
        name: _images(f"plain[{name!r}]", x, shape)
        for name, x in (plain or {}).items()
    }
    for given in (calibration, verification, plain):
        unknown = set(given) - set(model)
        if unknown:
            raise ValueError(
                f"Images of unknown domains: {', '.join(sorted(unknown))}. "
                f"Domains: {', '.join(model)}"
            )
    missing = [n for n in model if n not in verification]
    if missing:
        raise ValueError(
            "Every exported domain is verified on images of its own: pass "
            "`validation={domain: (images, labels)}` (or `calibration`). "
            f"Missing: {', '.join(missing)}"
        )
    for name, x in plain.items():
        images, labels = verification[name]
        if labels is None or len(x) != len(images):
            raise ValueError(
                f"`plain[{name!r}]` must be the images of `validation`, in "
                f"their order, which have labels. Received: {len(x)} images "
                f"for {len(images)} with{'out' * (labels is None)} labels"
            )
    if mode.int8_activations:
        few = {n: len(calibration.get(n, ())) for n in model}
        few = {n: k for n, k in few.items() if k < MIN_CALIBRATION}
        if few:
            raise ValueError(
                f"Mode {mode.name!r} measures activations on at least "
                f"{MIN_CALIBRATION} training images of each domain "
                f"(`calibration`). Received: {few}"
            )
    return calibration, training, verification, plain


def _pair(label, name, given, model, shape):
    """`(images, labels or None)` of what was given for a domain."""
    pair = given if isinstance(given, tuple | list) else (given, None)
    if len(pair) != 2:
        raise ValueError(
            f"`{label}[{name!r}]` must be images or (images, labels). "
            f"Received: {len(pair)} things"
        )
    x, labels = _images(f"{label}[{name!r}]", pair[0], shape), pair[1]
    if labels is not None and name in model:
        classes = model.domains[name].num_classes
        labels = _labels(name, labels, len(x), classes)
    return x, labels


def _labels(name, labels, count, classes):
    labels = np.asarray(labels)
    if (
        labels.shape != (count,)
        or not np.issubdtype(labels.dtype, np.integer)
        or labels.min() < 0
        or labels.max() >= classes
    ):
        raise ValueError(
            f"Labels must be integers ({count},), one for each image, from 0 "
            f"to {classes - 1}. Received for {name!r}: {labels.dtype} "
            f"{labels.shape}, {sorted(set(labels.ravel().tolist()))[:8]}"
        )
    return labels


def _images(label, x, shape):
    x = np.asarray(x)
    if x.ndim != 4 or x.shape[1:] != shape or not len(x):
        raise ValueError(
            f"`{label}` must be images (n, {', '.join(map(str, shape))}), the "
            f"size of the network. Received: shape {x.shape}"
        )
    if x.dtype != np.uint8:
        # Written so that NaN is refused too.
        if x.dtype.kind not in "iuf" or not (x.min() >= 0 and x.max() <= 255):
            raise ValueError(
                f"`{label}` must be pixels in 0..255, uint8 or float. "
                f"Received: {x.dtype}, {x.min()} to {x.max()}"
            )
        x = np.rint(x).astype(np.uint8)
    return x
