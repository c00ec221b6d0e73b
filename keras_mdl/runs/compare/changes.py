"""What of a comparison may change between two runs into one folder."""

from keras_mdl.runs.compare.rows import BASE

# Values that every row depends on, and those that a base's does not.
_FIXED = ("network", "width", "size", "base", "batch_size")
_OF_DOMAINS = ("images", "epochs", "recipe")


def require_extension(old, new, rows, where):
    """Refuses settings under which rows that exist would mean another thing.

    What no row depends on may change: further seeds, methods and domains are
    welcome, one that has failed may be mended or left out, and before the
    first row everything may change. The order, the name and the number of
    processes do not matter.

    Args:
        old: `CompareSettings` of the rows that exist.
        new: Those that are asked for.
        rows: The rows.
        where: The folder, for the message.

    Raises:
        ValueError: If something else differs; the message lists it.
    """
    found = differences(old, new, rows)
    if found:
        raise ValueError(
            f"{where} holds rows of a comparison with other settings (further "
            "seeds, methods and domains may be added, and what has no rows "
            "may change). Choose another folder, or change back:\n"
            + "\n".join(f"- {d}" for d in found)
        )


def differences(old, new, rows):
    """Lines that say what `new` changes or leaves out of what `rows` are."""
    before, after = old.to_dict(), new.to_dict()
    fixed = _FIXED if rows else ()
    if any(r["method"] != BASE for r in rows):
        fixed += _OF_DOMAINS
    lines = [
        f"{key}: expected {before.get(key)!r}, received {after.get(key)!r}"
        for key in fixed
        if before.get(key) != after.get(key)
    ]
    for key, a, b in (
        ("seed", dict.fromkeys(old.seeds), dict.fromkeys(new.seeds)),
        ("domain", _domains(old), _domains(new)),
        ("method", _methods(old), _methods(new)),
    ):
        for name in {r[key]: None for r in rows if r[key] in a}:
            if name not in b:
                lines.append(f"{key}s: {name!r} is missing")
            elif b[name] != a[name]:
                lines.append(
                    f"{key}s: {name!r}: expected {a[name]!r}, "
                    f"received {b[name]!r}"
                )
    return lines


def _domains(settings):
    return {d.name: d.to_dict() for d in settings.domains}


def _methods(settings):
    return {m: dict(settings.overrides.get(m, {})) for m in settings.methods}
