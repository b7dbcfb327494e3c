from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streams.pipeline.observe.address import read_addresses
from streams.pipeline.observe.events import Fault, Field
from streams.pipeline.observe.reading import read
from tests.streams.pipeline.observe.records import batch_of, observe, record, value_at

Values = tuple[str, str] | None

ADDRESSES = st.ip_addresses().map(str)
EXPLODED = st.ip_addresses().map(lambda address: address.exploded)
MAPPED = st.ip_addresses(v=4).map(lambda address: f"::ffff:{address}")
NEARLY = st.builds(
    lambda text, at, letter: text[:at] + letter + text[at:],
    ADDRESSES | MAPPED,
    st.integers(0, 40),
    st.sampled_from([*"0123456789abcf.:/% ", "", "00", "\u0663"]),
)
QUADS = st.lists(st.integers(0, 300).map(str) | st.sampled_from(["00", "01", "", "1e1"]), min_size=3, max_size=5)


def expected(text: str) -> Values:
    """Values of the ip actor and the net actor by the standard library."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is None:
            plain = IPv6Address(int(address))
            return str(ip_network((plain, 64), strict=False)), str(ip_network((plain, 48), strict=False))
        address = IPv4Address(address.ipv4_mapped)
    return str(address), str(ip_network((address, 24), strict=False))


def found(texts: list[str]) -> list[Values]:
    """Values of the ip actor and the net actor of each of one batch of records."""
    values = [record({"client.address": text}) for text in texts]
    reading = read(batch_of(values), 10**6)
    events = reading.events
    read_addresses(events, reading.records)
    return [
        (value_at(events, row, Field.ADDRESS) or "", value_at(events, row, Field.NET) or "")
        if events.fault[row] == Fault.NONE
        else None
        for row in range(len(values))
    ]


@given(texts=st.lists(ADDRESSES | EXPLODED | MAPPED | NEARLY | QUADS.map(".".join), min_size=1, max_size=8))
@example(texts=["203.0.113.7", "255.255.255.255", "0.0.0.0", "1.2.3.04", "1.2.3.256", "1.2.3", "1.2.3.4.", "1.2.3.4 "])
@example(texts=["::ffff:cb00:7107", "::fffe:cb00:7107", "1::ffff:cb00:7107", "0:0:0:0:0:ffff:cb00:7107", "::ffff"])
@example(
    texts=["1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8::", "1::2::3", "1:", ":1", ":::"]
)
@example(
    texts=["0:0:1::", "1:0:0:2::", "10:200:3000:f::", "00001::", "g::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::8:"]
)
@example(texts=["fe80::1%eth0", "::", "::1", "2001:db8::1", "::ffff:203.0.113.7", "1.2.3.4:80", "[::1]", "a" * 70])
def test_addresses_are_read_as_the_standard_library_reads_them(texts: list[str]) -> None:
    """Values of both actors are those of `ipaddress`, and what it refuses is a dead letter, in any mixture."""
    assert found([text or "-" for text in texts]) == [expected(text or "-") for text in texts]


@pytest.mark.parametrize(
    ("address", "actor", "net"),
    [
        ("203.0.113.77", "203.0.113.77", "203.0.113.0/24"),
        ("::ffff:203.0.113.77", "203.0.113.77", "203.0.113.0/24"),
        ("2001:DB8:0:1::2", "2001:db8:0:1::/64", "2001:db8::/48"),
        ("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db8:ffff:ffff::/64", "2001:db8:ffff::/48"),
    ],
)
def test_values_are_spelled_in_one_way(address: str, actor: str, net: str) -> None:
    """The values as configuration and blocks spell them."""
    assert found([address]) == [(actor, net)]


@pytest.mark.parametrize(
    "address", ["unknown", "1.2.3.4:5678", "999.1.1.1", "1.2.3.4\x00", "10.0.0.0/8", "é", "1" * 5000]
)
def test_what_is_no_address_is_a_dead_letter(address: str) -> None:
    """It says where, and repeats nothing of the record; the record before and the one after it are untouched."""
    observed = observe([record(), record({"client.address": address}), record()])
    assert [(dead.index, dead.where, dead.reason) for dead in observed.dead] == [
        (1, "$.client.address", "is no IP address")
    ]
    assert observed.counts.disclosed == 2


def test_an_empty_address_is_no_address() -> None:
    """Empty means absent: the event is judged by its account, and has no ip actor."""
    observed = observe([record({"client.address": ""})])
    assert observed.counts.disclosed == 1
    assert observed.counts.rows == 5
