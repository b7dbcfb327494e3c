"""Compressed files as bytes: gzip and zstd, told by their first bytes.

What stands before the place where a file ends early, or is damaged, is given out before that is said.
"""

import io
import zlib
from collections.abc import Callable
from typing import BinaryIO, Final, Protocol, cast

import zstandard

from streams.inputs.packed import GZIP, ZSTD

DAMAGED: Final = (OSError, EOFError, zlib.error, zstandard.ZstdError)
"""What reading raises where a file cannot be read further."""

_FEED_BYTES: Final = 512
"""Unpacked at a time: of zstd 4 bytes may be 128 KB, so this bounds what has to be held."""


class _Frame(Protocol):
    """A member of a gzip or a frame of zstd, on the way."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


def unpacked(raw: BinaryIO) -> BinaryIO:
    """The bytes of a file that was opened, unpacked where they are compressed; reading raises one of DAMAGED."""
    begins = cast(io.BufferedReader, raw).peek(4)[:4]
    if begins.startswith(GZIP):
        return cast(BinaryIO, _Unpacked(raw, lambda: cast(_Frame, zlib.decompressobj(zlib.MAX_WBITS | 16))))
    if begins == ZSTD:
        return cast(BinaryIO, _Unpacked(raw, lambda: cast(_Frame, zstandard.ZstdDecompressor().decompressobj())))
    return raw


class _Unpacked(io.RawIOBase):
    """Frames one after the other, as logs are appended to; zeros behind the last one are padding."""

    def __init__(self, raw: BinaryIO, begin: Callable[[], _Frame]) -> None:
        self._raw, self._begin = raw, begin
        self._frame: _Frame | None = None
        self._fed = b""
        self._held = memoryview(b"")

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]  # the buffers that callers here pass
        """Fill a buffer, as far as what is there reaches; 0 at the end."""
        while not self._held:
            self._fed = self._fed or self._raw.read(_FEED_BYTES)
            if not self._fed:
                if self._frame is not None:
                    raise EOFError("compressed file ends early")
                return 0
            self._feed()
        size = min(len(buffer), len(self._held))
        buffer[:size] = self._held[:size]
        self._held = self._held[size:]
        return size

    def _feed(self) -> None:
        if self._frame is None:
            self._fed = self._fed.lstrip(b"\0")
            if not self._fed:
                return
            self._frame = self._begin()
        frame = self._frame
        self._held = memoryview(frame.decompress(self._fed))
        self._fed = frame.unused_data if frame.eof else b""
        if frame.eof:
            self._frame = None
