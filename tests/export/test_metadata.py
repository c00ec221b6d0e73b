"""The metadata of a `.tflite` file, read by others than who wrote it."""

import io
import re
import zipfile

import flatbuffers
import pytest
from flatbuffers import number_types
from keras_mdl_export import metadata

CLASSES = ("banded", "wave pattern", "grün", "水玉", "🟦 blue")


class Reader:
    """Fields of a flatbuffer's table, by their numbers in the schema."""

    def __init__(self, content, position):
        self.table = flatbuffers.table.Table(content, position)

    @classmethod
    def root(cls, content):
        content = bytearray(content)
        start = flatbuffers.encode.Get(
            number_types.UOffsetTFlags.packer_type, content, 0
        )
        return cls(content, start)

    def _at(self, field):
        at = self.table.Offset(4 + 2 * field)
        return at and at + self.table.Pos

    def has(self, field):
        return bool(self._at(field))

    def text(self, field):
        return self.table.String(self._at(field)).decode()

    def number(self, field):
        return self.table.Get(number_types.Uint8Flags, self._at(field))

    def child(self, field):
        return Reader(self.table.Bytes, self.table.Indirect(self._at(field)))

    def _items(self, field):
        at = self._at(field) - self.table.Pos
        start = self.table.Vector(at)
        return [start + 4 * i for i in range(self.table.VectorLen(at))]

    def children(self, field):
        return [
            Reader(self.table.Bytes, self.table.Indirect(i))
            for i in self._items(field)
        ]

    def floats(self, field):
        flags = number_types.Float32Flags
        return [self.table.Get(flags, i) for i in self._items(field)]


@pytest.fixture(params=["float32", "uint8"])
def model(request):
    content = metadata.metadata_bytes(
        "dtd: Fließen", CLASSES, request.param, "scores", "Textures."
    )
    return Reader.root(content)


def test_identifier_stands_where_readers_look():
    content = metadata.metadata_bytes("m", CLASSES, "uint8")
    assert content[4:8] == b"M001"


def test_model_has_one_subgraph_of_one_input_and_one_output(model):
    assert model.text(0) == "dtd: Fließen"
    assert model.text(1) == "Textures."
    assert model.text(7) == "1.0.0"
    (subgraph,) = model.children(3)
    assert len(subgraph.children(2)) == 1
    assert len(subgraph.children(3)) == 1


def test_input_is_an_rgb_image_that_is_not_normalised(model):
    (pixels,) = model.children(3)[0].children(2)
    assert pixels.text(0) == "image"
    content = pixels.child(3)
    assert content.number(0) == 2  # ImageProperties
    assert content.child(1).number(0) == 1  # RGB
    (unit,) = pixels.children(4)
    assert unit.number(0) == 1  # NormalizationOptions
    assert unit.child(1).floats(0) == [0.0]  # mean
    assert unit.child(1).floats(1) == [1.0]  # std
    assert pixels.child(5).floats(0) == [255.0]  # max
    assert pixels.child(5).floats(1) == [0.0]  # min


def test_output_has_a_file_of_labels(model):
    (scores,) = model.children(3)[0].children(3)
    assert scores.text(0) == "scores"
    (labels,) = scores.children(6)
    assert labels.text(0) == "labels.txt"
    assert labels.number(2) == 2  # TENSOR_AXIS_LABELS
    assert not labels.has(3)  # names of classes are of no language


def test_empty_description_is_left_out():
    model = Reader.root(metadata.metadata_bytes("m", CLASSES, "uint8"))
    assert not model.has(1)
    assert model.children(3)[0].children(3)[0].text(0) == "probabilities"


def test_unknown_input_dtype_is_refused():
    with pytest.raises(ValueError, match="int8"):
        metadata.metadata_bytes("m", CLASSES, "int8")


def test_same_arguments_give_the_same_bytes(monkeypatch):
    first = metadata.metadata_bytes("m", CLASSES, "uint8")
    zipped = metadata.labels_zip(CLASSES, 7)
    monkeypatch.setattr("time.time", lambda: 2e9)
    monkeypatch.setattr("sys.platform", "win32")
    assert metadata.metadata_bytes("m", CLASSES, "uint8") == first
    assert metadata.labels_zip(CLASSES, 7) == zipped


@pytest.mark.parametrize("length", [0, 1, 4095, 100_000])
def test_zip_is_what_zipfile_would_have_appended(tmp_path, length):
    prefix = bytes(i % 251 for i in range(length))
    content = prefix + metadata.labels_zip(CLASSES, length)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        (info,) = archive.infolist()
        assert archive.comment == b""
    # Absolute: `zipfile` would forgive, and correct, offsets from the zip.
    assert info.header_offset == length
    directory = content.index(b"PK\1\2", length)
    assert int.from_bytes(content[-6:-2], "little") == directory
    assert (
        int.from_bytes(content[directory + 42 : directory + 46], "little")
        == length
    )

    path = tmp_path / "appended"
    path.write_bytes(prefix)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(info, "\n".join(CLASSES))
    assert path.read_bytes() == content


def test_labels_lie_uncompressed_one_per_line():
    content = metadata.labels_zip(CLASSES, 0)
    assert "\n".join(CLASSES).encode() in content


@pytest.mark.parametrize("classes", [CLASSES, ("one",), (" a ", "\u200b")])
def test_labels_come_back(classes):
    content = b"model" + metadata.labels_zip(classes, 5)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        labels = archive.read("labels.txt").decode()
    assert tuple(labels.split("\n")) == classes


@pytest.mark.parametrize(
    "name", ["", "two\nlines", "end\n", "\r", "a\r\nb", "a\u2028b", "a\x0bb"]
)
def test_names_that_are_not_one_line_are_refused(name):
    with pytest.raises(ValueError, match=re.escape(repr(name))):
        metadata.labels_zip(("fine", name), 0)
