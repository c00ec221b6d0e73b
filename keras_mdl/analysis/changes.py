"""What domains changed: how far slots moved, what matters, who is alike."""

import contextlib
from collections.abc import Callable, Mapping

import keras
import numpy as np

from keras_mdl.analysis.activations import forward, last_maps, with_maps
from keras_mdl.domains import require_domain
from keras_mdl.layers.slotted_convolution import SlottedConvolution
from keras_mdl.models.editing import ordinary_values
from keras_mdl.models.gating import gate_statistics


def moved(model: keras.Model, base: str | None = None) -> list[dict]:
    """How far each domain's slot is from the base's, layer by layer.

    ```
    distance = |v_domain - v_base| / |v_base|      of all numbers of a kind
    ```

    Args:
        model: A `MultiDomainModel`.
        base: Domain to compare with; default the first.

    Returns:
        List of dicts: `domain`, `layer`, `kind` (`"depthwise"`, `"norm"` for
        factors and offsets, `"statistics"`, `"other"`) and `distance`; of
        layers that both have.

    Raises:
        ValueError: If `base` is unknown.
    """
    base = _base(model, base)
    start, rows = _slot(model, base), []
    for domain in model:
        if domain == base:
            continue
        pairs = {}
        for path, value in _slot(model, domain).items():
            if path in start and value.shape == start[path].shape:
                key = path.split("/")[0], _kind(path)
                pairs.setdefault(key, []).append((value, start[path]))
        for (layer, kind), values in pairs.items():
            away = np.sqrt(sum(np.sum((a - b) ** 2) for a, b in values))
            size = np.sqrt(sum(np.sum(b**2) for _, b in values))
            rows.append(
                {"domain": domain, "layer": layer, "kind": kind,
                 "distance": float(away / max(size, 1e-12))}
            )  # fmt: skip
    return rows


def importance(
    model: keras.Model, domain: str, accuracy: Callable, base: str | None = None
) -> list[dict]:
    """What a domain loses where one layer of its slot is the base's again.

    A convolution and the norms behind it, up to the next convolution, are put
    back together: the statistics of a norm belong to what stands before it.
    The model is as before in the end.

    Args:
        model: A `MultiDomainModel`.
        domain: Name of the domain.
        accuracy: Function of the domain's view that returns its accuracy.
        base: Domain to put back to; default the first.

    Returns:
        List of dicts in the order of the network: `layer`, `accuracy` and
        `loss` against the whole slot.

    Raises:
        ValueError: For an unknown domain, or a domain that is the base.
    """
    base = _base(model, base)
    require_domain(domain, list(model))
    if domain == base:
        raise ValueError(
            f"`domain` and `base` must differ. Received: {domain!r}"
        )
    own, others = (
        {p.split("/", 2)[2]: v for p, v in model.variables_by_path(d).items()}
        for d in (domain, base)
    )
    view = model.for_domain(domain, phase="frozen")
    whole, rows = accuracy(view), []
    for group in _groups(model, domain):
        paths = [
            p for p, v in own.items()
            if p.split("/")[0] in group and p in others
            and tuple(v.shape) == tuple(others[p].shape)
        ]  # fmt: skip
        if paths:
            with _put_back(own, others, paths):
                found = accuracy(view)
            rows.append(
                {"layer": group[0], "accuracy": found, "loss": whole - found}
            )
    return rows


def slot_similarity(model: keras.Model, base: str | None = None) -> tuple:
    """How alike the directions are in which domains moved from the base.

    The cosine of what two domains added to the base's depthwise kernels, the
    mean over layers: 1 for the same change, 0 for unrelated ones.

    Args:
        model: A `MultiDomainModel`.
        base: As `moved`.

    Returns:
        `(domains, matrix)`, without the base.
    """
    base = _base(model, base)
    start = _slot(model, base)
    names = [d for d in model if d != base]
    slots = [_slot(model, d) for d in names]
    paths = [
        p for p in start
        if _kind(p) == "depthwise"
        and all(p in s and s[p].shape == start[p].shape for s in slots)
    ]  # fmt: skip
    if not paths:
        raise ValueError(
            "There are no depthwise kernels that all of these domains have: "
            f"{', '.join(names) or 'none beside the base'}"
        )
    total = np.zeros((len(names),) * 2)
    for path in paths:
        change = np.stack([(s[path] - start[path]).ravel() for s in slots])
        size = np.linalg.norm(change, axis=1, keepdims=True)
        change = change / np.maximum(size, 1e-12)
        total += change @ change.T
    return names, total / len(paths)


