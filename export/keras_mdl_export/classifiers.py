"""`Classifiers`: the networks of an export by domain, and its router."""

from typing import NamedTuple

import numpy as np


class Route(NamedTuple):
    """Where an image belongs; as that of `keras_mdl.routing`.

    Attributes:
        domain: Name of the domain; `None`: none of these.
        nearest: Name that it is most like, rejected or not.
        margin: Its score there less the threshold; below 0 it is rejected.
    """

    domain: str | None
    nearest: str
    margin: float


class Classifiers(dict):
    """`Classifier` objects by the names of their domains.

    Attributes:
        router: The `Classifier` whose classes are what the router knows, and
            whose scores are its scores; `None` without one.
    """

    def __init__(self, networks, scores=()):
        self.router = networks.get("router") if scores else None
        self._thresholds = np.array([s["threshold"] for s in scores])
        super().__init__(
            {n: c for n, c in networks.items() if c is not self.router}
        )

    def __missing__(self, name):
        raise KeyError(
            f"Unknown domain: {name!r}. Known domains: "
            + ", ".join(map(repr, self))
        )

    def __repr__(self):
        return f"<Classifiers {list(self.values())}>"

    @property
    def networks(self):
        """All of them in a dict, the router's under its name."""
        more = {} if self.router is None else {self.router.name: self.router}
        return {**self, **more}

    def route(self, image):
        """The domain that an image is of: a `Route`.

        Args:
            image: As for a `Classifier`, one.

        Raises:
            ValueError: If the export has no router, or it is more than one.
        """
        (found, *more) = self.routes(image)
        if more:
            raise ValueError(
                "`route` expects one image. Received: "
                f"{len(more) + 1} images (`routes` takes several)"
            )
        return found

    def routes(self, images):
        """A `Route` for each of some images; see `route`."""
        if self.router is None:
            raise ValueError(
                "This export has no router: `keras-mdl route` makes one and "
                "`keras-mdl export --router` exports it"
            )
        scores, found = self.router(images), []
        for row in scores:
            best = int(row.argmax())
            name = self.router.classes[best]
            margin = float(row[best] - self._thresholds[best])
            taken = margin >= 0 and name in self
            found.append(Route(name if taken else None, name, margin))
        return found
