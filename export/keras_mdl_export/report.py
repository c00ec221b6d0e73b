"""`ExportReport`: what an export shares, weighs and answers."""

import pathlib
from dataclasses import dataclass

from keras_mdl.tables import format_table

_MOST_LOST = 0.01 + 1e-9  # of accuracy, without a warning


@dataclass(frozen=True)
class ExportReport:
    """An export that has been written and verified.

    Attributes:
        folder: Where it is.
        mode: Name of the mode.
        sizes: `{what: bytes}`: `separate` (all domains' own files), `trunk`,
            `prefixes` (with labels), `bundle`, `packs`; those that there are.
        domains: One dict per domain: `domain`, `classes`, `complete`, `prefix`
            and `pack` bytes, `private_bits` (its name), `lost`, `shared`
            (part of the trunk), `unshared` (`{layer: reason}`) and the fields
            of its `Verification`.
        notes: What else was done, or should be known; lines of text.
        router: `None`, or of the router: `prefix` and `model` bytes, as far
            as there are any, and the fields of its `Verification`.
    """

    folder: pathlib.Path
    mode: str
    sizes: dict
    domains: list
    notes: tuple = ()
    router: dict | None = None

    @classmethod
    def of(cls, folder, manifest, notes=()):
        """Reads it off a manifest."""
        values = manifest.values
        files, entries = values["files"], values["domains"]

        def total(key):
            return sum(
                files[e["files"][key]]["bytes"]
                for e in entries.values()
                if key in e["files"]
            )

        sizes = {
            "separate": sum(e["complete"]["bytes"] for e in entries.values()),
            "trunk": values["trunk"]["bytes"],
            "prefixes": total("prefix") + total("labels"),
            "bundle": files.get(values["bundle"], {}).get("bytes", 0),
            "packs": total("pack"),
        }
        kernels = sum(k["bytes"] for k in values["trunk"]["kernels"])
        rows = []
        for name, entry in entries.items():
            # Of domains with paths of their own: the part on the path.
            trunk = entry["sharing"].get("trunk_bytes", kernels)
            trunk = sizes["trunk"] if trunk == kernels else trunk
            pack = entry["files"].get("pack")
            rows.append(
                {
                    "domain": name,
                    "classes": len(entry["classes"]),
                    "complete": entry["complete"]["bytes"],
                    "prefix": entry["complete"]["bytes"] - trunk,
                    "pack": files[pack]["bytes"] if pack else None,
                    "shared": entry["sharing"].get("fraction", 0.0),
                    "unshared": entry["sharing"].get("unshared", {}),
                    "private_bits": entry["private_bits"]["name"],
                    "lost": entry["private_bits"]["lost"],
                    **entry["verification"],
                }
            )
        return cls(
            pathlib.Path(folder),
            values["mode"],
            {k: v for k, v in sizes.items() if v},
            rows,
            tuple(notes),
            manifest.router and {
                **{role: files[path]["bytes"]
                   for role, path in manifest.router["files"].items()},
                **manifest.router["verification"],
            },
        )  # fmt: skip

    def to_dict(self):
        """Plain values for JSON."""
        return {
            "folder": str(self.folder),
            "mode": self.mode,
            "sizes": dict(self.sizes),
            "domains": [dict(d) for d in self.domains],
            "notes": list(self.notes),
            "router": self.router,
        }

    def __str__(self):
        header = ["domain", "file", "own part", "pack", "own numbers",
                  "trunk shared", "Keras", "exported", "plain resize",
                  "same class", "SNR"]  # fmt: skip
        rows = [
            [
                d["domain"],
                _size(d["complete"]),
                _size(d["prefix"]),
                _size(d["pack"]),
                d["private_bits"],
                f"{100 * d['shared']:.1f} %",
                _percent(d["accuracy_keras"]),
                _percent(d["accuracy"]),
                _percent(d["accuracy_plain"]),
                _percent(d["agreement"]),
                "equal" if d["snr_db"] is None else f"{d['snr_db']:.0f} dB",
            ]
            for d in self.domains
        ]
        lines = [format_table([header, *rows])]
        names = {
            "separate": "a file per domain",
            "trunk": "trunk, once",
            "prefixes": "all own parts",
            "bundle": "bundle",
            "packs": "all packs",
        }
        lines.append(
            "; ".join(f"{names[k]} {_size(v)}" for k, v in self.sizes.items())
        )
        for d in self.domains:
            lines += [
                f"not shared by {d['domain']}: {layer}: {why}"
                for layer, why in d["unshared"].items()
            ]
            gap = _gap(d)
            if gap is not None and gap > _MOST_LOST:
                lines.append(
                    f"{d['domain']} loses {100 * gap:.1f} points where an app "
                    "shrinks images without antialiasing (MediaPipe, Android's "
                    "createScaledBitmap): train with Preprocess.photos, or "
                    "shrink as USAGE.md does"
                )
        if self.router is not None:
            own = self.router.get("prefix", self.router.get("model"))
            lines.append(
                f"router: {_size(own)}; sends "
                f"{_percent(self.router['accuracy'])} of the images to their "
                f"domain ({_percent(self.router['accuracy_keras'])} in Keras), "
                f"the same way as Keras {_percent(self.router['agreement'])}"
            )
        lines += self.notes
        return "\n".join(lines)


def _gap(row):
    """Accuracy that an image loses which is shrunk without antialiasing."""
    if row["accuracy_plain"] is None:
        return None
    return row["accuracy"] - row["accuracy_plain"]


def _size(count):
    return "-" if count is None else f"{count / 1000:,.0f} kB"


def _percent(value):
    return "-" if value is None else f"{100 * value:.1f} %"
