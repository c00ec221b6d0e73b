"""`FreezePlan`: exactly which variables train in a phase, as a table."""

import fnmatch
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from keras_mdl.tables import format_table


@dataclass(frozen=True)
class FreezePlan:
    """An ordered table of rules: path pattern -> trained or frozen.

    Variables have paths such as

    ```
    trunk/block1_conv1/pointwise/kernel
    domains/dtd/block1_conv1/depthwise/kernel
    domains/dtd/block1_norm1/norm/gamma
    domains/dtd/head/head/bias
    ```

    that is `trunk` or `domains/<name>`, then layer, role and variable. The
    first rule that matches decides (`*` also spans slashes), and every
    variable must match one. `{domain}` in a pattern stands for the domain (or
    the domains) being trained.

    Args:
        phase: Name of the phase.
        rules: Pairs of (pattern, whether it trains).
        keep_statistics: Whether batch norms that train keep their running
            mean and variance, and normalise with them: gamma and beta alone
            train. (Of norms that do not train they always stay.)

    Example:

    >>> rules = [("domains/{domain}/*/bias", True), ("*", False)]
    >>> plan = FreezePlan("biases", rules)
    >>> plan.trains("domains/dtd/head/head/bias", ["dtd"])
    True
    """

    phase: str
    rules: tuple
    keep_statistics: bool = False

    def __post_init__(self):
        object.__setattr__(
            self, "rules", tuple((p, bool(t)) for p, t in self.rules)
        )

    def trains(self, path: str, domains: Sequence[str]) -> bool:
        """Whether the variable at `path` trains.

        Raises:
            ValueError: If no rule matches.
        """
        for pattern, trained in self.rules:
            for domain in domains:
                if fnmatch.fnmatchcase(
                    path, pattern.replace("{domain}", domain)
                ):
                    return trained
        raise ValueError(
            f"No rule of phase {self.phase!r} matches the variable {path!r}. "
            "Add a last rule ('*', True) or ('*', False). "
            f"Received: rules={list(self.rules)}"
        )

    def require_kept(self, parts: Mapping, trained: Iterable[str]) -> None:
        """Refuses norms that record statistics whatever they are told.

        Args:
            parts: `{path prefix: layer}`.
            trained: Paths of the variables that train.

        Raises:
            ValueError: With the norm, for a plan that keeps statistics.
        """
        for prefix, layer in parts.items():
            if (
                self.keep_statistics
                and hasattr(layer, "moving_mean")
                and not hasattr(layer, "keep_statistics")
                and any(p.startswith(f"{prefix}/") for p in trained)
            ):
                raise ValueError(
                    f"The norm {prefix!r} ({type(layer).__name__}) cannot keep "
                    "its statistics while it trains. Choose a phase without "
                    "`_kept`"
                )


_OWN = "domains/{domain}/"
_PLANS = {
    plan.phase: plan
    for plan in (
        # Stage 1 of the paper: the base domain, trunk included.
        FreezePlan(
            "base", [("trunk/*", True), (_OWN + "*", True), ("*", False)]
        ),
        # Stage 2 of the paper: a domain's own slot, the trunk stays as it is.
        FreezePlan("domain", [(_OWN + "*", True), ("*", False)]),
        # A linear classifier on frozen features (BatchNorm frozen too).
        FreezePlan("head", [(_OWN + "head/*", True), ("*", False)]),
        # The same with the domain's own BatchNorm adapted.
        FreezePlan(
            "head_and_norm",
            [(_OWN + "head/*", True), (_OWN + "*/norm/*", True), ("*", False)],
        ),
        # Soft sharing: the gates alone (the paper's text), or with the target's
        # BatchNorm, last pointwise and head (the released code).
        FreezePlan("gate", [(_OWN + "*/gate/*", True), ("*", False)]),
        FreezePlan(
            "gate_and_slot",
            [
                (_OWN + "*/depthwise/*", False),
                (_OWN + "*/depthwise_transform/*", False),
                (_OWN + "*", True),
                ("*", False),
            ],
        ),
        # Frozen convolutions and something beside or over them: adapters or
        # masks, with the domain's BatchNorms as they were, or trained too.
        FreezePlan(
            "adapter",
            [
                (_OWN + "head/*", True),
                (_OWN + "*/adapter/*", True),
                (_OWN + "*/depthwise_transform/*", True),
                ("*", False),
            ],
        ),
        FreezePlan(
            "adapter_and_norm",
            [
                (_OWN + "head/*", True),
                (_OWN + "*/adapter/*", True),
                (_OWN + "*/depthwise_transform/*", True),
                (_OWN + "*/norm/*", True),
                ("*", False),
            ],
        ),
        # Depthwise sharing: everything of the domain but depthwise kernels.
        FreezePlan(
            "pointwise",
            [
                (_OWN + "*/depthwise/*", False),
                (_OWN + "*/depthwise_transform/*", False),
                (_OWN + "*", True),
                ("*", False),
            ],
        ),
        FreezePlan("frozen", [("*", False)]),
    )
}
# What trains norms exists a second time, `<phase>_kept`: with the statistics
# that they have. Those of a trunk trained on a million photographs are better
# than what a few hundred images say.
PHASES = {
    **_PLANS,
    **{
        f"{phase}_kept": replace(
            plan, phase=f"{phase}_kept", keep_statistics=True
        )
        for phase, plan in _PLANS.items()
        if plan.trains("domains/any/any/norm/gamma", ["any"])
    },
}


def kept(phase):
    """The phase that trains the same and keeps the norms' statistics.

    A phase that trains no norms, or keeps their statistics, is its own.
    """
    return f"{phase}_kept" if f"{phase}_kept" in PHASES else phase


def get_plan(phase):
    """The plan of a phase by name; a `FreezePlan` is returned as it is.

    Raises:
        ValueError: If the name is unknown; the message lists those known.
    """
    if isinstance(phase, FreezePlan):
        return phase
    if phase not in PHASES:
        raise ValueError(
            f"Unknown phase: {phase!r}. Known phases: {', '.join(PHASES)}, or "
            "a `FreezePlan` of your own"
        )
    return PHASES[phase]


def format_plan(plan, domains, variables):
    """The plan applied to real variables, as a printable table.

    Args:
        plan: A `FreezePlan`.
        domains: Names of the domains being trained.
        variables: `{path: variable}`.
    """
    rows = {}
    for path, variable in variables.items():
        owner, role = _owner_and_role(path)
        trained = plan.trains(path, domains)
        row = rows.setdefault((owner, role, trained), [0, 0])
        row[0] += 1
        row[1] += math.prod(variable.shape)
    table = [("owner", "part", "tensors", "parameters", "state")]
    for (owner, role, trained), (tensors, parameters) in rows.items():
        state = "trains" if trained else "frozen"
        table.append((owner, role, tensors, f"{parameters:,}", state))
    heading = f"phase {plan.phase!r}, training {', '.join(domains)}"
    if plan.keep_statistics:
        heading += "; batch norms keep their running statistics"
    return f"{heading}\n{format_table(table, '<<>><')}"


def _owner_and_role(path):
    parts = path.split("/")
    head = 1 if parts[0] == "trunk" else 2
    return "/".join(parts[:head]), parts[head + 1]
