"""Who the client is, behind proxies."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.inputs.proxies import ADDRESSES_MAX, client_of, forwarded_of, host_of, trusted_of

PROXIES = trusted_of(["10.0.0.0/8", "2001:db8:1::/48", "192.0.2.7"])


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("203.0.113.9", "", "203.0.113.9"),
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "6.6.6.6, 203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "6.6.6.6, 203.0.113.9, 192.0.2.7, 10.1.1.1", "203.0.113.9"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "203.0.113.9, unknown", "10.0.0.1"),
        ("10.0.0.1", "unknown, 203.0.113.9", "203.0.113.9"),
        ("::ffff:10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("2001:db8:1::5", "[2001:db8:2::9]:4711", "2001:db8:2::9"),
        ("10.0.0.1", "203.0.113.9:4711", "203.0.113.9"),
        ("10.0.0.1", "", "10.0.0.1"),
        (None, "6.6.6.6, 203.0.113.9", "203.0.113.9"),
        ("localhost", "203.0.113.9", "localhost"),
    ],
)
def test_forwarded_addresses_are_read_from_the_right(peer: str | None, forwarded: str, client: str) -> None:
    """As far as each address is a trusted proxy's; the first that is none asked; what is no address ends the way."""
    assert client_of(peer, forwarded_of(forwarded), PROXIES) == client


def test_without_trusted_proxies_nobody_is_believed() -> None:
    """The connection's own address counts, whatever its request says."""
    assert client_of("10.0.0.1", forwarded_of("203.0.113.9"), trusted_of([])) == "10.0.0.1"


@pytest.mark.parametrize("forged", range(200))
def test_of_200_addresses_those_on_the_left_change_nothing(forged: int) -> None:
    """However many of them a client has made up, itself a proxy's address among them, it is who it is."""
    made_up = [f"10.9.{n}.1" if n % 2 else f"6.6.{n}.6" for n in range(forged)]
    proxies = [f"10.1.0.{n}" for n in range(min(199 - forged, ADDRESSES_MAX - 1))]
    header = ", ".join([*made_up, "203.0.113.9", *proxies])
    assert client_of("10.0.0.1", forwarded_of(header), PROXIES) == "203.0.113.9"


def test_more_proxies_than_anybody_has_are_not_followed() -> None:
    """A header of thousands of trusted addresses costs no more than one of a few."""
    found = forwarded_of(", ".join(["203.0.113.9", *["10.0.0.1"] * 100_000]))
    assert len(found) == ADDRESSES_MAX
    assert client_of("10.0.0.1", found, PROXIES) == "10.0.0.1"


@given(st.text(max_size=60), st.text(max_size=30))
def test_any_header_is_taken(header: str, peer: str) -> None:
    """Nothing that a client may send raises."""
    client = client_of(peer, forwarded_of(header), PROXIES)
    assert client is not None


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("10.0.0.1:80", "10.0.0.1"),
        ("[::1]:80", "::1"),
        ("[::1]", "::1"),
        ("::1", "::1"),
        (' "[2001:db8::1]:4711"', "2001:db8::1"),
        ("example.com:443", "example.com"),
        ("", ""),
    ],
)
def test_hosts_without_ports(text: str, host: str) -> None:
    """Ports, brackets and quotes are taken off, and of IPv6 nothing else."""
    assert host_of(text) == host
