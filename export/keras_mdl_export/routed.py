"""`Routed`: a router on its way into an export."""

import numpy as np

from keras_mdl_export import sharing
from keras_mdl_export.finishing import finish
from keras_mdl_export.manifest_schema import ROUTER
from keras_mdl_export.modes import get_mode
from keras_mdl_export.prepared import ordinary
from keras_mdl_export.trunk import quantized
from keras_mdl_export.verification import Verification, require_sound


def check_router(router, model, domains):
    """Refuses a router that cannot be exported.

    Args:
        router: A `keras_mdl.routing.Router`.
        model: The whole model that it was fitted on.
        domains: Names of those that are exported.

    Raises:
        ValueError: For another model, a domain that the router does not
            know, or one of its own name.
    """
    router.require(model)
    if ROUTER in (name.lower() for name in domains):
        raise ValueError(
            f"A domain called {ROUTER!r} cannot be exported with a router"
        )
    if missing := [name for name in domains if name not in router.domains]:
        raise ValueError(
            "The router must know every domain that is exported; it knows "
            f"{', '.join(router.domains)}. Missing: {', '.join(missing)} (add "
            "them with `keras-mdl route --router`, or `with_domains`)"
        )


class Routed:
    """A router, what it is converted from, and what became of it.

    Args:
        router: A `keras_mdl.routing.Router`.
        model: The model that it was fitted on.
        domains: Names of those that are exported.
        mode: A `Mode`.

    Attributes:
        base: The model that is converted: its base alone.
        tree: The finished file, a `schema.ModelT`.
        shared: Stored kernels of the trunk that are in it.
        entry: What the manifest says of it, besides its files.
    """

    def __init__(self, router, model, domains, mode):
        self.router, self._model, self._domains = router, model, domains
        self._mode = mode
        self.base = ordinary(model.only_domain(router.base))
        self.entry = {
            "layer": f"{router.layer} of {router.base}",
            "rejected": router.rejected,
            "scores": [
                {"name": name, "threshold": found.threshold}
                for name, found in router.domains.items()
            ],
        }

    def finish(self, content, kernels, trunk):
        """The converted file as it is shipped; see `finishing.finish`.

        All that is not the trunk's stays in float: a distance does not bear
        int8.
        """
        mode = self._mode
        if mode.int8_activations:
            mode = get_mode("dyn_conv")
        self.tree = finish(
            content, mode, kernels, "logits", trunk, only_trunk=True
        )
        found = sharing.sharing_of(ROUTER, self.tree, trunk)
        self.shared = [k for n, k in trunk.items() if n not in found.unshared]
        require_sound(ROUTER, self.tree, sum(k.nbytes for k in self.shared))

    def verified(self, images, outputs):
        """A `Verification` of where images are sent, of what domain they are.

        Args:
            images: `{domain: (images, labels)}`.
            outputs: `(n, scores)` of the file, on all of them in a row.
        """
        pixels = np.concatenate([x for x, _ in images.values()])
        router, domains = self.router, self._domains
        scores = router.scores(self._model, pixels)
        at_grid = router.scores_of(router.features(self.base, pixels))
        right = [name for name, (x, _) in images.items() for _ in x]
        keras, grid, found = (
            [router.decided(row, domains).domain for row in rows]
            for rows in (scores, at_grid, outputs)
        )

        def part(a, b):
            return float(np.mean([x == y for x, y in zip(a, b, strict=True)]))

        error = outputs.astype(np.float64) - scores
        noise = float((error**2).sum())
        return Verification(
            images=len(found),
            max_error=float(np.abs(error).max()),
            snr_db=float(10 * np.log10((scores**2).sum() / noise))
            if noise
            else None,
            agreement=part(keras, found),
            accuracy_keras=part(keras, right),
            accuracy_quantized=part(grid, right),
            accuracy=part(found, right),
        )


def routed_of(router, model, exported, converted, mode):
    """The `Routed` of an export; `None` without a router.

    Args:
        router: A `keras_mdl.routing.Router`, or `None`.
        model: The model that it was fitted on.
        exported: The model of the domains that are exported.
        converted: The same as it is converted: its trunk is taken.
        mode: A `Mode`.
    """
    if router is None:
        return None
    found = Routed(router, model, list(exported), mode)
    if mode.kernels == "int8":
        found.base = quantized(found.base)
    values = converted.variables_by_path()
    for path, variable in found.base.variables_by_path().items():
        if path.startswith("trunk/") and path in values:
            variable.assign(values[path])
    return found
