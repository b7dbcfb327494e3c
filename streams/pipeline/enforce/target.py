"""What a decision is upon, in the words of enforcers: Weir's actors as CrowdSec's scopes and values.

CrowdSec's four scopes are spelled exactly so, since an enforcer compares them letter by letter. The others are the
platform's own, for enforcers that ask for them. Values of addresses are canonical: enforcers compare texts.
"""

from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, NamedTuple

from schemas.actor import Actor, Scope

Network = IPv4Network | IPv6Network

IP: Final = "Ip"
RANGE: Final = "Range"
AS: Final = "AS"
SPELLED: Final = {"ip": IP, "range": RANGE, "country": "Country", "as": AS}
"""CrowdSec's scopes by their small letters; it takes them in any case."""
SCOPES: Final = {
    Scope.ACCOUNT.label: "username",
    Scope.SESSION.label: "session",
    Scope.IP.label: IP,
    Scope.NET.label: RANGE,
    Scope.ASN.label: AS,
    Scope.FINGERPRINT.label: "fingerprint",
    Scope.FINGERPRINT_ASN.label: "fingerprint_asn",
    Scope.COMBINATION.label: "combination",
}
"""By Weir's scope. An IPv6 subscriber is an `ip` actor of a whole /64, and so a range to enforcers."""
KNOWN: Final = (
    *dict.fromkeys(SPELLED.values()),
    "username",
    "session",
    "fingerprint",
    "fingerprint_asn",
    "combination",
)


class Target(NamedTuple):
    """Scope and value as enforcers spell them."""

    scope: str
    value: str


def target_of(actor: Actor) -> Target:
    """The target of an actor; a scope that a later version of Weir may have keeps its name.

    Raises:
        ValueError: an address or network is none, or has bits behind its prefix.
    """
    scope = SCOPES.get(actor.scope, actor.scope)
    if scope == AS:
        return Target(AS, actor.value.removeprefix("AS"))
    if scope not in (IP, RANGE):
        return Target(scope, actor.value)
    network = ip_network(actor.value)
    if scope == IP and "/" not in actor.value:
        return Target(IP, str(network.network_address))
    return Target(RANGE, str(network))


def network_of(target: Target) -> Network | None:
    """The addresses of a target; None where it is upon none."""
    return ip_network(target.value) if target.scope in (IP, RANGE) else None


def asked_network(text: str) -> Network:
    """The address or range that a question names; bits behind its prefix do not count.

    An IPv4 address that is mapped into IPv6, as servers see it that listen on both, is IPv4.

    Raises:
        ValueError: it is neither, or names an interface (``fe80::1%eth0``).
    """
    if "%" in text:
        raise ValueError(f"{text!r} names an interface")
    if "/" in text:
        return ip_network(text, strict=False)
    address = ip_address(text)
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return ip_network(mapped or address)


def spelled(scope: str) -> str:
    """A scope as decisions spell it: CrowdSec's own in any case, others as they are."""
    return SPELLED.get(scope.lower(), scope)
