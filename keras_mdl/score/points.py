"""What accuracies earn: the decathlon's score, and S over any domains.

    S = sum over d of  1000 E_max_d^(-2) max(0, E_max_d - E_d)^2

with the error `E = 1 - accuracy` and `E_max = 2 (1 - reference)` (Rebuffi,
Bilen, Vedaldi, NIPS 2017, section 4). No error earns 1000 points, the
reference 250, twice its error nothing.

Published totals come out of the printed accuracies within their rounding, but
for four slips in the tables.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from keras_mdl.score.reference import KEYS, REFERENCE, by_key, missing_domains
from keras_mdl.tables import format_table

#: Points of a domain without an error.
PERFECT = 1000.0
#: The exponent: what is gained near perfection counts more.
GAMMA = 2


@dataclass(frozen=True)
class DomainScore:
    """Accuracy and points of one domain.

    Args:
        name: Of the domain.
        accuracy: Fraction in [0, 1].
        reference: The accuracy that earns 250 points, in [0, 1).
    """

    name: str
    accuracy: float
    reference: float

    @property
    def e_max(self) -> float:
        """Error (a fraction) from which on there are no points."""
        return 2 * (1 - self.reference)

    @property
    def points(self) -> float:
        """0 to 1000; 250 at the reference."""
        return PERFECT * self._margin**GAMMA

    @property
    def sensitivity(self) -> float:
        """Points gained per percentage point of accuracy, at this accuracy.

        `dS/d(accuracy) / 100 = 10 gamma margin^(gamma-1) / E_max`, with
        `margin = max(0, 1 - E / E_max)`.
        """
        slope = PERFECT * GAMMA * self._margin ** (GAMMA - 1) / self.e_max
        return slope / 100

    @property
    def _margin(self):
        """How far the error lies below `e_max`, as a part of it."""
        return max(0.0, 1 - (1 - self.accuracy) / self.e_max)


@dataclass(frozen=True)
class Score:
    """The score of several domains; `print` it for a table.

    Args:
        domains: Tuple of `DomainScore`.
        title: What the total is called in the table.
    """

    domains: tuple
    title: str = "S"

    @property
    def total(self) -> float:
        """S: the sum of the domains' points."""
        return math.fsum(d.points for d in self.domains)

    @property
    def mean_points(self) -> float:
        """S per domain: comparable between sets of different size."""
        return self.total / len(self.domains)

    @property
    def mean_accuracy(self) -> float:
        """Mean accuracy (a fraction) over the domains."""
        return math.fsum(d.accuracy for d in self.domains) / len(self.domains)

    def __getitem__(self, name):
        """The `DomainScore` of one domain."""
        for domain in self.domains:
            if domain.name == name:
                return domain
        raise KeyError(
            f"No domain {name!r}. Known domains: "
            f"{', '.join(d.name for d in self.domains)}"
        )

    def to_dict(self) -> dict:
        """Plain values, unrounded."""
        return {
            "title": self.title,
            "total": self.total,
            "mean_points": self.mean_points,
            "mean_accuracy": self.mean_accuracy,
            "domains": [
                {
                    "domain": d.name,
                    "accuracy": d.accuracy,
                    "reference": d.reference,
                    "e_max": d.e_max,
                    "points": d.points,
                    "points_per_percent": d.sensitivity,
                }
                for d in self.domains
            ],
        }

    def __str__(self):
        rows = [["domain", "accuracy %", "reference %", "points", "per % more"]]
        for d in self.domains:
            percent = (f"{100 * x:.2f}" for x in (d.accuracy, d.reference))
            rows.append(
                [d.name, *percent, f"{d.points:.1f}", f"{d.sensitivity:.1f}"]
            )
        return (
            f"{format_table(rows)}\n\n{self.title}: {self.total:.2f} of "
            f"{PERFECT * len(self.domains):.0f} points\n"
            f"per domain: {self.mean_points:.2f} of {PERFECT:.0f}, mean "
            f"accuracy {100 * self.mean_accuracy:.2f} %"
        )


