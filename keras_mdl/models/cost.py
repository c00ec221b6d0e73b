"""What one more domain costs, by one convention for every sharing method.

The convention, stated here once:

* **Private** is what may differ from the base when a method has trained: the
  variables that its phase trains. So much has to be kept for the domain
  beside trunk and base.
* **Shared** is what the domain reads and the base stores: the trunk, and
  *copies*. A slot also holds variables that a method does not train, such as
  the depthwise kernels under adapters or the BatchNorms of a classifier-only
  domain. They equal the base's bit for bit (`changed_copies` proves it) and
  are not counted as private. (A file of `save_domain` holds them all the
  same: it needs the trunk alone and no other domain.)
* **Bytes** are those of the parameters as stored: 4 for float32, and what a
  transform says of its own (`KernelTransform.stored_bits`): a mask of
  Piggyback is stored as 1 bit, a ternary one as 2, the factor of an
  over-parameterised kernel (DO-Conv) not at all.
* **BatchNorm statistics** (moving mean and variance) are stored and not
  trained. No published figure counts them; they are listed apart. They are
  private where the BatchNorm trains, copies where it does not.
* The **head** is listed apart: it depends on the number of classes alone.
* **MACs** are those of one image through the whole network of the domain.
  Where a method folds into ordinary kernels, those after folding are given
  too.
"""

import math
from dataclasses import dataclass

import keras

from keras_mdl.layers.transforms import KernelTransform, OwnKernel
from keras_mdl.models.editing import transformed
from keras_mdl.models.paths import by_path
from keras_mdl.models.summary import number_bytes

_STATISTICS = ("moving_mean", "moving_variance")


@dataclass(frozen=True)
class Cost:
    """What a domain costs beside its base; see the module's convention.

    Attributes:
        parameters: Private parameters, without the head.
        head: Parameters of the head.
        bits: Bits of `parameters`, as stored.
        head_bits: Bits of `head`.
        statistics: Private BatchNorm statistics (numbers).
        statistics_bits: Their bits.
        shared: Numbers that the domain reads and the base stores, statistics
            included.
        macs: Multiply-accumulates of one image, or `None` for open sizes.
        macs_folded: The same after folding; equal to `macs` where there is
            nothing to fold or it cannot be folded.
    """

    parameters: int
    head: int
    bits: int
    head_bits: int
    statistics: int
    statistics_bits: int
    shared: int
    macs: int | None
    macs_folded: int | None

    @property
    def parameters_with_head(self):
        """Private parameters, the head included."""
        return self.parameters + self.head

    @property
    def bytes(self):
        """Bytes of the private parameters, without the head."""
        return _whole_bytes(self.bits)

    @property
    def bytes_with_head(self):
        """The same, the head included."""
        return _whole_bytes(self.bits + self.head_bits)

    @property
    def statistics_bytes(self):
        """Bytes of the private BatchNorm statistics."""
        return _whole_bytes(self.statistics_bits)

    @property
    def stored_bytes(self):
        """All that must be kept beside trunk and base: the three together."""
        return _whole_bytes(self.bits + self.head_bits + self.statistics_bits)


def domain_cost(view):
    """The `Cost` of the domain of a view, in the phase that the view is in.

    Args:
        view: A `DomainModel` in the phase of its method, as `Method.start`
            returns it. (In a narrower phase less trains, and less would be
            counted.)

    Raises:
        ValueError: If the domain has gates: they hold copies of other
            domains' kernels, which this convention says nothing about.
    """
    model, domain = view._view.owner, view.domain
    if model._mdl.slots[domain].gates:
        raise ValueError(
            f"The domain {domain!r} has gates, whose copies of other domains' "
            "kernels are in `summary_by_domain` and not counted here. Expected "
            "a domain without gates"
        )
    count = dict.fromkeys(("body", "head", "statistics", "shared"), 0)
    bits = dict(count)
    for _, variable, kind, width in _stored(view):
        count[kind] += math.prod(variable.shape)
        bits[kind] += width * math.prod(variable.shape)
    macs, of_transforms = model._mdl.macs[domain]
    return Cost(
        parameters=count["body"],
        head=count["head"],
        bits=bits["body"],
        head_bits=bits["head"],
        statistics=count["statistics"],
        statistics_bits=bits["statistics"],
        shared=count["shared"] - _bypassed(model, domain, view),
        macs=macs,
        macs_folded=(
            macs - of_transforms
            if macs is not None and _folds(transformed(model, domain))
            else macs
        ),
    )


def changed_copies(view, base, base_domain=None):
    """Paths of the copies in a slot that are not the base's, bit for bit.

    They are what `domain_cost` does not count as private. An empty list is
    the proof that it need not.

    Args:
        view: As for `domain_cost`.
        base: The `MultiDomainModel` that the domain started from.
        base_domain: Name of the domain that it started from; default the
            base's first.
    """
    start = base.variables_by_path(base_domain or next(iter(base.domains)))
    values = {path.split("/", 2)[2]: v for path, v in start.items()}
    values.update(
        {p: v for p, v in base.variables_by_path().items() if _in_trunk(p)}
    )
    changed = []
    for path, variable, kind, _ in _stored(view):
        if kind == "shared":
            key = path if _in_trunk(path) else path.split("/", 2)[2]
            if key not in values or _bits(values[key]) != _bits(variable):
                changed.append(path)
    return changed


def _stored(view):
    """`(path, variable, kind, bits of a number)` of the domain's variables.

    Kinds: `"body"`, `"head"`, `"statistics"` (private) and `"shared"`.
    """
    trained = set(view.trainable_paths)
    for prefix, part in view._view.parts.items():
        own = by_path({prefix: part})
        trains = not trained.isdisjoint(own)
        for path, variable in own.items():
            name = path.rpartition("/")[2]
            width = 8 * number_bytes(variable.dtype)
            if isinstance(part, KernelTransform):
                stored = part.stored_bits(variable)
                width = width if stored is None else stored
            if not width:
                continue
            kind = "shared"
            if path in trained:
                head = not _in_trunk(path) and path.split("/")[2] == "head"
                kind = "head" if head else "body"
            elif name in _STATISTICS and trains:
                kind = "statistics"
            yield path, variable, kind, width


def _in_trunk(path):
    return path.startswith("trunk/")


def _bypassed(model, domain, view):
    """Numbers of trunk kernels that kernels of the domain's own replace."""
    trunk = {
        id(v)
        for p, v in model.variables_by_path().items()
        if _in_trunk(p) and p not in view.trainable_paths
    }
    return sum(
        math.prod(t.conv.kernel.shape)
        for t in transformed(model, domain)
        if isinstance(t.transform, OwnKernel) and id(t.conv.kernel) in trunk
    )


def _folds(found):
    try:
        for t in found:
            t.transform.fold(t.conv, t.alone)
    except ValueError:  # parallel adapters beside separable convolutions
        return False
    return True


def _whole_bytes(bits):
    return -(-bits // 8)


def _bits(variable):
    value = keras.ops.convert_to_numpy(variable)
    return value.dtype, value.shape, value.tobytes()
