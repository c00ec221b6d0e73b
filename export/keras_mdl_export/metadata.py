"""What a TFLite file says about itself: its input, its scores, its labels.

MediaPipe's `ImageClassifier` reads it, so that an app needs neither code for
preprocessing nor a list of labels beside the file.

It has two parts. A flatbuffer (`metadata_bytes`) belongs into a buffer of the
model that `Model.metadata` names `METADATA_NAME`; a zip with the labels
(`labels_zip`) belongs behind the file's last byte.
"""

import io
import zipfile

import flatbuffers

METADATA_NAME = "TFLITE_METADATA"
LABELS_FILE = "labels.txt"

# Written by hand, field by field, because no official writer can be used:
# `tflite-support` (0.4.4, the last) has no wheel for Python 3.12 and wants
# protobuf below 4, TensorFlow a newer one; the writer in `mediapipe` (1.2.2)
# imports a module that its wheel lacks.
#
# The numbers are those of `metadata_schema.fbs`, version 1.1.0
# (tensorflow_lite_support/metadata/ in github.com/tensorflow/tflite-support):
# the position of a field in its table, where a union counts as two fields
# (its type, its value). MediaPipe's newer copy only adds fields behind them.
IDENTIFIER = b"M001"
MIN_PARSER_VERSION = "1.0.0"  # all that is used here is that old
_IMAGE = 2  # union ContentProperties
_NORMALIZATION = 1  # union ProcessUnitOptions
_RGB = 1  # enum ColorSpaceType
_AXIS_LABELS = 2  # enum AssociatedFileType


def metadata_bytes(
    name, classes, input_dtype, output="probabilities", description=""
):
    """The metadata of a classifier that takes RGB pixels in 0..255.

    The graph itself normalises the pixels, so a reader is told to subtract 0
    and to divide by 1. MediaPipe insists on these numbers if the input is
    float32; the schema asks for the same ones in a quantized model, and a
    uint8 input with scale 1 and zero point 0 then gets its pixels unchanged.

    Args:
        name: Of the model.
        classes: Names of the classes, in the order of the scores.
        input_dtype: `"float32"` or `"uint8"`.
        output: Name of the scores.
        description: Of the model, for people.

    Returns:
        The bytes of a flatbuffer. The same arguments give the same bytes.

    Raises:
        ValueError: If `input_dtype` is another one.
    """
    if input_dtype not in ("float32", "uint8"):
        raise ValueError(
            "`input_dtype` must be 'float32' or 'uint8'. "
            f"Received: {input_dtype!r}"
        )
    mean_and_deviation = {0: [0.0], 1: [1.0]}
    labels = {
        0: LABELS_FILE,
        1: "Name of each class, in the scores' order",
        2: _AXIS_LABELS,
    }
    pixels = {
        0: "image",
        1: f"RGB pixels in 0..255, {input_dtype}",
        3: {0: _IMAGE, 1: {0: _RGB}},  # the content
        4: [{0: _NORMALIZATION, 1: mean_and_deviation}],  # process units
        5: {0: [255.0], 1: [0.0]},  # the highest and the lowest value
    }
    scores = {
        0: output,
        1: f"Scores of {len(classes)} classes",
        6: [labels],  # associated files
    }
    model = {
        0: name,
        3: [{2: [pixels], 3: [scores]}],  # a subgraph: inputs and outputs
        7: MIN_PARSER_VERSION,
    }
    if description:
        model[1] = description
    builder = flatbuffers.Builder(1024)
    builder.Finish(_written(builder, model), IDENTIFIER)
    return bytes(builder.Output())


def _written(builder, value):
    """The offset of a text, a list, or a table as `{field: value}`."""
    if isinstance(value, str):
        return builder.CreateString(value)
    if isinstance(value, list):
        numbers = isinstance(value[0], float)
        items = value if numbers else [_written(builder, v) for v in value]
        builder.StartVector(4, len(items), 4)
        for item in reversed(items):
            if numbers:
                builder.PrependFloat32(item)
            else:
                builder.PrependUOffsetTRelative(item)
        return builder.EndVector()
    offsets = {
        field: _written(builder, v)
        for field, v in value.items()
        if not isinstance(v, int)
    }
    builder.StartObject(1 + max(value))
    for field, v in value.items():
        if field in offsets:
            builder.PrependUOffsetTRelativeSlot(field, offsets[field], 0)
        else:
            builder.PrependUint8Slot(field, v, 0)
    return builder.EndObject()


def labels_zip(classes, offset):
    """The zip with the labels, to be appended to a file of `offset` bytes.

    Its offsets count from the file's first byte, as when `zipfile` opens the
    file in mode `"a"`: readers that take them literally find the labels too.

    Args:
        classes: Names of the classes, in the order of the scores.
        offset: Length of the file so far.

    Returns:
        The bytes to append. The same arguments give the same bytes.

    Raises:
        ValueError: If a name is empty or has a line break: a file with one
            name per line cannot hold it.
    """
    for name in classes:
        if name.splitlines() != [name]:
            raise ValueError(
                "The name of a class must be one line, not empty, to stand "
                f"in {LABELS_FILE}. Received: {name!r}"
            )
    # Nothing that differs between machines: no clock, no operating system.
    # Stored, not deflated: MediaPipe reads the labels where they lie.
    info = zipfile.ZipInfo(LABELS_FILE, date_time=(1980, 1, 1, 0, 0, 0))
    info.create_system = 3  # Unix
    info.external_attr = 0o644 << 16
    info.compress_type = zipfile.ZIP_STORED
    stream = io.BytesIO()
    stream.seek(offset)
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(info, "\n".join(classes).encode())
    return stream.getvalue()[offset:]
