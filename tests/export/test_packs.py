"""A pack gives the right file or none."""

import json
import struct

import numpy as np
import pytest
import zstandard
from keras_mdl_export import apply_pack, make_pack
from keras_mdl_export.packs import FORMAT, MAGIC, PackError
from tiny_export import digest


def noise(n, seed):
    """Bytes like trained int8 kernels: hardly compressible."""
    values = np.random.default_rng(seed).normal(0, 40, n)
    return values.clip(-127, 127).astype("int8").tobytes()


def pack_of(header, frame):
    """A pack of any header and frame."""
    if not isinstance(header, bytes):
        header = json.dumps(header).encode()
    return MAGIC + struct.pack("<I", len(header)) + header + frame


def frame_of(result, base, **settings):
    """A zstd frame as `make_pack` writes it."""
    dictionary = zstandard.ZstdCompressionDict(
        base, dict_type=zstandard.DICT_TYPE_RAWCONTENT
    )
    return zstandard.ZstdCompressor(dict_data=dictionary, **settings).compress(
        result
    )


def header_of(base_file, result_file, **changes):
    """The header of a pack, with changes."""
    return {
        "format": FORMAT,
        "base": digest(base_file),
        "result": digest(result_file),
        **changes,
    }


def sized(n):
    """The digest of a result of `n` bytes."""
    return {"sha256": "0" * 64, "bytes": n}


def promised(pack):
    """What a pack says it gives, as far as it says anything."""
    try:
        return json.loads(pack[12 : pack.rindex(b"}}") + 2])["result"]
    except (KeyError, TypeError, ValueError):
        return digest(RESULT)


BASE = noise(3000, 0)
RESULT = noise(100, 1) + BASE + noise(50, 2)


@pytest.mark.parametrize(
    ("base", "result"),
    [
        (BASE, RESULT),
        (b"a", b"b"),
        (b"x" * 1000, b"x"),
        (BASE, BASE),
        # Bytes with which a trained dictionary would begin.
        (b"\x37\xa4\x30\xec" + BASE, RESULT),
    ],
)
def test_a_pack_gives_the_file_back(base, result):
    pack = make_pack(base, result)
    assert pack == make_pack(base, result)
    assert apply_pack(pack, base, digest(result)) == result


def test_empty_files_are_refused():
    with pytest.raises(ValueError, match=r"`base`.*0 bytes"):
        make_pack(b"", RESULT)
    with pytest.raises(ValueError, match=r"`result`.*0 bytes"):
        make_pack(BASE, b"")


@pytest.mark.parametrize(
    ("size", "position"),
    [
        (2_300_000, 0),
        (2_300_000, 250_000),
        (2_300_000, 550_000),
        (20_000_000, 0),
    ],
)
def test_a_trunk_of_megabytes_costs_nearly_nothing(size, position):
    trunk, own = noise(size, 0), noise(550_000, 1)
    result = own[:position] + trunk + own[position:]
    alone = len(zstandard.ZstdCompressor(level=19).compress(own))
    assert len(make_pack(trunk, result)) < alone + 5000


def test_the_layout_is_the_documented_one():
    pack = make_pack(BASE, RESULT)
    magic, length = struct.unpack_from("<8sI", pack)
    assert magic == b"KMDLPACK"
    header = json.loads(pack[12 : 12 + length])
    assert header == {
        "format": "keras_mdl.pack/1",
        "base": digest(BASE),
        "result": digest(RESULT),
    }
    dictionary = zstandard.ZstdCompressionDict(
        BASE, dict_type=zstandard.DICT_TYPE_RAWCONTENT
    )
    decompressor = zstandard.ZstdDecompressor(dict_data=dictionary)
    assert decompressor.decompress(pack[12 + length :]) == RESULT


def test_another_base_is_refused_before_anything_is_decompressed(monkeypatch):
    pack = make_pack(BASE, RESULT)
    monkeypatch.delattr(zstandard, "ZstdDecompressor")
    monkeypatch.delattr(zstandard, "get_frame_parameters")
    with pytest.raises(PackError, match=r"another base.*Expected"):
        apply_pack(pack, BASE[:-1], digest(RESULT))


GOOD = frame_of(RESULT, BASE)


