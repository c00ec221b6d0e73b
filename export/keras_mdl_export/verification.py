"""Every written file, loaded and run beside the Keras model."""

import math
from dataclasses import asdict, dataclass

import numpy as np

from keras_mdl_export.flatbuffer import code_of, schema
from keras_mdl_export.versions import wrong_versions


class VerificationError(RuntimeError):
    """An exported file does not do what the Keras model does."""


@dataclass(frozen=True)
class Verification:
    """One domain's exported network beside the Keras one, on real images.

    Attributes:
        images: How many.
        max_error: Largest difference of an output, against the Keras model
            as it was given.
        snr_db: Signal-to-noise ratio of the outputs in decibels (`None` if
            they are equal).
        agreement: Part of the images with the same top class.
        accuracy_keras: Of the Keras model; `None` without labels.
        accuracy_quantized: Of the Keras model with its trunk on the int8 grid.
        accuracy: Of the exported file.
        accuracy_plain: Of the exported file on the same images, shrunk
            without antialiasing; `None` where none were given.
    """

    images: int
    max_error: float
    snr_db: float | None
    agreement: float
    accuracy_keras: float | None = None
    accuracy_quantized: float | None = None
    accuracy: float | None = None
    accuracy_plain: float | None = None

    @property
    def drop(self):
        """Accuracy lost, or `None` without labels."""
        if self.accuracy is None:
            return None
        return self.accuracy_keras - self.accuracy

    def to_dict(self):
        """Plain values for JSON."""
        return {
            k: round(v, 6) if isinstance(v, float) else v
            for k, v in asdict(self).items()
        }


def compare(expected, quantized, received, labels=None, plain=None):
    """Outputs `(n, classes)` of a Keras model and of an exported file.

    Args:
        expected: Of the Keras model as it was given.
        quantized: Of the Keras model that was converted.
        received: Of the file.
        labels: Integers `(n,)`, if known.
        plain: Of the file, on images shrunk without antialiasing; if any.
    """
    error = received.astype(np.float64) - expected
    noise, signal = (error**2).sum(), (expected.astype(np.float64) ** 2).sum()

    def accuracy(outputs):
        if labels is None or outputs is None:
            return None
        return float(np.mean(outputs.argmax(-1) == labels))

    return Verification(
        images=len(expected),
        max_error=float(np.abs(error).max()),
        snr_db=10 * math.log10(signal / noise) if noise else None,
        agreement=float(np.mean(expected.argmax(-1) == received.argmax(-1))),
        accuracy_keras=accuracy(expected),
        accuracy_quantized=accuracy(quantized),
        accuracy=accuracy(received),
        accuracy_plain=accuracy(plain),
    )


def require_close(found, max_accuracy_drop, min_agreement):
    """Refuses exports that classify otherwise than the Keras model.

    Args:
        found: `{domain: Verification}`.
        max_accuracy_drop: Largest accepted loss of accuracy, for domains
            with labels.
        min_agreement: Smallest accepted part of equal top classes.

    Raises:
        VerificationError: With the figures of the domains that fail.
    """
    failed = []
    for name, v in found.items():
        if v.agreement < min_agreement:
            failed.append(
                f"{name}: the same top class in {100 * v.agreement:.1f} % "
                f"of {v.images} images, expected at least "
                f"{100 * min_agreement:.1f} % (`min_agreement`)"
            )
        if v.drop is not None and v.drop > max_accuracy_drop + 1e-9:
            failed.append(
                f"{name}: accuracy {v.accuracy_keras:.4f} in Keras, "
                f"{v.accuracy_quantized:.4f} with the trunk on its int8 grid, "
                f"{v.accuracy:.4f} exported, on {v.images} images; the drop "
                f"may be {max_accuracy_drop} (`max_accuracy_drop`)"
            )
    if failed:
        raise VerificationError(
            "The exported networks lose too much; nothing was written. Try "
            "another mode, more calibration images, or another limit:\n"
            + "\n".join(failed)
        )


def require_sound(name, model, least_bytes):
    """Refuses files that could not work on a device.

    Args:
        name: Of the domain.
        model: Its `schema.ModelT`.
        least_bytes: What its constants must hold at least: the weights.

    Raises:
        VerificationError: For variables, operators that are not built in or
            say a wrong version, a missing signature or missing weights.
    """
    names = {
        v: k
        for k, v in vars(schema.BuiltinOperator).items()
        if isinstance(v, int)
    }
    used = {names[code_of(model, op)]
            for g in model.subgraphs for op in g.operators}  # fmt: skip
    wrong = used & {"CUSTOM", "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE"}
    if wrong:
        raise VerificationError(
            f"The file of {name!r} has operators that are not built into the "
            f"runtime, or variables: {', '.join(sorted(wrong))}"
        )
    if wrong := wrong_versions(model):
        raise VerificationError(f"The file of {name!r}: {'; '.join(wrong)}")
    signatures = [s.signatureKey for s in model.signatureDefs]
    if signatures != [name.encode()]:
        raise VerificationError(
            f"Expected the one signature {name!r}. Received: {signatures}"
        )
    held = sum(b.data.nbytes for b in model.buffers if b.data is not None)
    if held < least_bytes:
        raise VerificationError(
            f"The file of {name!r} holds {held:,} bytes of constants, fewer "
            f"than its weights have ({least_bytes:,}): they were not converted"
        )
