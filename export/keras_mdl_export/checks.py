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