@pytest.mark.parametrize(
    ("pack", "message"),
    [
        (b"", "begins with"),
        (MAGIC, "begins with"),
        (b"KMDLPACK" + b"\xff" * 4, "at most 4096"),
        (b"NOTAPACK" + b"\0" * 100, "begins with.*NOTAPACK"),
        (pack_of(b"", GOOD), "not valid JSON"),
        (pack_of(b"[]", GOOD), "JSON object"),
        (pack_of(b'{"a": NaN}', GOOD), "NaN"),
        (pack_of(b'{"a": 1e999}', GOOD), "too large"),
        (pack_of(b'{"a": 1, "a": 1}', GOOD), "'a' stands there twice"),
        (pack_of(b"[" * 4_000, GOOD), "nested|not valid"),
        (pack_of(b"{}" + b" " * 4096, GOOD), "at most 4096"),
        (pack_of(b"\xff\xfe", GOOD), "not valid JSON"),
        (pack_of(header_of(BASE, RESULT, format="x/2"), GOOD), "pack/1.*x/2"),
        (
            pack_of(header_of(BASE, RESULT, more=1), GOOD),
            "format, base, result.*more",
        ),
        (pack_of(header_of(BASE, RESULT, base={}), GOOD), "sha256"),
        (pack_of(header_of(BASE, RESULT, result=None), GOOD), "an object"),
        (pack_of(header_of(BASE, RESULT, result=sized(-1)), GOOD), "integer"),
        (
            pack_of(header_of(BASE, RESULT, result=sized(2**30 + 1)), GOOD),
            "from 0 to 1073741824",
        ),
        (pack_of(header_of(BASE, RESULT + b"x"), GOOD), "should hold 3151"),
        (pack_of(header_of(BASE, RESULT[::-1]), GOOD), "it promises"),
        (pack_of(header_of(BASE, RESULT), GOOD + b"x"), "unused data"),
        (pack_of(header_of(BASE, RESULT), GOOD + GOOD), "unused data"),
        (pack_of(header_of(BASE, RESULT), b""), "damaged"),
        (pack_of(header_of(BASE, RESULT), b"x" * 100), "damaged"),
        (
            pack_of(
                header_of(BASE, RESULT),
                frame_of(RESULT, BASE, write_content_size=False),
            ),
            "should hold",
        ),
        # A frame to skip, of as many bytes.
        (
            pack_of(
                header_of(BASE, RESULT),
                struct.pack("<II", 0x184D2A50, len(RESULT)) + RESULT,
            ),
            "damaged",
        ),
    ],
)
def test_what_is_no_pack_is_refused(pack, message):
    with pytest.raises(PackError, match=message):
        apply_pack(pack, BASE, promised(pack))


@pytest.mark.parametrize("end", range(0, 400, 7))
def test_a_truncated_pack_is_refused(end):
    pack = make_pack(BASE, RESULT)
    with pytest.raises(PackError):
        apply_pack(pack[: end - 400], BASE, digest(RESULT))


def test_a_valid_pack_of_another_file_is_refused(monkeypatch):
    # Of another domain, say, on the same trunk.
    pack = make_pack(BASE, RESULT)
    monkeypatch.delattr(zstandard, "ZstdDecompressor")
    for other in (digest(RESULT + b"x"), sized(len(RESULT)), sized(1)):
        with pytest.raises(PackError, match="another result"):
            apply_pack(pack, BASE, other)
    for other in ("0" * 64, None, {"sha256": "0" * 64}):
        with pytest.raises(ValueError, match="`expected"):
            apply_pack(pack, BASE, other)


def test_a_frame_that_holds_more_than_it_declares_is_refused():
    bomb = bytearray(frame_of(b"\0" * 100_000_000, BASE))
    declared = zstandard.get_frame_parameters(bytes(bomb))
    assert declared.content_size == 100_000_000
    size = struct.pack("<I", 100_000_000)
    place = bytes(bomb).index(size)
    bomb[place : place + 4] = struct.pack("<I", 1_000_000)
    small = b"\0" * 1_000_000
    with pytest.raises(PackError, match="damaged"):
        apply_pack(
            pack_of(header_of(BASE, small), bytes(bomb)), BASE, digest(small)
        )


def test_applying_is_checked_before_a_pack_is_returned(monkeypatch):
    monkeypatch.setattr(
        "keras_mdl_export.packs.apply_pack", lambda *_: b"something else"
    )
    with pytest.raises(PackError, match="give back"):
        make_pack(BASE, RESULT)
