"""What a LiteRT file may read besides itself: `trunk.bin`, and in bounds.

The runtime opens whatever path the file names, absolute ones too, and does
not compare what it reads with anything.
"""

GROUP = "trunk.bin"
_IDENTIFIER = b"TFL3"


def check_external(content, trunk_bytes, what):
    """Checks the external weights of a flatbuffer.

    Args:
        content: Bytes of the `.tflite` file.
        trunk_bytes: The size of the file it may read.
        what: The file's name, for messages.

    Raises:
        ValueError: If it is no TFLite file, names any other file, or reads
            beyond the end of the one or of itself.
    """
    if content[4:8] != _IDENTIFIER:
        raise ValueError(
            f"{what} is no TFLite file: expected the identifier "
            f"{_IDENTIFIER!r}. Received: {bytes(content[4:8])!r}"
        )
    # Not inside: a package that is missing is no damage.
    from ai_edge_litert import schema_py_generated as schema

    try:
        groups, places, inner = _read(content, schema)
    except Exception as error:
        # Reading a broken flatbuffer fails in whatever way its bytes ask for.
        raise ValueError(f"{what} is no valid flatbuffer: {error}") from None
    if groups != [GROUP.encode()]:
        raise ValueError(
            f"{what} may read weights from {GROUP!r} only. "
            f"Received: {groups[:8]}"
        )
    for group, offset, length in places:
        if group != 0 or offset + length > trunk_bytes:
            raise ValueError(
                f"{what} reads beyond the {trunk_bytes} bytes of {GROUP}. "
                f"Received: group {group}, {length} bytes at {offset}"
            )
    for offset, size in inner:
        if offset + size > len(content):
            raise ValueError(
                f"{what} reads beyond its own {len(content)} bytes. "
                f"Received: {size} bytes at {offset}"
            )


def _read(content, schema):
    model = schema.Model.GetRootAs(content, 0)
    groups = [
        model.ExternalBufferGroups(i).Name()
        for i in _indices(model.ExternalBufferGroupsLength(), content)
    ]
    buffers = [
        model.ExternalBuffers(i)
        for i in _indices(model.ExternalBuffersLength(), content)
    ]
    places = [(b.Group(), b.Offset(), b.Length()) for b in buffers]
    # Large files may keep weights behind the flatbuffer.
    inner = [
        (model.Buffers(i).Offset(), model.Buffers(i).Size())
        for i in _indices(model.BuffersLength(), content)
    ]
    return groups, places, inner


def _indices(length, content):
    # Each item takes an offset of 4 bytes: more cannot stand in the file.
    if length > len(content) // 4:
        raise ValueError(f"a vector of {length} items in {len(content)} bytes")
    return range(length)
