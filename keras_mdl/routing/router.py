"""`Router`: which of my domains is this image, or none of them?"""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import keras
import numpy as np

from keras_mdl.domains import domain_name, require_domain
from keras_mdl.routing import router_file
from keras_mdl.routing.features import default_layer, features, layers_of
from keras_mdl.routing.normal import Normal

LEAST_IMAGES = 50  # of a domain: below, a threshold means nothing


class Route(NamedTuple):
    """Where an image belongs.

    Attributes:
        domain: Name of the domain; `None`: none of these.
        nearest: Name of the domain that it is most like, rejected or not.
        margin: Its score there less the threshold; below 0 it is rejected.
    """

    domain: str | None
    nearest: str
    margin: float


@dataclass(frozen=True, eq=False)
class Router:
    """Says which domain an image is of, or that it is of none.

    The network of one fixed domain, the base, looks at the image, no further
    than to one layer in the middle: means of its channels, scaled to length
    1. There every domain is a normal distribution of its own images alone, so
    a domain that is added or removed leaves all numbers of the others as they
    are. An image goes to the domain where its density is highest, and to none
    if it is lower than that of nearly all of the domain's own images.

    The model is only read. A router belongs to the weights of the base that
    it was fitted on, and refuses others.

    Attributes:
        base: Domain whose network looks at the images.
        layer: Name of the layer, an endpoint of the base's view.
        digests: `{"trunk": ..., "domains/<base>": ...}` of the model.
        rejected: Part of a domain's own images that is taken for none.
        domains: `{name: Normal}`. What is nearest to a name that the model
            does not have belongs to none: images of other things.

    Reference: Goswami, Liu, Twardowski, van de Weijer, "FeCAM", NeurIPS 2023
    (a shrunk normal distribution per class over a network that stays); Lee,
    Lee, Lee, Shin, NeurIPS 2018 (its density to reject by); Mueller and Hein,
    "Mahalanobis++", ICML 2025 (features of length 1). Deviations: a class is
    a whole domain, its layer one of the middle, its threshold its own.
    """

    base: str
    layer: str
    digests: dict
    rejected: float
    domains: dict

    @classmethod
    def fit(
        cls,
        model: keras.Model,
        images: Mapping[str, np.ndarray],
        others: Mapping[str, np.ndarray] | None = None,
        base: str | None = None,
        layer: str | None = None,
        rejected: float = 0.05,
    ) -> "Router":
        """A router for domains of a model, which it leaves bit-identical.

        Args:
            model: A `MultiDomainModel`.
            images: `{domain: (n, height, width, 3)}`, pixels in [0, 255],
                of the network's size: training images of each domain.
            others: The same of names that are no domains: of what shall be
                none. It helps where they are like what will come.
            base: Domain whose network looks; default the first.
            layer: Endpoint with maps; default see `default_layer`.
            rejected: Part of its own images that a domain may reject.

        Raises:
            ValueError: For unknown names, other names that are domains, or
                fewer than 50 images of one.
        """
        base = require_domain(base or next(iter(model)), list(model))
        view = model.for_domain(base, phase="frozen")
        known = layers_of(view)
        layer = layer or default_layer(view)
        if layer not in known:
            raise ValueError(
                f"`layer` must be a layer with maps of {base!r}: "
                f"{', '.join(known)}. Received: layer={layer!r}"
            )
        if not 0 < rejected < 1:
            raise ValueError(
                f"`rejected` must be in (0, 1). Received: {rejected}"
            )
        router = cls(base, layer, _digests(model, base), rejected, {})
        return router.with_domains(model, images, others)

    def with_domains(
        self,
        model: keras.Model,
        images: Mapping[str, np.ndarray],
        others: Mapping[str, np.ndarray] | None = None,
    ) -> "Router":
        """The router with further domains, or known ones fitted anew.

        Every other domain's numbers stay bit-identical. Arguments and errors
        are as for `fit`.
        """
        others = others or {}
        for name in images:
            require_domain(name, list(model))
        for name in others:
            if name in model or domain_name(name) != name:
                raise ValueError(
                    "`others` are images of no domain, under a plain name "
                    f"that no domain has. Received: {name!r}"
                )
        everything = {**images, **others}
        require_images({name: len(x) for name, x in everything.items()})
        self.require(model)
        found = {
            name: Normal.fit(self.features(model, x), self.rejected)
            for name, x in everything.items()
        }
        return dataclasses.replace(self, domains={**self.domains, **found})

    def without_domain(self, name: str) -> "Router":
        """The router without one, the others' numbers bit-identical.

        Raises:
            ValueError: If the name is unknown.
        """
        require_domain(name, self.domains)
        rest = {n: d for n, d in self.domains.items() if n != name}
        return dataclasses.replace(self, domains=rest)

    def require(self, model: keras.Model) -> None:
        """Refuses a model with other weights.

        Raises:
            ValueError: With both fingerprints.
        """
        require_domain(self.base, list(model))
        found = _digests(model, self.base)
        for owner, digest in self.digests.items():
            if found[owner] != digest:
                raise ValueError(
                    f"The router was fitted on another network: {owner} has "
                    f"the fingerprint {found[owner][:16]}... here, expected: "
                    f"{digest[:16]}... Fit one on this model"
                )

    def features(self, model: keras.Model, images: np.ndarray) -> np.ndarray:
        """`(n, c)`: what the base's network sees of images."""
        view = model.for_domain(self.base, phase="frozen")
        return features(view, self.layer, images)

    def scores(self, model: keras.Model, images: np.ndarray) -> np.ndarray:
        """`(n, domains)`: the logarithms of densities; see `Normal`."""
        self.require(model)
        return self.scores_of(self.features(model, images))

    def scores_of(self, z: np.ndarray) -> np.ndarray:
        """`scores` of features."""
        return np.stack([d.scores(z) for d in self.domains.values()], axis=1)

    def route(self, model: keras.Model, images: np.ndarray) -> list[Route]:
        """A `Route` for each of some images.

        Args:
            model: The model that the router was fitted on, with whatever
                domains it has by now.
            images: `(n, height, width, 3)`, pixels in [0, 255].

        Raises:
            ValueError: For a model of other weights.
        """
        return [
            self.decided(row, list(model)) for row in self.scores(model, images)
        ]

    def decided(self, scores: np.ndarray, domains: Sequence[str]) -> Route:
        """The `Route` of one image.

        Args:
            scores: One for each of the router's domains.
            domains: Names of those that it can belong to.
        """
        best = int(np.argmax(scores))
        name = list(self.domains)[best]
        margin = float(scores[best] - self.domains[name].threshold)
        taken = margin >= 0 and name in domains
        return Route(name if taken else None, name, margin)

    def save(self, path: str | os.PathLike) -> None:
        """Writes the router, atomically (safetensors).

        Raises:
            FileNotFoundError: If the folder does not exist.
        """
        router_file.write(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike) -> "Router":
        """Reads what `save` wrote; nothing is unpickled.

        Raises:
            ValueError: If it is not a complete file of a router.
        """
        return cls(**router_file.read(path))


def require_images(counts: Mapping[str, int]) -> None:
    """Refuses domains with fewer images than a threshold can be read off.

    Raises:
        ValueError: With the name and the number, of `{name: number}`.
    """
    for name, count in counts.items():
        if count < LEAST_IMAGES:
            raise ValueError(
                f"A router needs {LEAST_IMAGES} images of each domain. "
                f"Received: {count} of {name!r}"
            )


def _digests(model, base):
    found = model.fingerprint()
    return {owner: found[owner] for owner in ("trunk", f"domains/{base}")}
