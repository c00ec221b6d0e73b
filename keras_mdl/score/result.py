"""`Score`: what a set of accuracies earns, domain by domain.

    S = sum over d of  1000 E_max_d^(-2) max(0, E_max_d - E_d)^2

with the error `E = 1 - accuracy` and `E_max = 2 (1 - reference)` (Rebuffi,
Bilen, Vedaldi, NIPS 2017, section 4). No error earns 1000 points, the
reference 250, twice its error nothing.
"""

import math
from dataclasses import dataclass

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
    def e_max(self):
        """Error (a fraction) from which on there are no points."""
        return 2 * (1 - self.reference)

    @property
    def points(self):
        """0 to 1000; 250 at the reference."""
        return PERFECT * self._margin**GAMMA

    @property
    def sensitivity(self):
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
    def total(self):
        """S: the sum of the domains' points."""
        return math.fsum(d.points for d in self.domains)

    @property
    def mean_points(self):
        """S per domain: comparable between sets of different size."""
        return self.total / len(self.domains)

    @property
    def mean_accuracy(self):
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

    def to_dict(self):
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
        heading = ("accuracy %", "reference %", "points", "per % more")
        width = max(len("domain"), *(len(d.name) for d in self.domains))
        lines = [f"{'domain':{width}}" + "".join(f"{h:>13}" for h in heading)]
        lines.append("-" * len(lines[0]))
        for d in self.domains:
            lines.append(
                f"{d.name:{width}}{100 * d.accuracy:13.2f}"
                f"{100 * d.reference:13.2f}{d.points:13.1f}"
                f"{d.sensitivity:13.1f}"
            )
        most = PERFECT * len(self.domains)
        lines.append(
            f"\n{self.title}: {self.total:.2f} of {most:.0f} points\n"
            f"per domain: {self.mean_points:.2f} of {PERFECT:.0f}, mean "
            f"accuracy {100 * self.mean_accuracy:.2f} %"
        )
        return "\n".join(lines)
