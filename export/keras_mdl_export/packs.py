"""A pack: a file as its difference from a file the receiver has already.

Layout: `KMDLPACK`, the length of the header (uint32, little endian), the
header (JSON), one zstd frame whose dictionary is the base file, as it is.
The header names base and result by SHA-256 and size:

    {"format": "keras_mdl.pack/1",
     "base": {"sha256": "...", "bytes": 1}, "result": {...}}
"""

import struct

import zstandard

from keras_mdl_export import strict_json
from keras_mdl_export.manifest_schema import digest_schema
from keras_mdl_export.reading import digest
from keras_mdl_export.strict_json import choice, record

MAGIC = b"KMDLPACK"
FORMAT = "keras_mdl.pack/1"
MAX_HEADER = 4096
MAX_RESULT = 256 * 1024 * 1024
_START = struct.Struct("<8sI")
_LEVEL = 19  # below 9 zstd does not find the base's bytes again
_WINDOW_LOGS = (10, 30)  # what zstd allows on every machine
_header = record(
    {
        "format": choice(FORMAT),
        "base": digest_schema,
        "result": digest_schema,
    }
)
_TABLE_LOG = 26  # 0.8 GB for both tables, for files of more than 64 MB


class PackError(ValueError):
    """A pack that cannot be applied."""


def make_pack(base, result):
    """Packs `result` for a receiver that has `base`.

    Args:
        base: Bytes of the file that the receiver has, at least one.
        result: Bytes of the file that it shall get, at least one.

    Returns:
        The pack. It has been applied once, with the right result.

    Raises:
        ValueError: If either is empty, or longer than a pack may be.
        PackError: If zstd fails.
    """
    for name, content in (("base", base), ("result", result)):
        if not 0 < len(content) <= MAX_RESULT:
            raise ValueError(
                f"`{name}` must have 1 to {MAX_RESULT} bytes. "
                f"Received: {len(content)} bytes"
            )
    low, high = _WINDOW_LOGS
    window = min(max((len(base) + len(result)).bit_length(), low), high)
    parameters = zstandard.ZstdCompressionParameters.from_level(
        _LEVEL,
        source_size=len(result),
        dict_size=len(base),
        window_log=window,
        # As many places to remember as the window has: the level's own tables
        # forget most of a base of tens of MB. (Long-distance matching does
        # not help: it does not look into dictionaries.)
        hash_log=min(window, _TABLE_LOG),
        chain_log=min(window + 1, _TABLE_LOG + 1),
        write_content_size=True,
        write_checksum=False,  # the header has a better one
        write_dict_id=False,
    )
    frame = zstandard.ZstdCompressor(
        dict_data=_dictionary(base), compression_params=parameters
    ).compress(result)
    header = strict_json.to_bytes(
        {
            "format": FORMAT,
            "base": digest(base),
            "result": digest(result),
        }
    )
    pack = _START.pack(MAGIC, len(header)) + header + frame
    if apply_pack(pack, base, digest(result)) != result:
        raise PackError("zstd did not give back what it was given")
    return pack


def apply_pack(pack, base, expected):
    """Makes the file that a pack describes, if it is the expected one.

    The pack may come from anywhere: it is refused before anything is
    decompressed unless it is meant for this base and for this result, and
    never makes more bytes than it declares.

    Args:
        pack: Bytes of the pack.
        base: Bytes of the file it is based on.
        expected: `{"sha256", "bytes"}` of the result, from where nobody but
            you can write: `complete` of the domain in a signed manifest. A
            valid pack of another domain is refused.

    Returns:
        The bytes of the result, with that SHA-256.

    Raises:
        PackError: If the pack is damaged, of another format, for another
            base or result, or does not give the promised one.
        ValueError: If `expected` is something else.
    """
    header, frame = _split(pack)
    digest_schema(expected, "expected")
    for key, wanted in (("base", digest(base)), ("result", expected)):
        if header[key] != wanted:
            raise PackError(
                f"The pack is for another {key}: its {key} is {header[key]}. "
                f"Expected: {wanted}"
            )
    result = _decompress(frame, base, header["result"]["bytes"])
    if digest(result) != header["result"]:
        raise PackError(
            "The pack does not give the file it promises. "
            f"Expected: {header['result']}. Received: {digest(result)}"
        )
    return result


def _split(pack):
    if len(pack) < _START.size or pack[: len(MAGIC)] != MAGIC:
        raise PackError(
            f"A pack begins with {MAGIC!r}. Received: {bytes(pack[:8])!r}"
        )
    _, length = _START.unpack_from(pack)
    if length > min(MAX_HEADER, len(pack) - _START.size):
        raise PackError(
            f"The header of a pack has at most {MAX_HEADER} bytes and ends "
            f"in the file. Received: {length} bytes of {len(pack)}"
        )
    end = _START.size + length
    try:
        header = strict_json.parse_object(
            bytes(pack[_START.size : end]), MAX_HEADER, "The header of a pack"
        )
        _header(header, "pack")
    except ValueError as error:
        raise PackError(str(error)) from None
    return header, bytes(pack[end:])


def _decompress(frame, base, size):
    try:
        declared = zstandard.get_frame_parameters(frame).content_size
        # zstd reserves what the frame declares, so that is checked first; a
        # frame that then holds more or less is an error of zstd's own.
        if declared != size:
            raise PackError(
                f"The zstd frame should hold {size} bytes. "
                f"Received: {declared} bytes declared"
            )
        decompressor = zstandard.ZstdDecompressor(
            dict_data=_dictionary(base), max_window_size=2 ** _WINDOW_LOGS[1]
        )
        return decompressor.decompress(
            frame, max_output_size=size, allow_extra_data=False
        )
    except zstandard.ZstdError as error:
        raise PackError(f"The zstd frame is damaged: {error}") from None


def _dictionary(base):
    return zstandard.ZstdCompressionDict(
        base, dict_type=zstandard.DICT_TYPE_RAWCONTENT
    )
