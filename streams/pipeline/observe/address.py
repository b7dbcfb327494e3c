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
from streams.pipeline.observe.text import Text, copy, signed

_ZERO: Final = ord("0")
_NINE: Final = ord("9")
_DOT: Final = ord(".")
_NET_END: Final = np.array([ord(letter) for letter in "0/24"], np.uint8)

_TEXT_MAX: Final = 64
"""Longer than any address with a zone; a text beyond it is none, and does not get into the cache."""


class Address(NamedTuple):
    """Values of both actors in ASCII, padded to the room that each event has for them."""

    padded: bytes
    address_size: int
    net_size: int


def read_addresses(events: Events, records: Sequence[RequestEvent]) -> None:
    """Make ADDRESS and NET the values of the two actors; sets the fault of events whose address is none."""
    odd = np.zeros(len(records), np.bool_)
    _read_v4(events.text, events.start, events.size, odd)
    rows = np.flatnonzero(odd)
    found = [_address(records[row].address or "") for row in rows.tolist()]
    if None in found:
        bad = np.array([one is None for one in found])
        events.fault[rows[bad & (events.fault[rows] == Fault.NONE)]] = Fault.ADDRESS
        rows = rows[~bad]
    _write(events, rows, [one for one in found if one is not None])


def _address(text: str) -> Address | None:
    return None if len(text) > _TEXT_MAX else parse_address(text)


@lru_cache(maxsize=65_536)
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
def v4_prefix_size(text: Text, start: int, size: int) -> int:
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
def _read_v4(text: Text, start: NDArray[np.int64], size: NDArray[np.int64], odd: NDArray[np.bool_]) -> None:
    """Write the network of every IPv4 address; mark all other addresses in ``odd``."""
    for row in range(len(odd)):
        if size[row, Field.ADDRESS] == ABSENT:
            continue
        begin, net = start[row, Field.ADDRESS], row * ROOM + NET_AT
        prefix = v4_prefix_size(text, begin, size[row, Field.ADDRESS])
        if prefix == 0:
            odd[row] = True
            continue
        at = copy(text, begin, prefix, text, net)
        at = copy(_NET_END, 0, len(_NET_END), text, at)
        start[row, Field.NET], size[row, Field.NET] = net, at - net
