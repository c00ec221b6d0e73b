"""Which kind of depthwise kernels each domain's slot has: plain, DO, gated."""

from keras_mdl.domains import require_domain
from keras_mdl.layers.slotted import unique_names

DEPTHWISE_KINDS = ("plain", "do")


def depthwise_by_domain(depthwise, domains):
    """`{domain: kind}` for all domains, from one kind or a dict.

    Raises:
        ValueError: For an unknown kind or domain.
    """
    kinds = (
        dict(depthwise)
        if isinstance(depthwise, dict)
        else dict.fromkeys(domains, depthwise)
    )
    for domain, kind in kinds.items():
        require_domain(domain, domains)
        if kind not in DEPTHWISE_KINDS:
            raise ValueError(
                f"`depthwise` must be one of {DEPTHWISE_KINDS}. "
                f"Received: depthwise={kind!r}"
            )
    return {domain: kinds.get(domain, "plain") for domain in domains}


def gates_by_domain(gates, depthwise):
    """`{domain: sorted other domains}` of the domains with a gate.

    Args:
        gates: `{domain: names of other domains}`.
        depthwise: `{domain: kind}` of all domains.

    Raises:
        ValueError: For an unknown domain, no or repeated other domains, or a
            domain that is over-parameterised.
    """
    for domain, others in gates.items():
        require_domain(domain, depthwise)
        if domain in unique_names(others):
            raise ValueError(
                f"A gate mixes the kernels of {domain!r} with those of OTHER "
                f"domains. Received: gates[{domain!r}]={list(others)}"
            )
        if depthwise[domain] != "plain":
            raise ValueError(
                "A gated domain has plain depthwise kernels. Received: "
                f"depthwise[{domain!r}]={depthwise[domain]!r}"
            )
    return {domain: tuple(sorted(others)) for domain, others in gates.items()}
