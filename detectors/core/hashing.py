"""XXH64 over spans of a byte array, and the mixing of two keys."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from detectors.core.compiled import compiled

_P1: Final = np.uint64(0x9E3779B185EBCA87)
_P2: Final = np.uint64(0xC2B2AE3D27D4EB4F)
_P3: Final = np.uint64(0x165667B19E3779F9)
_P4: Final = np.uint64(0x85EBCA77C2B2AE63)
_P5: Final = np.uint64(0x27D4EB2F165667C5)


@compiled
def _rotate(word: np.uint64, bits: int) -> np.uint64:
    return (word << np.uint64(bits)) | (word >> np.uint64(64 - bits))


@compiled
def _byte(data: NDArray[np.uint8], at: int, k: int) -> np.uint64:
    # An unsigned index spares the check for indices that count from the end.
    return np.uint64(data[np.uint64(at + k)]) << np.uint64(8 * k)


@compiled
def _half(data: NDArray[np.uint8], at: int) -> np.uint64:
    """4 bytes from ``at`` on, little-endian."""
    return _byte(data, at, 0) | _byte(data, at, 1) | _byte(data, at, 2) | _byte(data, at, 3)


@compiled
def _word(data: NDArray[np.uint8], at: int) -> np.uint64:
    """8 bytes from ``at`` on, little-endian."""
    return _half(data, at) | (_half(data, at + 4) << np.uint64(32))


@compiled
def _round(lane: np.uint64, word: np.uint64) -> np.uint64:
    return _rotate(lane + word * _P2, 31) * _P1


@compiled
def _merge(digest: np.uint64, lane: np.uint64) -> np.uint64:
    return (digest ^ _round(np.uint64(0), lane)) * _P1 + _P4


@compiled
def _stripes(data: NDArray[np.uint8], at: int, end: int, seed: np.uint64) -> np.uint64:
    """The four lanes over every whole stripe of 32 bytes in ``[at, end)``."""
    a, b, c, d = seed + _P1 + _P2, seed + _P2, seed, seed - _P1
    while at + 32 <= end:
        a = _round(a, _word(data, at))
        b = _round(b, _word(data, at + 8))
        c = _round(c, _word(data, at + 16))
        d = _round(d, _word(data, at + 24))
        at += 32
    digest = _rotate(a, 1) + _rotate(b, 7) + _rotate(c, 12) + _rotate(d, 18)
    return _merge(_merge(_merge(_merge(digest, a), b), c), d)


@compiled
def _tail(data: NDArray[np.uint8], at: int, end: int, digest: np.uint64) -> np.uint64:
    """The last, fewer than 32, bytes."""
    while at + 8 <= end:
        digest = _rotate(digest ^ _round(np.uint64(0), _word(data, at)), 27) * _P1 + _P4
        at += 8
    if at + 4 <= end:
        digest = _rotate(digest ^ (_half(data, at) * _P1), 23) * _P2 + _P3
        at += 4
    while at < end:
        digest = _rotate(digest ^ (np.uint64(data[np.uint64(at)]) * _P5), 11) * _P1
        at += 1
    return digest


@compiled
def xxh64(data: NDArray[np.uint8], start: int, size: int, seed: np.uint64) -> np.uint64:
    """XXH64 of ``data[start : start + size]``."""
    digest = seed + _P5
    at = start
    if size >= 32:
        digest = _stripes(data, start, start + size, seed)
        at += size & ~31
    digest = _tail(data, at, start + size, digest + np.uint64(size))
    digest = (digest ^ (digest >> np.uint64(33))) * _P2
    digest = (digest ^ (digest >> np.uint64(29))) * _P3
    return digest ^ (digest >> np.uint64(32))


@compiled
def mix(word: np.uint64) -> np.uint64:
    """The finaliser of splitmix64: a bijection in which every bit of the result hangs on every bit of ``word``."""
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))


@compiled
def of_scope(digest: np.uint64, scope: int) -> np.uint64:
    """Key of an actor: its digest with the scope's number, 1 to 8, in place of the low three bits; 8 has zeros there.

    Whoever may choose an id finds one with any digest that he likes, as that of somebody's account: XXH64 is no secret.
    So keys of two scopes never are the same, and none is 0, which stands for no key.
    """
    key = (digest & ~np.uint64(7)) | np.uint64(scope & 7)
    return key if key != 0 else np.uint64(1 << 63)


@compiled
def key_within(session: np.uint64, account: np.uint64) -> np.uint64:
    """Key of a session under a known account, which differs from the key of the same session id under any other.

    The account's key is turned by half, so that it does not cancel out where both values are the same text.
    """
    return mix(session ^ _rotate(account, 32))


@compiled
def destination(home: np.uint64, destinations: int) -> int:
    """Partition that owns the actors of ``home``: its high 32 bits, scaled to ``[0, destinations)``.

    The low bits are left for the tables of the partition that owns it: a remainder would give all its actors the same
    ones wherever ``destinations`` is even.
    """
    return int(((home >> np.uint64(32)) * np.uint64(destinations)) >> np.uint64(32))
