"""Verified robots: search engines' crawlers, uptime monitors, by the ranges of addresses that their operators publish.

A user agent alone proves nothing, since anybody can write one. It only narrows a range down: a cloud's addresses are
its customers' too. Who logs in is judged by account, wherever from.
"""

from collections.abc import Sequence
from ipaddress import IPv4Network, ip_network
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.core.compiled import compiled
from streams.pipeline.expiry import expiry_us
from streams.pipeline.observe.address import parse_v6
from streams.pipeline.observe.events import ABSENT, Events, Fault, Field
from streams.pipeline.observe.text import Text, signed
from streams.settings import Bot

_ZERO: Final = ord("0")
_UPPER_A: Final = ord("A")
_UPPER_Z: Final = ord("Z")
_DOT: Final = ord(".")
_SLASH: Final = ord("/")
_ENDING_SIZE: Final = len("/64")
_LOWER: Final = 32
_HALF: Final = 1 << 63
"""Taken from the upper 64 bits of IPv6, so that they have a sign and keep their order."""


class Ranges(NamedTuple):
    """r ranges of addresses, those of IPv4 before those of IPv6, each sort in the order of their first address."""

    low: NDArray[np.int64]
    """[r] first address: of IPv4 its 32 bits, of IPv6 the upper 64 less `_HALF`."""
    high: NDArray[np.int64]
    """[r] last address."""
    parent: NDArray[np.int64]
    """[r] the narrowest range before this one that holds it; -1 for none. Networks lie within each other or apart."""
    until_us: NDArray[np.int64]
    """[r] event time from which the range is forgotten."""
    agent_start: NDArray[np.int64]
    """[r] span in `agents` of what the user agent must contain; of no size where any will do."""
    agent_size: NDArray[np.int64]
    agents: Text
    """In lower case, as far as ASCII goes."""
    v4_count: int
    """How many of the ranges are of IPv4."""


def compile_bots(bots: Sequence[Bot]) -> Ranges | None:
    """The ranges of all bots, which `config` has checked; None without a bot."""
    agents = [(bot.user_agent or "").encode().lower() for bot in bots]
    starts = np.cumsum([0, *map(len, agents)]).tolist()
    rows = [
        (*edges(text), expiry_us(bot.expires), starts[place], len(agents[place]))
        for place, bot in enumerate(bots)
        for text in bot.ranges
    ]
    if not rows:
        return None
    # Of two that begin alike the wider one comes first, as it holds the other.
    rows.sort(key=lambda row: (row[0], row[1], -row[2]))
    sort, low, high, until_us, agent_start, agent_size = (
        np.array(column, np.int64) for column in zip(*rows, strict=True)
    )
    v4_count = int(np.count_nonzero(sort == 0))
    parent = np.array(_parents(rows), np.int64)
    text = np.array([*b"".join(agents)], np.uint8)
    return Ranges(low, high, parent, until_us, agent_start, agent_size, text, v4_count)


def recognise(ranges: Ranges | None, events: Events, time_us: NDArray[np.int64]) -> NDArray[np.bool_]:
    """[n] events of verified robots. Wants addresses that are read; an event with a fault is nobody's."""
    found = np.zeros(len(events.fault), np.bool_)
    if ranges is not None:
        _recognise(events.text, events.start, events.size, events.fault, time_us, *ranges, found)
    return found


def edges(text: str) -> tuple[int, int, int]:
    """Sort (0 for IPv4), first and last address of a range."""
    network = ip_network(text, strict=False)
    first, last = int(network.network_address), int(network.broadcast_address)
    if isinstance(network, IPv4Network):
        return 0, first, last
    return 1, (first >> 64) - _HALF, (last >> 64) - _HALF


def _parents(rows: Sequence[tuple[int, ...]]) -> list[int]:
    """Of each row, sort, first and last address first, the narrowest before it that holds it; ABSENT for none."""
    parents: list[int] = []
    for at, (sort, low, *_) in enumerate(rows):
        around = at - 1
        while around != ABSENT and (rows[around][0] != sort or rows[around][2] < low):
            around = parents[around]
        parents.append(around)
    return parents


@compiled
def _v4_number(text: Text, start: int, end: int) -> int:
    """The 32 bits of an address in its dotted spelling."""
    number, octet = 0, 0
    for at in range(start, end):
        if text[at] == _DOT:
            number, octet = number << 8 | octet, 0
        else:
            octet = octet * 10 + signed(text[at]) - _ZERO
    return number << 8 | octet


@compiled
def _v6_number(text: Text, start: int, end: int, groups: NDArray[np.int64]) -> int:
    """The upper 64 bits less `_HALF` of a subscriber's network, spelled without its ``/64``."""
    parse_v6(text, start, end, groups)
    return signed((groups[0] - 0x8000) << 48 | groups[1] << 32 | groups[2] << 16 | groups[3])


@compiled
def _lower(byte: int) -> int:
    return byte | _LOWER if _UPPER_A <= byte <= _UPPER_Z else byte


@compiled
def _contains(text: Text, start: int, size: int, part: Text, part_start: int, part_size: int) -> bool:
    """Whether the span contains the part, which is in lower case; nothing is in every text, and in none at all."""
    for first in range(start, start + size - part_size + 1):
        k = 0
        while k < part_size and _lower(signed(text[first + k])) == part[part_start + k]:
            k += 1
        if k == part_size:
            return True
    return part_size == 0


@compiled
def _last_not_above(low: NDArray[np.int64], begin: int, end: int, number: int) -> int:
    """The last of the ranges ``[begin, end)`` that does not begin above the number; ``begin - 1`` if all do."""
    while begin < end:
        middle = (begin + end) // 2
        if low[middle] <= number:
            begin = middle + 1
        else:
            end = middle
    return begin - 1


@compiled
def _recognise(
    text: Text,
    start: NDArray[np.int64],
    size: NDArray[np.int64],
    fault: NDArray[np.uint8],
    time_us: NDArray[np.int64],
    low: NDArray[np.int64],
    high: NDArray[np.int64],
    parent: NDArray[np.int64],
    until_us: NDArray[np.int64],
    agent_start: NDArray[np.int64],
    agent_size: NDArray[np.int64],
    agents: Text,
    v4_count: int,
    found: NDArray[np.bool_],
) -> None:
    groups = np.zeros(8, np.int64)
    for row in range(len(fault)):
        begin, length = start[row, Field.ADDRESS], size[row, Field.ADDRESS]
        if length == ABSENT or size[row, Field.USER] != ABSENT or fault[row] != Fault.NONE:
            continue
        end = begin + length
        if text[end - _ENDING_SIZE] == _SLASH:
            number, first, last = _v6_number(text, begin, end - _ENDING_SIZE, groups), v4_count, len(low)
        else:
            number, first, last = _v4_number(text, begin, end), 0, v4_count
        at = _last_not_above(low, first, last, number)
        at = at if at >= first else ABSENT
        # Of the ranges around each other that hold the address any may be the one that counts.
        while at != ABSENT and not found[row]:
            found[row] = (
                high[at] >= number
                and time_us[row] < until_us[at]
                and _contains(
                    text,
                    start[row, Field.AGENT],
                    size[row, Field.AGENT],
                    agents,
                    agent_start[at],
                    agent_size[at],
                )
            )
            at = parent[at]
