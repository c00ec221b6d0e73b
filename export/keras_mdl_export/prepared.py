"""The model as it is converted: chosen domains, folded slots, float32."""

import contextlib

import keras


def only(model, domains):
    """The model with those domains alone.

    Args:
        model: A `keras_mdl.MultiDomainModel`.
        domains: A name, names, or `None` for all.

    Raises:
        ValueError: For a domain that it does not have.
    """
    if domains is None:
        return model
    names = [domains] if isinstance(domains, str) else list(domains)
    for name in names:
        model.for_domain(name)  # raises for unknown ones
    for name in [n for n in model if n not in names]:
        model = model.without_domain(name)
    return model


def ordinary(model):
    """The model with every slot folded that can be, in float32.

    The converter knows no 16-bit convolutions; in mixed precision the
    variables are float32 anyway.
    """
    for name in model:
        # Adapters beside separable convolutions have no folded form: they
        # are exported as the layers that they are.
        with contextlib.suppress(ValueError):
            model = model.folded([name])
    if model.dtype_policy.name == "float32":
        return model
    copy = type(model).from_config({**model.get_config(), "dtype": "float32"})
    values = model.variables_by_path()
    for path, variable in copy.variables_by_path().items():
        variable.assign(keras.ops.cast(values[path], variable.dtype))
    return copy
