"""`IsolationTable`: who changed in which step, from digests of the weights."""

from dataclasses import dataclass

from keras_mdl.tables import format_table

NEW, TRAINED, UNCHANGED = "new", "trained", "unchanged"
RESTORED = "restored"
CHANGED, MISSING = "CHANGED", "MISSING"
_VIOLATIONS = (CHANGED, MISSING)


class IsolationError(RuntimeError):
    """A part of the network changed in a step that must not touch it."""


@dataclass(frozen=True)
class IsolationRow:
    """The network after one step.

    Attributes:
        step: What was done.
        digests: `{part: SHA-256}`, as `MultiDomainModel.fingerprint` has it.
        states: `{part: state}` relative to the row before: `"new"`,
            `"trained"` (was allowed to change), `"restored"` (likewise, to
            what it was in an earlier row), `"unchanged"`, `"CHANGED"`
            (was not), `"MISSING"`.
    """

    step: str
    digests: dict
    states: dict

    @property
    def isolated(self):
        """Whether nothing changed that was not allowed to."""
        return not any(s in _VIOLATIONS for s in self.states.values())


class IsolationTable:
    """Rows are steps, columns the trunk and the domains.

    Equal digests mean bit-identical weights and BatchNorm statistics.
    """

    def __init__(self):
        self.rows = []

    def record(self, step, fingerprint, trained=(), removed=()):
        """Adds the state after a step.

        Args:
            step: What was done, for people to read.
            fingerprint: `MultiDomainModel.fingerprint()`.
            trained: Parts that the step may change.
            removed: Parts that the step takes away.

        Returns:
            The `IsolationRow`.

        Raises:
            IsolationError: If another part changed or is missing. The row is
                recorded nevertheless.
        """
        before = self.rows[-1].digests if self.rows else {}
        states = {
            part: self._state(part, digest, before, trained)
            for part, digest in fingerprint.items()
        }
        for part in before:
            if part not in fingerprint and part not in removed:
                states[part] = MISSING
        row = IsolationRow(step, dict(fingerprint), states)
        self.rows.append(row)
        if not row.isolated:
            wrong = [p for p, s in states.items() if s in _VIOLATIONS]
            raise IsolationError(
                f"After {step!r} these parts must be bit-identical and are "
                f"not: {', '.join(wrong)}"
            )
        return row

    @property
    def parts(self):
        """All parts, in the order in which they appeared."""
        found = {}
        for row in self.rows:
            found.update(dict.fromkeys(row.states))
        return list(found)

    @property
    def isolated(self):
        """Whether every step left the others alone."""
        return all(row.isolated for row in self.rows)

    def to_dicts(self):
        """The rows as plain dicts."""
        return [
            {"step": r.step, "states": r.states, "digests": r.digests}
            for r in self.rows
        ]

    def _state(self, part, digest, before, trained):
        if part not in before:
            return NEW
        if digest == before[part]:
            return UNCHANGED
        if part not in trained:
            return CHANGED
        earlier = any(row.digests.get(part) == digest for row in self.rows)
        return RESTORED if earlier else TRAINED

    def __str__(self):
        heading = ["", *(p.removeprefix("domains/") for p in self.parts)]
        rows = [
            [r.step, *(r.states.get(p, "") for p in self.parts)]
            for r in self.rows
        ]
        return format_table([heading, *rows], "<")
