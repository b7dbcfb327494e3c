"""Client addresses: the value of the ip actor and of its network.

IPv4 stays as it is, its network is the /24. Of IPv6 a subscriber has a whole /64, so that is the ip actor, and its
network is the /48. IPv4 that is mapped into IPv6 is IPv4.
"""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.core.compiled import compiled
from schemas.request import RequestEvent
from streams.pipeline.observe.events import ABSENT, ADDRESS_AT, NET_AT, ROOM, Events, Fault, Field
from streams.pipeline.observe.text import Text, copy, hex_digit, signed

_ZERO: Final = ord("0")
_NINE: Final = ord("9")
_DOT: Final = ord(".")
_COLON: Final = ord(":")
_A: Final = ord("a")
_V4_ENDING: Final = np.array([*b"0/24"], np.uint8)
_SUBSCRIBER_ENDING: Final = np.array([*b"::/64"], np.uint8)
_SITE_ENDING: Final = np.array([*b"::/48"], np.uint8)
_GROUPS: Final = 8

_TEXT_MAX: Final = 64
"""Longer than any address with a zone; a text beyond it is none, and does not get into the cache."""


class Address(NamedTuple):
    """Values of both actors in ASCII, padded to the room that each event has for them."""

    padded: bytes
    address_size: int
    net_size: int

    @property
    def ip(self) -> str:
        """Value of the ip actor."""
        return self.padded[: self.address_size].decode()


def read_addresses(events: Events, records: Sequence[RequestEvent]) -> None:
    """Make ADDRESS and NET the values of the two actors; sets the fault of events whose address is none."""
    odd = np.zeros(len(records), np.bool_)
    _read(events.text, events.start, events.size, odd)
    rows = np.flatnonzero(odd)
    found = [_address(records[row].address or "") for row in rows.tolist()]
    if None in found:
        bad = np.array([one is None for one in found])
        events.fault[rows[bad & (events.fault[rows] == Fault.NONE)]] = Fault.ADDRESS
        rows = rows[~bad]
    _write(events, rows, [one for one in found if one is not None])


def _address(text: str) -> Address | None:
    return None if len(text) > _TEXT_MAX else parse_address(text)


