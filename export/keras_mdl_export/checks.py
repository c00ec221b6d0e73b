"""Checks of what is to be exported, before anything is done."""

import numpy as np

from keras_mdl_export.modes import get_mode

FORMS = ("models", "parts", "external", "bundle", "packs")
_WITHOUT_SHARING = ("models", "bundle")
INPUT_DTYPES = ("uint8", "float32")
OUTPUTS = ("probabilities", "logits")
MIN_CALIBRATION = 100  # fewer images double the error (measured)


def check_choices(model, mode, input_dtype, output, forms, pack_base):
    """Refuses unknown choices.

    Returns:
        `forms`, by default all that the mode has.

    Raises:
        ValueError: Naming those known.
    """
    possible = FORMS if get_mode(mode).shares else _WITHOUT_SHARING
    forms = possible if forms is None else tuple(dict.fromkeys(forms))
    for label, value, known in (
        ("input_dtype", input_dtype, INPUT_DTYPES),
        ("output", output, OUTPUTS),
        ("pack_base", pack_base, ("trunk", *model)),
    ):
        if value not in known:
            raise ValueError(
                f"`{label}` must be one of {', '.join(known)}. "
                f"Received: {label}={value!r}"
            )
    if not forms or not set(forms) <= set(possible):
        raise ValueError(
            f"`forms` must be some of {', '.join(possible)} in mode {mode!r}. "
            f"Received: {list(forms)}"
        )
    if "packs" in forms and pack_base != "trunk" and "models" not in forms:
        raise ValueError(
            f"Packs on the file of {pack_base!r} need that file: add 'models' "
            f"to `forms`. Received: {list(forms)}"
        )
    return forms


def check_model(model):
    """Refuses models that have no files to become.

    Raises:
        ValueError: For a model without heads or of open image size, or a
            domain with gates.
    """
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
    gated = [d for d, layers in config["gates"].items() if layers]
    if gated:
        raise ValueError(
            "Kernels that are mixed anew for every image have no constant "
            "form: they would share nothing and run outside the delegate. "
            "Fold the gates first, `model.collapsed(domain, images)`, or take "
            f"them out, `model.without_gate(domain)`. Gated: {', '.join(gated)}"
        )


def checked_images(model, calibration, validation, mode):
    """The images to calibrate and to verify with, by domain.

    Args:
        model: The `MultiDomainModel`.
        calibration: `{domain: images}` or `None`.
        validation: `{domain: images or (images, labels)}` or `None`.
        mode: A `Mode`.

    Returns:
        `(calibration, {domain: (images, labels or None)})`, images as uint8
        `(n, height, width, 3)`. Without validation images those for
        calibration verify.

    Raises:
        ValueError: For missing domains, wrong shapes or dtypes, or fewer than
            100 images to calibrate `int8` with.
    """
    shape = tuple(model.get_config()["input_shape"])
    calibration = {
        name: _images(f"calibration[{name!r}]", x, shape)
        for name, x in (calibration or {}).items()
    }
    verification = {n: (x, None) for n, x in calibration.items()}
    for name, given in (validation or {}).items():
        pair = given if isinstance(given, tuple) else (given, None)
        x = _images(f"validation[{name!r}]", pair[0], shape)
        labels = None if pair[1] is None else np.asarray(pair[1])
        if labels is not None and labels.shape != (len(x),):
            raise ValueError(
                f"Labels must be integers ({len(x)},), one for each image. "
                f"Received for {name!r}: shape {labels.shape}"
            )
        verification[name] = (x, labels)
    for given in (calibration, verification):
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
    if mode.int8_activations:
        few = {n: len(calibration.get(n, ())) for n in model}
        few = {n: k for n, k in few.items() if k < MIN_CALIBRATION}
        if few:
            raise ValueError(
                f"Mode {mode.name!r} measures activations on at least "
                f"{MIN_CALIBRATION} training images of each domain "
                f"(`calibration`). Received: {few}"
            )
    return calibration, verification


def _images(label, x, shape):
    x = np.asarray(x)
    if x.ndim != 4 or x.shape[1:] != shape or not len(x):
        raise ValueError(
            f"`{label}` must be images (n, {', '.join(map(str, shape))}), the "
            f"size of the network. Received: shape {x.shape}"
        )
    if x.dtype != np.uint8:
        if not np.issubdtype(x.dtype, np.floating) or not (
            np.all(np.isfinite(x)) and x.min() >= 0 and x.max() <= 255
        ):
            raise ValueError(
                f"`{label}` must be pixels in 0..255, uint8 or float. "
                f"Received: {x.dtype}, {x.min()} to {x.max()}"
            )
        x = np.rint(x).astype(np.uint8)
    return x
