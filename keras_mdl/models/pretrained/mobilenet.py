"""MobileNetV2 and minimalistic MobileNetV3, from `keras.applications`."""

from collections.abc import Mapping, Sequence

import keras

from keras_mdl.models.multi_domain import MultiDomainModel
from keras_mdl.models.pretrained.trunk import as_trunk

_MULTIPLE = 32  # five halvings, padded as for 224 pixels


def build_mobilenet_v2(
    domains: Sequence | Mapping[str, int] | None = None,
    input_shape: tuple = (224, 224, 3),
    alpha: float = 1.0,
    weights: str | None = "imagenet",
    **options,
) -> MultiDomainModel:
    """MobileNetV2 as a trunk: 2.1 M shared, 0.1 M a further domain.

    With weights the norms' statistics stay as they are while domains train:
    the model's default phase is `"domain_kept"`.

    Args:
        domains: As `build_efficientnet_lite0`.
        input_shape: `(height, width, 3)`, divisible by 32.
        alpha: Multiplier of all channel numbers.
        weights: `"imagenet"` (which Keras downloads), a path to a weights
            file of `keras.applications.MobileNetV2`, or `None`.
        **options: As `from_keras`.

    Returns:
        A `MultiDomainModel`. Pixels are in `[0, 255]`.

    Raises:
        ValueError: For an image size, `alpha` or weights that do not suit.
        OSError: If the weights cannot be downloaded.

    Reference: Sandler et al., CVPR 2018.
    """
    _require_size(input_shape)
    network = _network("MobileNetV2", weights, alpha=alpha, name="mobilenet_v2")
    return _trunk(
        network, domains, "predictions", "-1..1", input_shape, weights, options
    )


def build_mobilenet_v3_small(
    domains: Sequence | Mapping[str, int] | None = None,
    input_shape: tuple = (224, 224, 3),
    weights: str | None = "imagenet",
    **options,
) -> MultiDomainModel:
    """MobileNetV3-Small without squeeze-and-excitation and hard swish.

    Keras' `minimalistic` variant: all of its 1x1 bytes are shared in exported
    files. Arguments as `build_mobilenet_v2`.

    Reference: Howard et al., ICCV 2019.
    """
    return _v3("MobileNetV3Small", domains, input_shape, weights, options)


def build_mobilenet_v3_large(
    domains: Sequence | Mapping[str, int] | None = None,
    input_shape: tuple = (224, 224, 3),
    weights: str | None = "imagenet",
    **options,
) -> MultiDomainModel:
    """MobileNetV3-Large, likewise; see `build_mobilenet_v3_small`."""
    return _v3("MobileNetV3Large", domains, input_shape, weights, options)


def _v3(kind, domains, input_shape, weights, options):
    _require_size(input_shape)
    network = _network(kind, weights, minimalistic=True)
    # Its first layer scales the pixels.
    return _trunk(
        network, domains, "logits", None, input_shape, weights, options
    )


def _network(kind, weights, **options):
    try:
        return getattr(keras.applications, kind)(weights=weights, **options)
    except Exception as error:
        if "URL fetch failure" not in str(error):  # Keras has no class for it
            raise
        raise OSError(
            f"Cannot download the weights of {kind} ({error}). Give the path "
            "of a copy as `weights`"
        ) from error


def _trunk(network, domains, head, scaling, input_shape, weights, options):
    if weights is not None:
        options = {"default_phase": "domain_kept", **options}
    return as_trunk(
        network, domains, head, scaling, input_shape=input_shape, **options
    )


def _require_size(input_shape):
    if any(
        n is not None and (n < 32 or n % _MULTIPLE) for n in input_shape[:2]
    ):
        raise ValueError(
            "`input_shape` must be divisible by 32 on each side, as the "
            f"network's padding expects. Received: {tuple(input_shape)}"
        )
