"""Compressed records: gzip and zstd, unpacked up to a limit; what would be longer is refused, not held in memory."""

import zlib
from typing import Final

import zstandard

from schemas.errors import RecordError

GZIP: Final = b"\x1f\x8b"
ZSTD: Final = b"\x28\xb5\x2f\xfd"
"""What they begin with."""
_WINDOW_MAX: Final = 1 << 23
"""Memory that a zstd frame may ask for, in bytes: what its specification recommends to support."""


def unpacked(value: bytes, most: int) -> bytes | None:
    """The bytes of a compressed record; None where it is not compressed.

    Raises:
        RecordError: it is damaged, ends early, or would be longer than ``most`` bytes.
    """
    try:
        if value.startswith(GZIP):
            found = _gzip(value, most)
        elif value.startswith(ZSTD):
            found = _zstd(value, most)
        else:
            return None
    except (zlib.error, zstandard.ZstdError) as error:
        raise RecordError("$", "cannot be unpacked: it is damaged or ends early") from error
    if len(found) > most:
        raise RecordError("$", f"unpacks to more than {most} bytes (input.unpacked_max_bytes)")
    return found


def _gzip(value: bytes, most: int) -> bytes:
    """All members of a gzip, one after the other, up to a byte more than ``most``."""
    parts, size, rest = [], 0, value
    while rest and size <= most:
        member = zlib.decompressobj(zlib.MAX_WBITS | 16)
        parts.append(member.decompress(rest, most + 1 - size))
        size += len(parts[-1])
        if not member.eof and size <= most:
            raise RecordError("$", "cannot be unpacked: it is damaged or ends early")
        rest = member.unused_data
    return b"".join(parts)


def _zstd(value: bytes, most: int) -> bytes:
    reader = zstandard.ZstdDecompressor(max_window_size=_WINDOW_MAX).stream_reader(value, read_across_frames=True)
    parts, size = [], 0
    while size <= most and (part := reader.read(most + 1 - size)):
        parts.append(part)
        size += len(part)
    found = b"".join(parts)
    if size <= most and not _is_whole(value, size):
        raise RecordError("$", "cannot be unpacked: it is damaged or ends early")
    return found


def _is_whole(value: bytes, size: int) -> bool:
    """Whether frames end where the value does: a reader takes the end of a frame that was cut off for its end."""
    decoder = zstandard.ZstdDecompressor(max_window_size=_WINDOW_MAX).decompressobj()
    rest = value
    while rest:
        decoder.decompress(rest)
        if not decoder.eof:
            return False
        rest = decoder.unused_data
        decoder = zstandard.ZstdDecompressor(max_window_size=_WINDOW_MAX).decompressobj()
    return size >= 0
