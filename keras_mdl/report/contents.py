"""`Contents`: everything that a report shows, as plain values."""

from dataclasses import dataclass

import numpy as np

_ORDER = ("classifier_only", "pointwise_sharing", "individual")


@dataclass(frozen=True)
class DomainFacts:
    """A domain as the report introduces it.

    Attributes:
        name: Its name.
        classes: Number of classes.
        train: Number of training images.
        validation: Number of validation images.
        provenance: Where the images come from.
    """

    name: str
    classes: int
    train: int
    validation: int
    provenance: str


@dataclass(frozen=True)
class Sample:
    """One validation image with what the network says about it."""

    image: np.ndarray
    predicted: str
    label: str

    @property
    def right(self) -> bool:
        """Whether the prediction is the label."""
        return self.predicted == self.label


@dataclass(frozen=True)
class Contents:
    """What a report shows.

    Attributes:
        title: Headline of the page.
        base: Name of the base domain.
        domains: `DomainFacts`, the base first.
        metrics: Rows of `metrics.csv`, as dicts.
        history: Rows of `history.csv`, as dicts.
        isolation: Rows of an `IsolationTable`, as dicts.
        parameters: Rows of `MultiDomainModel.summary_by_domain`, as dicts.
        samples: `{domain: [Sample, ...]}`.
        soft_sharing: `SoftSharing.to_dict()`, or `None`.
        export: `ExportReport.to_dict()`, or `None`.
        settings: `{name: value}`.
        environment: `{name: value}`.
        command: How to make the same run again.
    """

    title: str
    base: str
    domains: list
    metrics: list
    history: list
    isolation: list
    parameters: list
    samples: dict
    settings: dict
    environment: dict
    command: str
    soft_sharing: dict | None = None
    export: dict | None = None

    @property
    def further(self) -> list[str]:
        """Names of the domains that were added to the base."""
        return [d.name for d in self.domains if d.name != self.base]

    @property
    def methods(self) -> list[str]:
        """The compared methods, from least to most private capacity."""
        found = dict.fromkeys(r["method"] for r in self.metrics)
        found.pop("base", None)
        known = [m for m in _ORDER if m in found]
        return known + [m for m in found if m not in known]

    def accuracy(self, domain: str, method: str) -> float | None:
        """Validation accuracy of a method on a domain, or `None`.

        The base's own training is what the shared network has of it.
        """
        if (domain, method) == (self.base, "pointwise_sharing"):
            method = "base"
        for row in self.metrics:
            key = (row["step"], row["domain"], row["method"], row["split"])
            if key == ("trained", domain, method, "validation"):
                return row["accuracy"]
        return None

    def mean_accuracy(self, method: str) -> float | None:
        """Over the added domains that have it, or `None`."""
        found = [self.accuracy(d, method) for d in self.further]
        found = [a for a in found if a is not None]
        return sum(found) / len(found) if found else None

    def costs(self, owner: str) -> dict:
        """The row of `parameters` of the trunk or a domain."""
        return next(r for r in self.parameters if r["owner"] == owner)

    @property
    def totals(self) -> tuple[int, int]:
        """Parameters of one shared network, and of as many separate ones."""
        trunk = self.costs("trunk")["parameters"]
        slots = [self.costs(d.name)["parameters"] for d in self.domains]
        return trunk + sum(slots), trunk * len(slots) + sum(slots)

    @property
    def isolated(self) -> bool:
        """Whether no step changed what it must not change."""
        return all(
            state in ("new", "trained", "restored", "unchanged")
            for row in self.isolation
            for state in row["states"].values()
        )
