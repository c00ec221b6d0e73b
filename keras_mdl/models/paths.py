"""Paths of variables: `trunk/<layer>/...`, `domains/<name>/<layer>/...`."""

import re

import keras

_NAMED_BY_KERAS = re.compile(r"variable(_\d+)?")


def by_path(parts):
    """`{path: variable}` of `{path prefix: layer}`.

    A variable of the layer itself is called by its name (one that was given
    none: as the attribute that holds it), one of an inner layer by the way to
    it: the attributes that hold it (`norm/gamma`), in a `Sequential` or
    functional part the kind of layer and its number among those
    (`dense_2/kernel`). Keras' own names of inner layers would differ from one
    process to the next.

    Raises:
        ValueError: If a layer has a variable that cannot be reached so.
    """
    found = {}
    for prefix, layer in parts.items():
        inner = dict(_walk(layer))
        if {id(v) for v in inner.values()} != {id(v) for v in layer.weights}:
            raise ValueError(
                f"The layer {layer.name!r} holds variables in a way that "
                "cannot be named: keep inner layers in attributes. Received: "
                f"layer of type {type(layer).__name__}"
            )
        found.update({f"{prefix}/{p}": v for p, v in inner.items()})
    return found


def _walk(layer):
    children = _children(layer)
    nested = {id(v) for _, child in children for v in child.weights}
    for variable in layer.weights:
        if id(variable) not in nested:
            yield _name(variable, layer), variable
    for name, child in children:
        for path, variable in _walk(child):
            yield f"{name}/{path}", variable


def _name(variable, layer):
    name = variable.name.split(":")[0]
    if not _NAMED_BY_KERAS.fullmatch(name):
        return name
    # A number that another process, or another copy, gives otherwise.
    held = (n for n, value in vars(layer).items() if value is variable)
    return next(held, name)


def _children(layer):
    if isinstance(layer, keras.Model):
        count, found = {}, []
        for child in layer.layers:
            kind = type(child).__name__.lower()
            count[kind] = count.get(kind, 0) + 1
            number = "" if count[kind] == 1 else f"_{count[kind]}"
            found.append((kind + number, child))
        return found
    return [
        (name, child)
        for name, child in vars(layer).items()
        if isinstance(child, keras.layers.Layer) and child.weights
    ]
