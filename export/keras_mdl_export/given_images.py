"""Images to calibrate and to verify with, checked before anything is done."""

import numpy as np

MIN_CALIBRATION = 100  # fewer images double the error (measured)


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
