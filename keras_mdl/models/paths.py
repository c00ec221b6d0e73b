"""Paths of variables: `trunk/<layer>/...`, `domains/<name>/<layer>/...`."""

import keras


def by_path(parts):
    """`{path: variable}` of `{path prefix: layer}`.

    A variable of the layer itself is called by its name, one of an inner
    layer by the way to it: the attributes that hold it (`norm/gamma`), in a
    `Sequential` or functional part the kind of layer and its number among
    those (`dense_2/kernel`). Keras' own names of inner layers would differ
    from one process to the next.

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
            yield variable.name.split(":")[0], variable
    for name, child in children:
        for path, variable in _walk(child):
            yield f"{name}/{path}", variable


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