def decathlon_score(accuracies: Mapping, partial: bool = False) -> Score:
    """The score S of the Visual Decathlon, at most 10,000.

    Args:
        accuracies: Mapping from the ten domains to accuracies, fractions in
            [0, 1]. Names are the challenge's keys (`"vgg-flowers"`) or those
            of the papers' tables (`"Flwr"`).
        partial: Whether domains may be missing. The result is then a sum
            over fewer domains and says so; it compares with no published S.

    Returns:
        A `Score`, domains in the challenge's order.

    Raises:
        ValueError: For unknown or missing domains, or percent.

    Example:

    >>> round(decathlon_score(REFERENCE).total, 1)
    2500.0
    """
    # What the numbers are comes first: in percent, none is missing.
    accuracies = by_key(_checked(accuracies, "An accuracy").items())
    missing = missing_domains(accuracies)
    if missing and not partial:
        raise ValueError(
            "The decathlon score needs all ten domains (with --partial, in "
            "Python `partial=True`, it sums over fewer). "
            f"Missing: {', '.join(missing)}. "
            f"Known domains: {', '.join(KEYS)}"
        )
    title = "Visual Decathlon score S"
    if missing:
        title = (
            f"S over {len(accuracies)} of the 10 decathlon domains (not "
            "comparable with published scores)"
        )
    references = {key: REFERENCE[key] for key in accuracies}
    return score_over_domains(accuracies, references, title)


def score_over_domains(
    accuracies: Mapping, references: Mapping, title: str | None = None
) -> Score:
    """S over D domains: the decathlon's formula with your own references.

    It is not the Visual Decathlon score. Compare totals only over the same
    domains and references; `Score.mean_points` (0 to 1000, 250 for the
    references) is for sets of different size.

    Args:
        accuracies: Mapping from domain names to accuracies, fractions in
            [0, 1].
        references: Mapping from the same names to the accuracies that earn
            250 points, in [0, 1): for example those of networks trained for
            each domain alone. Below 0.5 an accuracy of 0 earns points too,
            because no error reaches `E_max = 2 (1 - reference)`.
        title: What the total is called; default `S over D domains`.

    Returns:
        A `Score`.

    Raises:
        ValueError: For percent instead of fractions, no domains, or a domain
            without a reference.

    Example:

    >>> score = score_over_domains({"signs": 0.9}, {"signs": 0.8})
    >>> round(score.total, 1)
    562.5
    """
    accuracies = _checked(accuracies, "An accuracy")
    references = _checked(references, "A reference")
    for name, value in references.items():
        if value == 1:
            raise ValueError(
                "A reference accuracy must be below 1: there would be no "
                f"error to halve. Received: {name}={value}"
            )
    missing = [name for name in accuracies if name not in references]
    unused = [name for name in references if name not in accuracies]
    if missing or unused:
        raise ValueError(
            "Every domain needs an accuracy and a reference. Received: "
            f"without reference {missing}, without accuracy {unused}. "
            f"Known references: {', '.join(references)}"
        )
    count = len(accuracies)
    return Score(
        tuple(
            DomainScore(name, value, references[name])
            for name, value in accuracies.items()
        ),
        title or f"S over {count} domain{'s' if count > 1 else ''}",
    )


def _checked(values, what):
    """A mapping from names to floats in [0, 1]; percent are refused."""
    if not isinstance(values, Mapping):
        raise TypeError(
            f"{what} belongs to a domain: expected a mapping from names of "
            f"domains to fractions. Received: {values!r}"
        )
    if not values:
        raise ValueError("At least one domain is needed. Received: none")
    found = {}
    for name, value in values.items():
        found[name] = number = _as_float(value)
        if not 0 <= number <= 1:  # written so that NaN fails as well
            hint = " It looks like percent: divide by 100." * (number > 1)
            raise ValueError(
                f"{what} is a fraction in [0, 1].{hint} "
                f"Received: {name}={value!r}"
            )
    return found


def _as_float(value):
    """NaN for what is no number, and for what only looks like one."""
    if isinstance(value, (str, bytes, bool)):
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan
