"""What of a comparison may change between two runs into one folder."""

# Values that every row depends on.
_FIXED = ("network", "width", "size", "base", "images", "epochs", "recipe",
          "batch_size")  # fmt: skip


def require_extension(old, new, where):
    """Refuses settings under which rows that exist would mean another thing.

    Further seeds, methods and domains are welcome: the comparison grows. The
    order, the name and the number of processes do not matter.

    Args:
        old: `CompareSettings` of the rows that exist.
        new: Those that are asked for.
        where: The folder, for the message.

    Raises:
        ValueError: If something else differs; the message lists it.
    """
    found = differences(old, new)
    if found:
        raise ValueError(
            f"{where} holds a comparison with other settings (further seeds, "
            "methods and domains may be added, nothing else). Choose another "
            "folder, or change back:\n" + "\n".join(f"- {d}" for d in found)
        )


def differences(old, new):
    """Lines that say what `new` changes or leaves out of `old`."""
    before, after = old.to_dict(), new.to_dict()
    lines = [
        f"{key}: expected {before.get(key)!r}, received {after.get(key)!r}"
        for key in _FIXED
        if before.get(key) != after.get(key)
    ]
    for key, a, b in (
        ("seeds", dict.fromkeys(old.seeds), dict.fromkeys(new.seeds)),
        ("domains", _domains(old), _domains(new)),
        ("methods", _methods(old), _methods(new)),
    ):
        for name, value in a.items():
            if name not in b:
                lines.append(f"{key}: {name!r} is missing")
            elif b[name] != value:
                lines.append(
                    f"{key}: {name!r}: expected {value!r}, received {b[name]!r}"
                )
    return lines


def _domains(settings):
    return {d.name: d.to_dict() for d in settings.domains}


def _methods(settings):
    return {m: dict(settings.overrides.get(m, {})) for m in settings.methods}
