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

MODEL_NAME, MODEL_DESCRIPTION = 0, 1
MODEL_SUBGRAPHS, MODEL_MIN_PARSER_VERSION = 3, 7
SUBGRAPH_INPUTS, SUBGRAPH_OUTPUTS = 2, 3
TENSOR_NAME, TENSOR_DESCRIPTION, TENSOR_CONTENT = 0, 1, 3
TENSOR_PROCESS_UNITS, TENSOR_STATS, TENSOR_FILES = 4, 5, 6
CONTENT_TYPE, CONTENT_VALUE = 0, 1
PROCESS_UNIT_TYPE, PROCESS_UNIT_VALUE = 0, 1
IMAGE_COLOR_SPACE = 0
NORMALIZATION_MEAN, NORMALIZATION_STD = 0, 1
STATS_MAX, STATS_MIN = 0, 1
FILE_NAME, FILE_DESCRIPTION, FILE_TYPE = 0, 1, 2

CONTENT_IS_IMAGE = 2  # union ContentProperties
UNIT_IS_NORMALIZATION = 1  # union ProcessUnitOptions
COLOR_SPACE_RGB = 1  # enum ColorSpaceType
TENSOR_AXIS_LABELS = 2  # enum AssociatedFileType


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
    builder = flatbuffers.Builder(1024)
    text = builder.CreateString

    image = _table(builder, numbers={IMAGE_COLOR_SPACE: COLOR_SPACE_RGB})
    normalization = _table(
        builder,
        {
            NORMALIZATION_MEAN: _floats(builder, 0),
            NORMALIZATION_STD: _floats(builder, 1),
        },
    )
    normalize = _table(
        builder,
        {PROCESS_UNIT_VALUE: normalization},
        {PROCESS_UNIT_TYPE: UNIT_IS_NORMALIZATION},
    )
    pixels = _table(
        builder,
        {
            TENSOR_NAME: text("image"),
            TENSOR_DESCRIPTION: text(f"RGB pixels in 0..255, {input_dtype}"),
            TENSOR_CONTENT: _table(
                builder,
                {CONTENT_VALUE: image},
                {CONTENT_TYPE: CONTENT_IS_IMAGE},
            ),
            TENSOR_PROCESS_UNITS: _tables(builder, normalize),
            TENSOR_STATS: _table(
                builder,
                {
                    STATS_MAX: _floats(builder, 255),
                    STATS_MIN: _floats(builder, 0),
                },
            ),
        },
    )
    labels = _table(
        builder,
        {
            FILE_NAME: text(LABELS_FILE),
            FILE_DESCRIPTION: text("Name of each class, in the scores' order"),
        },
        {FILE_TYPE: TENSOR_AXIS_LABELS},
    )
    scores = _table(
        builder,
        {
            TENSOR_NAME: text(output),
            TENSOR_DESCRIPTION: text(f"Scores of {len(classes)} classes"),
            TENSOR_FILES: _tables(builder, labels),
        },
    )
    subgraph = _table(
        builder,
        {
            SUBGRAPH_INPUTS: _tables(builder, pixels),
            SUBGRAPH_OUTPUTS: _tables(builder, scores),
        },
    )
    model = {
        MODEL_NAME: text(name),
        MODEL_SUBGRAPHS: _tables(builder, subgraph),
        MODEL_MIN_PARSER_VERSION: text(MIN_PARSER_VERSION),
    }
    if description:
        model[MODEL_DESCRIPTION] = text(description)
    builder.Finish(_table(builder, model), IDENTIFIER)
    return bytes(builder.Output())


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


def read_labels(file_bytes):
    """The names of the classes in a file that ends in a `labels_zip`.

    Args:
        file_bytes: Content of the whole `.tflite` file.

    Returns:
        Tuple of names, in the order of the scores.

    Raises:
        zipfile.BadZipFile: If no zip ends the file.
        KeyError: If it has no file of labels.
    """
    with zipfile.ZipFile(io.BytesIO(file_bytes)) as archive:
        return tuple(archive.read(LABELS_FILE).decode().split("\n"))


def _table(builder, offsets=None, numbers=None):
    """A table from {field: offset of its value} and {field: small number}."""
    offsets, numbers = offsets or {}, numbers or {}
    builder.StartObject(1 + max([*offsets, *numbers]))
    for field, value in offsets.items():
        builder.PrependUOffsetTRelativeSlot(field, value, 0)
    for field, value in numbers.items():
        builder.PrependUint8Slot(field, value, 0)
    return builder.EndObject()


def _tables(builder, table):
    """A vector of one table."""
    builder.StartVector(4, 1, 4)
    builder.PrependUOffsetTRelative(table)
    return builder.EndVector()


def _floats(builder, value):
    """A vector of one float."""
    builder.StartVector(4, 1, 4)
    builder.PrependFloat32(value)
    return builder.EndVector()