def feature_similarity(
    model: keras.Model, images: np.ndarray, batch_size: int = 64
) -> tuple:
    """Linear CKA of the domains' features of the same images.

    ```
    CKA(X, Y) = |Y' X|^2 / (|X' X| |Y' Y|)      columns centred, Frobenius
    ```

    Features are the maps before the pooling, averaged over places. It is 1
    where two networks see the same up to rotation and scale.

    Args:
        model: A `MultiDomainModel`.
        images: `(n, height, width, 3)` in [0, 255], of any domains; some
            hundred: of fewer images than features CKA is too large.
        batch_size: Images at a time.

    Returns:
        `(domains, matrix)`.

    Reference: Kornblith, Norouzi, Lee, Hinton, "Similarity of Neural Network
    Representations Revisited", ICML 2019.
    """
    names, features = list(model), []
    for domain in names:
        view = model.for_domain(domain, phase="frozen")
        run = forward(view, [with_maps(view)[last_maps(view)]])
        x = np.concatenate(
            [
                run(images[i : i + batch_size])[0].mean(axis=(1, 2))
                for i in range(0, len(images), batch_size)
            ]
        ).astype(np.float64)
        features.append(x - x.mean(axis=0))
    products = [[np.sum((y.T @ x) ** 2) for y in features] for x in features]
    size = np.sqrt(np.diag(products))
    return names, np.array(products) / np.maximum(np.outer(size, size), 1e-30)


def gate_weights(model: keras.Model, images: Mapping) -> tuple:
    """How much the gates of domains take from each domain, on average.

    Args:
        model: A `MultiDomainModel`.
        images: `{domain: images}`, of the gated domains to look at.

    Returns:
        `(gated domains, all domains, matrix)`: mean over layers and images; a
        row sums to 1 where its sources are all in the model still; `nan` for
        domains that are not mixed in.

    Raises:
        ValueError: If a domain has no gate.
    """
    names = list(model)
    matrix = np.full((len(images), len(names)), np.nan)
    for row, (domain, x) in zip(matrix, images.items(), strict=True):
        gates = gate_statistics(model, domain, x)
        for i, name in enumerate(names):
            found = [
                g.mean[g.domains.index(name)] for g in gates
                if name in g.domains
            ]  # fmt: skip
            row[i] = np.sum(found) / len(gates) if found else np.nan
    return list(images), names, matrix


def _base(model, base):
    names = list(model)
    return require_domain(names[0] if base is None else base, names)


def _slot(model, domain):
    """`{path inside the slot: array}` with folded kernels, without the head."""
    return {
        path: np.asarray(keras.ops.convert_to_numpy(value), np.float64)
        for path, value in ordinary_values(model, domain).items()
        if not path.startswith("head/")
    }


def _kind(path):
    parts = path.split("/")
    if "depthwise" in parts:
        return "depthwise"
    if parts[-1].startswith("moving_"):
        return "statistics"
    return "norm" if parts[-1] in ("gamma", "beta") else "other"


def _groups(model, domain):
    """Names of layers: each convolution with the norms behind it."""
    groups = []
    for name, layer in model._mdl.slotted.items():
        if domain in layer.domains and name != "head":
            if isinstance(layer, SlottedConvolution) or not groups:
                groups.append([])
            groups[-1].append(name)
    return groups


@contextlib.contextmanager
def _put_back(own, others, paths):
    kept = {p: keras.ops.copy(own[p]) for p in paths}
    try:
        for path in paths:
            own[path].assign(keras.ops.copy(others[path]))
        yield
    finally:
        for path, value in kept.items():
            own[path].assign(value)
