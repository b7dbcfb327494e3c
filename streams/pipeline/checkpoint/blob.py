"""One blob of a checkpoint: columns, compressed, under a head that says what they are.

::

    WEIR | version | checksum of what follows | zstd( size of header | header | column | column | ... )

Columns lie byte by byte: the first byte of every number, then the second of every number. High bytes of counts and
times hardly differ from each other, so that they cost next to nothing.
"""

import math
import struct
from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeVar

import msgspec
import numpy as np
import zstandard
from numpy.typing import NDArray

from detectors.core.compiled import compiled
from detectors.core.hashing import xxh64
from schemas.codec import DECODE_ERRORS
from schemas.errors import CheckpointError

VERSION: Final = 3
"""Rises when what a column means changes without its dtype, or anything of the format."""
LEVEL: Final = 1
"""Of zstd: twice the time at 3 saves a few hundredths."""
_MAGIC: Final = b"WEIR"
_HEAD: Final = struct.Struct("<4sIQ")
_SIZE: Final = struct.Struct("<I")
T = TypeVar("T")


class Header(msgspec.Struct, array_like=True):
    """What a blob is."""

    name: str
    partition: int
    sequence: int
    """Of the checkpoint that wrote it."""
    layout: int
    """Digest, see `layout.digest`."""
    columns: list[tuple[str, str, int]]
    """Name, dtype (see `layout.Layout`) and length."""


def pack(header: Header, columns: Sequence[tuple[str, NDArray[Any]]]) -> bytes:
    """A blob; ``header.columns`` follow from ``columns``."""
    header.columns = [(name, spelt(column), len(column)) for name, column in columns]
    head = msgspec.msgpack.encode(header)
    body = zstandard.ZstdCompressor(level=LEVEL).compress(_laid_out(head, [column for _, column in columns]).data)
    return _HEAD.pack(_MAGIC, VERSION, _checksum(body)) + body


def unpack(name: str, blob: bytes) -> tuple[Header, dict[str, NDArray[Any]]]:
    """Header and columns of the blob ``name``.

    Raises:
        CheckpointError: it is damaged, or of another version.
    """
    body = _body(name, blob)
    try:
        raw = zstandard.ZstdDecompressor().decompress(body)
        (size,) = _SIZE.unpack_from(raw)
        header = msgspec.msgpack.decode(raw[_SIZE.size : _SIZE.size + size], type=Header)
    except (zstandard.ZstdError, struct.error, *DECODE_ERRORS) as error:
        raise CheckpointError(name, f"cannot be read: {error}") from error
    if header.name != name:
        raise CheckpointError(name, f"holds {header.name} instead")
    return header, dict(_columns(header, memoryview(raw)[_SIZE.size + size :]))


def _body(name: str, blob: bytes) -> bytes:
    if len(blob) < _HEAD.size or blob[:4] != _MAGIC:
        raise CheckpointError(name, "is no part of a checkpoint, or was cut off at its beginning")
    _, version, checksum = _HEAD.unpack_from(blob)
    if version != VERSION:
        raise CheckpointError(name, f"is of version {version}, this Weir reads version {VERSION}")
    body = blob[_HEAD.size :]
    if checksum != _checksum(body):
        raise CheckpointError(name, "is damaged: its checksum is another")
    return body


def _checksum(body: bytes) -> int:
    return int(xxh64(np.frombuffer(body, np.uint8), 0, len(body), np.uint64(VERSION)))


def _columns(header: Header, raw: memoryview) -> Iterator[tuple[str, NDArray[Any]]]:
    at = 0
    for name, text, length in header.columns:
        dtype, shape = read_spelt(text)
        size = dtype.itemsize * math.prod(shape) * length
        if at + size > len(raw):
            raise CheckpointError(header.name, f"column {name} is cut off")
        yield name, _from_bytes(raw[at : at + size], dtype, (length, *shape))
        at += size


def spelt(column: NDArray[Any]) -> str:
    """Dtype and shape of a column's entries."""
    what = column.dtype.newbyteorder("<").str if column.dtype.fields is None else "|V" + str(column.dtype.itemsize)
    return "x".join(map(str, column.shape[1:])) + what


def read_spelt(text: str) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """The reverse of `spelt`; records come back as plain bytes."""
    at = next(k for k, letter in enumerate(text) if letter in "<|>=")
    return np.dtype(text[at:]), tuple(int(number) for number in text[:at].split("x") if number)


def _laid_out(head: bytes, columns: Sequence[NDArray[Any]]) -> NDArray[np.uint8]:
    sizes = [column.nbytes for column in columns]
    begin = _SIZE.size + len(head)
    out = np.empty(begin + sum(sizes), np.uint8)
    out[:begin] = np.frombuffer(_SIZE.pack(len(head)) + head, np.uint8)
    for column, size in zip(columns, sizes, strict=True):
        _by_byte(column, out[begin : begin + size])
        begin += size
    return out


def _by_byte(column: NDArray[Any], out: NDArray[np.uint8]) -> None:
    plain = column.astype(column.dtype.newbyteorder("<"), copy=False)
    octets = np.ascontiguousarray(plain).view(np.uint8).reshape(-1, column.dtype.itemsize)
    _turn(octets, out.reshape(octets.shape[1], octets.shape[0]))


@compiled
def _turn(octets: NDArray[np.uint8], out: NDArray[np.uint8]) -> None:
    """Beside other threads: numpy would hold the interpreter's lock."""
    for k in range(octets.shape[1]):
        for i in range(octets.shape[0]):
            out[k, i] = octets[i, k]


def _from_bytes(raw: memoryview, dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    octets = np.frombuffer(raw, np.uint8).reshape(dtype.itemsize, -1)
    column: NDArray[Any] = np.array(octets.T, order="C").view(dtype).reshape(shape)
    return column
