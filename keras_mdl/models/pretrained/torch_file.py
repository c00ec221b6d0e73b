"""Reads the tensors of a PyTorch checkpoint, without PyTorch or `pickle`.

The format of PyTorch before 1.6: five pickles (a magic number, the version,
facts about the machine, the state dict, the keys of the storages), then every
storage as a count and raw numbers. A pickle is a program, and `pickle` runs
whatever it says. Here the few instructions that a state dict needs are carried
out, on strings, numbers and containers alone; all else is refused.
"""

import math
import pathlib
import pickletools
import struct
from typing import NamedTuple

import numpy as np

_MAGIC = 0x1950A86A20F9469CFC6C
_VERSION = 1001
_TYPES = {
    "torch FloatStorage": np.dtype("<f4"),
    "torch DoubleStorage": np.dtype("<f8"),
    "torch HalfStorage": np.dtype("<f2"),
    "torch LongStorage": np.dtype("<i8"),
    "torch IntStorage": np.dtype("<i4"),
}
_MAPPING, _TENSOR = "collections OrderedDict", "torch._utils _rebuild_tensor_v2"
_GLOBALS = {_MAPPING, _TENSOR, *_TYPES}
_LARGEST = 50_000  # instructions; a network of 1,000 tensors has 25,000


class _Global(NamedTuple):
    name: str


class _Storage(NamedTuple):
    key: str
    dtype: np.dtype
    count: int


class _Tensor(NamedTuple):
    storage: _Storage
    offset: int
    shape: tuple
    strides: tuple


def read_torch_file(path):
    """The tensors of a checkpoint that holds a plain state dict.

    Args:
        path: A `.pth` or `.pt` file in PyTorch's older format.

    Returns:
        `{name: NumPy array}`, in the file's order.

    Raises:
        FileNotFoundError: If there is no file.
        ValueError: For anything but a whole file of that kind: another
            format, a pickle that does more than name tensors, storages that
            are missing, too short or too long.
    """
    path = pathlib.Path(path)
    with path.open("rb") as file:
        try:
            return _read(file, path.stat().st_size)
        except _Refused as error:
            reason = error
        except Exception as error:  # what a damaged file leads to
            reason = f"it is damaged ({type(error).__name__}: {error})"
    raise ValueError(
        f"Cannot read {path} as a PyTorch state dict in the format before 1.6: "
        f"{reason}. Convert other checkpoints to .safetensors"
    )


class _Refused(Exception):
    pass


def _read(file, size):
    if file.read(4) == b"PK\x03\x04":
        raise _Refused("it is in the newer, zipped format")
    file.seek(0)
    if _run(file) != _MAGIC or _run(file) != _VERSION:
        raise _Refused("it does not begin like one")
    machine, state, keys = _run(file), _run(file), _run(file)
    if machine.get("little_endian") is not True:
        raise _Refused("it is not little-endian")
    if not isinstance(state, dict) or not all(
        isinstance(k, str) and isinstance(v, _Tensor) for k, v in state.items()
    ):
        raise _Refused("it holds other things than named tensors")
    wanted = {t.storage.key: t.storage for t in state.values()}
    if any(wanted[t.storage.key] != t.storage for t in state.values()):
        raise _Refused("its tensors disagree about a storage")
    if set(keys) != wanted.keys() or len(keys) != len(wanted):
        raise _Refused("its storages are not those of its tensors")
    needed = sum(8 + s.count * s.dtype.itemsize for s in wanted.values())
    if file.tell() + needed != size:
        raise _Refused(
            f"it should have {file.tell() + needed:,} bytes and has {size:,}"
        )
    storages = {}
    for key in keys:
        storage = wanted[key]
        (count,) = struct.unpack("<q", file.read(8))
        if count != storage.count:
            raise _Refused(f"the storage {key!r} has another length")
        raw = file.read(count * storage.dtype.itemsize)
        storages[key] = np.frombuffer(raw, storage.dtype)
    return {name: _array(t, storages) for name, t in state.items()}


def _array(tensor, storages):
    """A copy of the tensor, whatever the order of its axes in memory."""
    storage, offset, shape, strides = tensor
    last = offset + sum(
        (n - 1) * step for n, step in zip(shape, strides, strict=True)
    )
    if (
        min((offset, *shape, *strides)) < 0
        or last >= storage.count
        or math.prod(shape) > storage.count
    ):
        raise _Refused("a tensor lies outside its storage")
    return np.lib.stride_tricks.as_strided(
        storages[storage.key][offset:],
        shape,
        [step * storage.dtype.itemsize for step in strides],
    ).copy()


def _run(file):
    """Carries out one pickle and returns what it leaves."""
    stack, marks, memo = [], [], {}

    def to_mark():
        start = marks.pop()
        items = stack[start:]
        del stack[start:]
        return items

    def put(items):
        stack[-1].update(zip(items[::2], items[1::2], strict=True))

    for count, (op, value, _) in enumerate(pickletools.genops(file)):
        if count > _LARGEST:
            raise _Refused("its pickle is too long")
        match op.name:
            case "PROTO":
                pass
            case "STOP":
                (result,) = stack
                return result
            case "MARK":
                marks.append(len(stack))
            case "BINUNICODE" | "BININT" | "BININT1" | "BININT2" | "LONG1":
                stack.append(value)
            case "NONE" | "NEWTRUE" | "NEWFALSE":
                stack.append(
                    {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}[op.name]
                )
            case "EMPTY_DICT":
                stack.append({})
            case "EMPTY_LIST":
                stack.append([])
            case "EMPTY_TUPLE":
                stack.append(())
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                n = int(op.name[-1])
                stack[-n:] = [tuple(stack[-n:])]
            case "TUPLE":
                stack.append(tuple(to_mark()))
            case "APPEND":
                item = stack.pop()
                stack[-1].append(item)
            case "APPENDS":
                items = to_mark()
                stack[-1].extend(items)
            case "SETITEM":
                items = [stack.pop(-2), stack.pop()]
                put(items)
            case "SETITEMS":
                put(to_mark())
            case "BINPUT" | "LONG_BINPUT":
                memo[value] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(memo[value])
            case "GLOBAL" if value in _GLOBALS:
                stack.append(_Global(value))
            case "BINPERSID":
                stack.append(_storage(stack.pop()))
            case "REDUCE":
                arguments = stack.pop()
                stack.append(_made(stack.pop(), arguments))
            case "BUILD":  # attributes of a mapping: versions of modules
                stack.pop()
                if not isinstance(stack[-1], dict):
                    raise _Refused("it sets attributes of an object")
            case _:
                raise _Refused(
                    f"its pickle has the instruction {op.name} "
                    f"{value if value is not None else ''}".rstrip()
                )
    raise _Refused("its pickle does not end")


def _storage(values):
    what, kind, key, _, count, *_ = values
    if what != "storage" or kind.name not in _TYPES:
        raise _Refused("it holds a storage of an unknown kind")
    return _Storage(key, _TYPES[kind.name], count)


def _made(function, arguments):
    if function == _Global(_MAPPING) and arguments == ():
        return {}
    if function == _Global(_TENSOR) and isinstance(arguments[0], _Storage):
        return _Tensor(*arguments[:4])
    raise _Refused(f"it calls {function}")
