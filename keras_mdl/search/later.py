"""`search_further`: a path for a domain that comes later."""

from typing import Any

import keras

from keras_mdl.models.backbones.multi_path import path_options, paths_of
from keras_mdl.search.found import FoundPaths
from keras_mdl.search.searching import Search, SearchPlan
from keras_mdl.search.space import SearchSpace


def search_further(
    model: keras.Model,
    space: SearchSpace,
    domain: str,
    training: Any,
    held_out: Any,
    plan: SearchPlan,
    **options,
) -> FoundPaths:
    """Finds a path for one more domain beside a model's shared blocks.

    A controller chooses among the trunk's blocks, as they are, and new ones
    of the domain's own. With the cost `"union_bytes"` it pays for the new
    ones alone. Blocks that belong to one other domain are no candidates: that
    domain may train them on, so nobody else can depend on them. No published
    method has this.

    Args:
        model: A `MultiDomainModel` of `build_multi_path`; it is left as it
            is.
        space: `SearchSpace`; that of the first search, or one around it.
        domain: The new `Domain`.
        training, held_out: As `Search` takes them for one domain.
        plan: `SearchPlan`.
        **options: Of `Search.run`.

    Returns:
        `(wider, found)`: the model with the new domain, untrained, all others
        bit-identical (train `wider.for_domain(name, "domain")`); and the
        `FoundPaths` of the domain.

    Raises:
        ValueError: As `Search`; or if the model has no shared block, or the
            domain already.
    """
    if domain.name in model:
        raise ValueError(f"The model has a domain {domain.name!r} already")
    shared = model.get_config()["backbone_config"]["shared"]
    known = {b.name: b for path in paths_of(model).values() for b in path}
    existing = [known[name] for name in shared if name in known]
    if not existing:
        raise ValueError(
            "The model has no shared block that a further domain could use: "
            "its domains have paths of their own"
        )
    search = Search(
        space,
        [domain],
        {domain.name: (training, held_out)},
        plan,
        existing,
        model.variables_by_path(),
    )
    found = search.run(**options)
    wider = model.with_domain(
        domain, options=path_options(found.paths[domain.name])
    )
    return wider, found
