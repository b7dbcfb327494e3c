"""Small files in MaxMind's format, version 2.0: a binary tree over the bits of addresses, then what is known."""

import struct
from collections.abc import Mapping
from ipaddress import IPv4Network, ip_network
from typing import Final

MARKER: Final = b"\xab\xcd\xefMaxMind.com"
BUILT_S: Final = 1_795_000_000
"""In November 2026."""

Known = str | int | bool | Mapping[str, "Known"] | list["Known"]


def mmdb(networks: Mapping[str, Known], kind: str = "Test", *, v6: bool = True, built_s: int = BUILT_S) -> bytes:
    """A file that knows ``networks``, which do not overlap; IPv4 lies where IPv6 has it, below ``::/96``."""
    tree: list[list[int | None]] = [[None, None]]
    data, places = bytearray(), {}
    for text, known in networks.items():
        packed = _packed(known)
        if packed not in places:
            places[packed] = len(data)
            data += packed
        _enter(tree, _bits(text, v6=v6), -1 - places[packed])
    about: dict[str, Known] = {"database_type": kind, "languages": ["en"], "description": {"en": "for tests"}}
    numbers = {
        "node_count": (6, len(tree)),
        "record_size": (5, 32),
        "ip_version": (5, 6 if v6 else 4),
        "binary_format_major_version": (5, 2),
        "binary_format_minor_version": (5, 0),
        "build_epoch": (9, built_s),
    }
    head = _control(7, len(about) + len(numbers))
    pairs = b"".join(_packed(name) + _packed(value) for name, value in about.items())
    pairs += b"".join(_packed(name) + _number(sort, value) for name, (sort, value) in numbers.items())
    nodes = b"".join(struct.pack(">I", _record(side, len(tree))) for node in tree for side in node)
    return nodes + bytes(16) + bytes(data) + MARKER + head + pairs


def _bits(text: str, *, v6: bool) -> str:
    network = ip_network(text)
    bits = f"{int(network.network_address):0{network.max_prefixlen}b}"[: network.prefixlen]
    return "0" * 96 + bits if v6 and isinstance(network, IPv4Network) else bits


def _enter(tree: list[list[int | None]], bits: str, value: int) -> None:
    node = 0
    for bit in bits[:-1]:
        following = tree[node][int(bit)]
        if following is None:
            following = tree[node][int(bit)] = len(tree)
            tree.append([None, None])
        assert following >= 0, "one network lies in another"
        node = following
    assert tree[node][int(bits[-1])] is None, "one network lies in another"
    tree[node][int(bits[-1])] = value


def _record(side: int | None, nodes: int) -> int:
    """A number below the nodes is one of them, the same number nothing, and above it what is known, 16 bytes on."""
    if side is None:
        return nodes
    return side if side >= 0 else nodes + 16 + (-1 - side)


def _control(sort: int, size: int) -> bytes:
    extended = bytes([sort - 7]) if sort > 7 else b""
    first = 0 if sort > 7 else sort << 5
    if size < 29:
        return bytes([first | size]) + extended
    assert size < 285
    return bytes([first | 29]) + extended + bytes([size - 29])


def _number(sort: int, value: int) -> bytes:
    packed = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return _control(sort, len(packed)) + packed


def _packed(value: Known) -> bytes:
    if isinstance(value, bool):
        return _control(14, int(value))
    if isinstance(value, int):
        return _number(6, value)
    if isinstance(value, str):
        return _control(2, len(value.encode())) + value.encode()
    if isinstance(value, list):
        return _control(11, len(value)) + b"".join(map(_packed, value))
    return _control(7, len(value)) + b"".join(_packed(name) + _packed(inner) for name, inner in value.items())
