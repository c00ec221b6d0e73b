"""`Contents`: everything that a report shows, as plain values."""

from dataclasses import dataclass

import numpy as np


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
    def right(self):
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
    def further(self):
        """Names of the domains that were added to the base."""
        return [d.name for d in self.domains if d.name != self.base]

    def accuracy(self, domain, method):
        """Validation accuracy of a method on a domain, or `None`."""
        for row in self.metrics:
            key = (row["step"], row["domain"], row["method"], row["split"])
            if key == ("trained", domain, method, "validation"):
                return row["accuracy"]
        return None

    def numbers(self, owner):
        """The row of `parameters` of the trunk or a domain."""
        return next(r for r in self.parameters if r["owner"] == owner)

    @property
    def isolated(self):
        """Whether no step changed what it must not change."""
        allowed = ("new", "trained", "unchanged")
        return all(
            state in allowed
            for row in self.isolation
            for state in row["states"].values()
        )
