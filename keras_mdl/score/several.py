"""The decathlon's score for any set of domains with references of its own."""

import math

from keras_mdl.score.result import DomainScore, Score


def score_over_domains(accuracies, references, title=None):
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
    accuracies = checked_fractions(accuracies, "An accuracy")
    references = checked_fractions(references, "A reference")
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
            f"Known references: {', '.join(references) or 'none'}"
        )
    count = len(accuracies)
    return Score(
        tuple(
            DomainScore(name, value, references[name])
            for name, value in accuracies.items()
        ),
        title or f"S over {count} domain{'s' if count > 1 else ''}",
    )


def checked_fractions(values, what):
    """A mapping from names to floats in [0, 1]; percent are refused.

    Args:
        values: Mapping from domain names to numbers.
        what: The quantity in error messages, with its article.
    """
    if not hasattr(values, "items"):
        raise TypeError(
            f"{what} belongs to a domain: expected a mapping from names to "
            "fractions. "
            f"Received: {values!r}"
        )
    found = {}
    for name, value in values.items():
        number = _as_float(value)
        if not 0 <= number <= 1:  # written so that NaN fails as well
            hint = (
                " It looks like percent: divide by 100." if number > 1 else ""
            )
            raise ValueError(
                f"{what} is a fraction in [0, 1].{hint} "
                f"Received: {name}={value!r}"
            )
        found[name] = number
    if not found:
        raise ValueError("At least one domain is needed. Received: none")
    return found


def _as_float(value):
    if isinstance(value, (str, bytes, bool)):
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan
