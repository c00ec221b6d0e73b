"""Rewards of a path, and the costs in them."""

from dataclasses import dataclass

from keras_mdl.models.backbones.path_block import path_macs

COSTS = ("macs", "parameters", "bytes", "union_bytes")
REWARDS = ("absolute", "soft", "hard", "accuracy")


def path_cost(kind, blocks, size, others=()):
    """What a path costs, without its classifier.

    Args:
        kind: One of `COSTS`: multiply-accumulates of an image; trainable
            parameters; bytes of an export; or bytes of an export that the
            paths of the other domains do not have already (norms count: they
            are the domain's own).
        blocks: `PathBlock`s.
        size: Side of the images.
        others: The paths of the other domains, for `"union_bytes"`.

    Raises:
        ValueError: For an unknown kind.
    """
    blocks = tuple(blocks)
    if kind == "macs":
        return path_macs(blocks, size)
    if kind == "parameters":
        return sum(b.kernels + b.norms for b in blocks)
    if kind == "bytes":
        return sum(b.exported_bytes for b in blocks)
    if kind == "union_bytes":
        there = {b for path in others for b in path}
        return sum(
            b.own_bytes if b in there else b.exported_bytes for b in blocks
        )
    raise ValueError(f"Unknown cost: {kind!r}. Known: {', '.join(COSTS)}")


@dataclass(frozen=True)
class Reward:
    """How accuracy and cost of a path become one number.

    With accuracy `A` (a part of 1), cost `T`, target `T0` and `beta < 0`:

    ```
    absolute   A + beta * |T / T0 - 1|
    soft       A * (T / T0) ^ beta
    hard       A * min((T / T0) ^ beta, 1)
    accuracy   A
    ```

    Args:
        kind: One of `REWARDS`.
        cost: One of `COSTS`.
        target: `T0`, in units of the cost; not needed for `"accuracy"`.
        beta: Published for `absolute`: -0.1.

    Raises:
        ValueError: For unknown names, a target or `beta` that cannot be.

    Reference: absolute: TuNAS (Bender et al., CVPR 2020); soft and hard:
    MnasNet (Tan et al., CVPR 2019). Which of them MPNAS has, and with which
    cost, is not published.
    """

    kind: str = "absolute"
    cost: str = "macs"
    target: float | None = None
    beta: float = -0.1

    def __post_init__(self):
        if self.kind not in REWARDS:
            raise ValueError(
                f"Unknown reward: {self.kind!r}. Known: {', '.join(REWARDS)}"
            )
        path_cost(self.cost, (), 1)
        if self.kind == "accuracy":
            return
        if not self.target or not self.target > 0:
            raise ValueError(
                f"The reward {self.kind!r} needs a `target` above 0 for its "
                f"cost, {self.cost!r}. Received: target={self.target!r}"
            )
        if not self.beta < 0:
            raise ValueError(
                f"`beta` must be below 0. Received: beta={self.beta!r}"
            )

    def __call__(self, accuracy, cost):
        """The reward of one path."""
        if self.kind == "accuracy":
            return accuracy
        ratio = cost / self.target
        if self.kind == "absolute":
            return accuracy + self.beta * abs(ratio - 1)
        # A path that adds nothing is as good as one that adds next to nothing.
        factor = max(ratio, 1e-3) ** self.beta
        return accuracy * (min(factor, 1.0) if self.kind == "hard" else factor)

    def require_reachable(self, space):
        """Refuses a target that no path of a space can meet.

        Raises:
            ValueError: With the least and the largest cost.
        """
        if self.kind == "accuracy":
            return
        low, high = (
            path_cost(self.cost, space.blocks(choices), space.size)
            for choices in (_extreme(space, 0), _extreme(space, -1))
        )
        if self.cost == "union_bytes":
            low = 0  # all of it may be there already
        if not low <= self.target <= high:
            raise ValueError(
                f"No path of the space costs `target` {self.cost}: they cost "
                f"{low:,} to {high:,}. Received: target={self.target:,}"
            )


def _extreme(space, end):
    def index(d):
        values = sorted(d.choices)
        return d.choices.index(values[end])

    return tuple(index(d) for d in space.decisions)
