"""Who the client is, behind proxies: forwarded addresses are read from the right.

Each proxy adds, on the right, the address that asked it; whatever stands on the left of that came with the request and
may be forged. So the way goes from the connection leftwards for as long as each address is a trusted proxy's:

    X-Forwarded-For: 10.9.9.9 (forged), 203.0.113.9, 192.0.2.7       connection: 10.0.0.1
                                        ▲ the client ◀── trusted ◀────────────── trusted
"""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, NamedTuple

ADDRESSES_MAX: Final = 64
"""Forwarded addresses that are looked at, from the right: no chain of proxies is longer."""
_TEXT_MAX: Final = 64


class Trusted(NamedTuple):
    """Ranges of proxies whose word is taken."""

    ranges: tuple[IPv4Network | IPv6Network, ...] = ()

    def holds(self, address: IPv4Address | IPv6Address) -> bool:
        """Whether it is one of theirs; IPv4 that is mapped into IPv6 is IPv4."""
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        return any((mapped or address) in one for one in self.ranges)


def trusted_of(ranges: Sequence[str]) -> Trusted:
    """Ranges as configured; raises ValueError for what is none."""
    return Trusted(tuple(ip_network(text) for text in ranges))


def forwarded_of(header: str | None) -> Sequence[str]:
    """Addresses of an X-Forwarded-For header in its order, the last ones of many; ports and brackets are taken off."""
    if not header or header == "-":
        return ()
    return [host_of(part) for part in header.rsplit(",", ADDRESSES_MAX)[-ADDRESSES_MAX:]]


def client_of(peer: str | None, forwarded: Sequence[str], trusted: Trusted) -> str | None:
    """The client: the first address from the right that is no trusted proxy's; the leftmost if all are.

    What is no address ends the way: what stands left of it is nobody's word. Without a ``peer``, where the server does
    not say who held the connection, the rightmost forwarded address stands for it.
    """
    way = [*forwarded[-ADDRESSES_MAX:], *(() if peer is None else (peer,))]
    client: str | None = None
    for text in reversed(way):
        address = _address(text)
        if address is None:
            return client if client is not None else text
        client = text
        if not trusted.holds(address):
            break
    return client


@lru_cache(maxsize=16_384)
def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _address(text: str) -> IPv4Address | IPv6Address | None:
    return None if len(text) > _TEXT_MAX else _parsed(text)


@lru_cache(maxsize=16_384)
def host_of(text: str) -> str:
    """An address without its port, brackets and quotes: ``[::1]:80``, ``10.0.0.1:80``, ``::1``."""
    text = text.strip(' "')
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text
