"""Compressed records, and those that only say that they are."""

import gzip
import os

import pytest
import zstandard

from schemas.errors import RecordError
from streams.inputs.packed import unpacked

LINE = os.urandom(600).hex().encode()
MOST = 100_000


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_what_was_packed_is_unpacked(pack: object) -> None:
    """Whole, also where several were written one after the other."""
    assert callable(pack)
    assert unpacked(pack(LINE), MOST) == LINE
    assert unpacked(pack(LINE) + pack(LINE), MOST) == LINE * 2


@pytest.mark.parametrize("value", [b"", b"\x1f", b"{}", b"\x28\xb5", LINE])
def test_what_is_not_packed_is_left_alone(value: bytes) -> None:
    """By its first bytes."""
    assert unpacked(value, MOST) is None


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_one_that_ends_early_is_refused_wherever_it_ends(pack: object) -> None:
    """Half a record is none: who sends it would send the rest as another."""
    assert callable(pack)
    value = pack(LINE)
    for end in range(4, len(value)):
        with pytest.raises(RecordError, match="damaged or ends early"):
            unpacked(value[:end], MOST)


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
@pytest.mark.parametrize(("size", "refused"), [(MOST, False), (MOST + 1, True), (200_000_000, True)])
def test_a_bomb_is_refused(pack: object, size: int, refused: bool) -> None:
    """One byte more than is allowed is too many, and so are 200 MB in a few KB."""
    assert callable(pack)
    value = pack(bytes(size))
    if refused:
        with pytest.raises(RecordError, match="more than 100000 bytes"):
            unpacked(value, MOST)
    else:
        assert unpacked(value, MOST) == bytes(size)


def test_a_frame_that_asks_for_much_memory_is_refused() -> None:
    """A window of 128 MB is nothing that a record needs."""
    params = zstandard.ZstdCompressionParameters(window_log=27, enable_ldm=True)
    packer = zstandard.ZstdCompressor(compression_params=params).compressobj()
    value = (
        packer.compress(b"x") + packer.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK) + packer.compress(b"y") + packer.flush()
    )
    with pytest.raises(RecordError, match="cannot be unpacked"):
        unpacked(value, MOST)


def test_damage_is_refused() -> None:
    """A byte that was changed on the way, which the check at the end tells."""
    value = bytearray(gzip.compress(LINE))
    value[-6] ^= 1
    with pytest.raises(RecordError, match="damaged"):
        unpacked(bytes(value), MOST)
