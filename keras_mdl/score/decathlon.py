"""The Visual Decathlon score of ten accuracies.

Recomputed from printed accuracies the published totals come out within their
rounding, with these slips to know of, the first three in Guo et al. (AAAI
2019):

* Table 2, classifier only: printed S 2446; its accuracies give 2456.9, and no
  rounding of them gives less than 2454.
* Table 2, DAN: DTD is printed as 56.64; everywhere else it is 56.54, which
  also fits the printed mean 77.01 (and nearly the printed S 2851).
* Table 3, late gates: printed mean 77.88; its accuracies give 77.35. The
  printed S is right.
* Frozen features, in the tables of several papers: printed S 544; the
  accuracies give 545.4, at least 545.2.
"""

from keras_mdl.score.reference import (
    KEYS,
    REFERENCE,
    by_key,
    missing_domains,
)
from keras_mdl.score.several import checked_fractions, score_over_domains


def decathlon_score(accuracies, partial=False):
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
    if not hasattr(accuracies, "items"):
        raise TypeError(
            "Expected a mapping from decathlon domains to accuracies. "
            f"Received: {accuracies!r}"
        )
    # What the numbers are comes first: in percent, none is missing.
    accuracies = by_key(checked_fractions(accuracies, "An accuracy"))
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