@lru_cache(maxsize=16_384)
def parse_address(text: str) -> Address | None:
    """Values of the actors of an address in any spelling; None if it is none."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else address
    values = _v4_values(mapped) if mapped is not None else _v6_values(int(address))
    padded = b"".join(value.encode().ljust(NET_AT - ADDRESS_AT, b"\0") for value in values)
    return Address(padded, len(values[0]), len(values[1]))


def _v4_values(address: IPv4Address) -> tuple[str, str]:
    return str(address), f"{IPv4Address(int(address) & ~255)}/24"


def _v6_values(number: int) -> tuple[str, str]:
    subscriber, site = (IPv6Address(number >> bits << bits) for bits in (64, 80))
    return f"{subscriber}/64", f"{site}/48"


def _write(events: Events, rows: NDArray[np.int64], found: Sequence[Address]) -> None:
    count = len(events.fault)
    room = events.text[: count * ROOM].reshape(count, ROOM)
    width = 2 * (NET_AT - ADDRESS_AT)
    padded = np.frombuffer(b"".join(one.padded for one in found), np.uint8)
    room[rows, ADDRESS_AT : ADDRESS_AT + width] = padded.reshape(len(found), width)
    events.start[rows, Field.ADDRESS] = rows * ROOM + ADDRESS_AT
    events.start[rows, Field.NET] = rows * ROOM + NET_AT
    events.size[rows, Field.ADDRESS] = [one.address_size for one in found]
    events.size[rows, Field.NET] = [one.net_size for one in found]


@compiled
def _octet_end(text: Text, at: int, end: int) -> int:
    """Where the decimal octet at ``at`` ends; ``at`` itself if there is none, as with a zero before it."""
    number, k = 0, at
    while k < end and k < at + 3 and _ZERO <= text[k] <= _NINE:
        number = number * 10 + signed(text[k]) - _ZERO
        k += 1
    leading_zero = k > at + 1 and text[at] == _ZERO
    return at if number > 255 or leading_zero else k


@compiled
def _v4_prefix_size(text: Text, start: int, size: int) -> int:
    """Bytes of the first three octets with their dots; 0 if the text is no IPv4 address as `ipaddress` reads it."""
    at, end = start, start + size
    for _ in range(3):
        following = _octet_end(text, at, end)
        if following == at or following == end or text[following] != _DOT:
            return 0
        at = following + 1
    following = _octet_end(text, at, end)
    return at - start if following > at and following == end else 0


@compiled
def _hextet(text: Text, at: int, end: int) -> tuple[int, int]:
    """Where the group of up to four hexadecimal digits at ``at`` ends, and its number."""
    number = 0
    for k in range(at, min(end, at + 4)):
        digit = hex_digit(signed(text[k]))
        if digit < 0:
            return k, number
        number = number * 16 + digit
    return min(end, at + 4), number


@compiled
def _expand(groups: NDArray[np.int64], count: int, gap: int) -> bool:
    """Put zeros where ``::`` stood, before group ``gap``, ABSENT if nowhere; whether that makes eight groups."""
    if gap == ABSENT or count == _GROUPS:
        return gap == ABSENT and count == _GROUPS
    moved = count - gap
    for k in range(moved):
        groups[_GROUPS - 1 - k] = groups[count - 1 - k]
    groups[gap : _GROUPS - moved] = 0
    return True


@compiled
def parse_v6(text: Text, at: int, end: int, groups: NDArray[np.int64]) -> bool:
    """Read groups with at most one ``::``; false for all else, which may still be an address spelled otherwise."""
    count, gap = 0, ABSENT
    if at + 1 < end and text[at] == _COLON and text[at + 1] == _COLON:
        gap, at = 0, at + 2
    while at < end and count < _GROUPS:
        following, groups[count] = _hextet(text, at, end)
        count += 1
        if following == at:
            return False
        at = following
        if at == end:
            break
        if text[at] != _COLON or at + 1 == end:
            return False
        at += 1
        if text[at] == _COLON:
            if gap != ABSENT:
                return False
            gap, at = count, at + 1
    return at == end and _expand(groups, count, gap)


@compiled
def _write_hextet(text: Text, at: int, number: int) -> int:
    size = 1 + (number > 0xF) + (number > 0xFF) + (number > 0xFFF)
    for k in range(size):
        digit = (number >> 4 * (size - 1 - k)) & 15
        text[at + k] = digit + (_ZERO if digit < 10 else _A - 10)
    return at + size


@compiled
def _write_v6(text: Text, at: int, groups: NDArray[np.int64], kept: int, ending: Text) -> int:
    """Write the network of the first ``kept`` groups, at most four, as RFC 5952 spells it; the position behind it.

    What follows these is the longest run of zeros, so ``::`` stands at the end.
    """
    while kept > 0 and groups[kept - 1] == 0:
        kept -= 1
    for k in range(kept):
        at = _write_hextet(text, at, groups[k])
        if k < kept - 1:
            text[at] = _COLON
            at += 1
    return copy(ending, 0, len(ending), text, at)


@compiled
def _is_plain_v6(text: Text, start: int, size: int, groups: NDArray[np.int64]) -> bool:
    """Whether the text is IPv6 spelled in groups alone, and holds no IPv4."""
    if not parse_v6(text, start, start + size, groups):
        return False
    return groups[5] != 0xFFFF or bool((groups[:5] != 0).any())


@compiled
def _read(text: Text, start: NDArray[np.int64], size: NDArray[np.int64], odd: NDArray[np.bool_]) -> None:
    """Write the values of addresses in their usual spelling; mark all others in ``odd``."""
    groups = np.zeros(_GROUPS, np.int64)
    for row in range(len(odd)):
        begin, length = start[row, Field.ADDRESS], size[row, Field.ADDRESS]
        if length == ABSENT:
            continue
        net, end = row * ROOM + NET_AT, 0
        prefix = _v4_prefix_size(text, begin, length)
        if prefix > 0:
            end = copy(_V4_ENDING, 0, len(_V4_ENDING), text, copy(text, begin, prefix, text, net))
        elif _is_plain_v6(text, begin, length, groups):
            subscriber = row * ROOM + ADDRESS_AT
            start[row, Field.ADDRESS] = subscriber
            size[row, Field.ADDRESS] = _write_v6(text, subscriber, groups, 4, _SUBSCRIBER_ENDING) - subscriber
            end = _write_v6(text, net, groups, 3, _SITE_ENDING)
        else:
            odd[row] = True
            continue
        start[row, Field.NET], size[row, Field.NET] = net, end - net
