"""Verified robots are recognised by their addresses, and leave nothing behind."""

from datetime import date
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streams.pipeline.expiry import expiry_us
from streams.pipeline.observe import Observed, Observer
from streams.pipeline.observe.bot import compile_bots
from streams.settings import Bot, InputSettings
from streams.surfaces.setting import DEFAULT_SURFACES
from tests.streams.pipeline.observe.records import NOW_US, batch_of, observe, record

LAST_DAY = date(2027, 1, 31)
END_US = expiry_us(LAST_DAY)
V4, V6 = "192.0.2.0/25", "2001:db8:77::/48"
INSIDE = "192.0.2.9"


def bot(*ranges: str, agent: str | None = None, expires: date = LAST_DAY) -> Bot:
    """A robot with these ranges."""
    return Bot("bot", "seo", "verified", expires, ranges, date(2026, 11, 20), user_agent=agent)


def see(values: list[bytes], *bots: Bot) -> Observed:
    """What comes of the records where these are the robots."""
    return Observer(InputSettings(time_skew_max_s=0), DEFAULT_SURFACES, 4, bots).observe(batch_of(values))


def visit(address: str, agent: str | None = None, changes: dict[str, object] | None = None) -> bytes:
    """A view without an account, unless the changes name one."""
    return record({"client.address": address, "user_agent.original": agent, "user.id": None} | (changes or {}))


def is_exempt(value: bytes, *bots: Bot) -> bool:
    """Whether the one record is a robot's; then there is nothing of it, else it is as it is without robots."""
    observed, plain = see([value], *bots), see([value])
    if observed.counts.exempt:
        assert (observed.counts.exempt, observed.counts.rows, observed.counts.profiles) == (1, 0, 0)
        assert observed.messages == [None] * 4
    else:
        assert observed == plain
    return bool(observed.counts.exempt)


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("192.0.1.255", False),
        ("192.0.2.0", True),
        ("192.0.2.127", True),
        ("192.0.2.128", False),
        ("::ffff:192.0.2.127", True),
        ("::ffff:c000:0280", False),
        ("2001:db8:76:ffff:ffff:ffff:ffff:ffff", False),
        ("2001:db8:77::", True),
        ("2001:0DB8:0077:ffff:ffff:ffff:ffff:ffff", True),
        ("2001:db8:78::", False),
        ("::c000:200", False),
    ],
)
def test_both_edges_of_a_range(address: str, inside: bool) -> None:
    """The first and the last address belong to it, their neighbours do not; IPv4 within IPv6 is IPv4."""
    assert is_exempt(visit(address), bot(V4, V6)) == inside


def test_few_ranges_are_looked_at() -> None:
    """Of thousands only those around each other: no more than there are lengths of a prefix."""
    nested = bot(*(f"10.{n // 256}.{n % 256}.0/24" for n in range(5_000)), "10.0.0.0/8", "10.0.0.0/12", "11.0.0.0/8")
    ranges = compile_bots([nested, bot("2001:db8::/32", "2001:db8:1::/48", "::/16")])
    assert ranges is not None
    depth: list[int] = []
    for parent in ranges.parent.tolist():
        depth.append(0 if parent < 0 else depth[parent] + 1)
    assert max(depth) == 2
    assert is_exempt(visit("10.255.0.1"), nested)
    assert is_exempt(visit("10.0.3.1"), bot("10.0.0.0/8", agent="nobody"), bot("10.0.3.0/24"), bot("10.0.2.0/24"))
    assert is_exempt(visit("10.0.3.1", "agent"), bot("10.0.0.0/8", agent="agent"), bot("10.0.3.0/24", agent="nobody"))


@pytest.mark.parametrize(
    ("narrow", "inside", "outside"),
    [
        ("2001:db8::/64", "2001:db8::ffff:0:0:1", "2001:db8:0:1::"),
        ("8000::/1", "ffff::", "7fff:ffff::"),
        ("::/1", "7fff:ffff:ffff:ffff::", "8000::"),
        ("255.255.255.255", "255.255.255.255", "255.255.255.254"),
        ("0.0.0.0/32", "0.0.0.0", "0.0.0.1"),
        ("128.0.0.0/1", "255.0.0.0", "127.255.255.255"),
    ],
)
def test_narrowest_and_widest_ranges(narrow: str, inside: str, outside: str) -> None:
    """Down to a subscriber or a host, and over the middle of what 64 bits with a sign can hold."""
    assert is_exempt(visit(inside), bot(narrow))
    assert not is_exempt(visit(outside), bot(narrow))


@pytest.mark.parametrize(
    ("agent", "exempt"),
    [
        ("ExampleBot", True),
        ("eXAMPLEbOT", True),
        ("Mozilla/5.0 (compatible; examplebot/2.1)", True),
        ("examplebo", False),
        ("xamplebot", False),
        ("exampleboexamplebot", True),
        ("example bot", False),
        ("EXAMPLE\u00a0bot", False),
        ("", False),
        (None, False),
    ],
)
def test_a_user_agent_must_contain_the_text(agent: str | None, exempt: bool) -> None:
    """In any case of letters; an address in the range that says something else is judged as anybody."""
    assert is_exempt(visit(INSIDE, agent), bot(V4, agent="ExampleBot")) == exempt
    assert not is_exempt(visit("192.0.2.200", agent), bot(V4, agent="ExampleBot"))


def test_case_is_that_of_ascii_alone() -> None:
    """Letters beyond it, and signs that differ from others as letters do, must be as they are written."""
    assert is_exempt(visit(INSIDE, "BOT-\u00c4[1]"), bot(V4, agent="bot-\u00c4[1]"))
    assert not is_exempt(visit(INSIDE, "bot-\u00e4[1]"), bot(V4, agent="bot-\u00c4[1]"))
    assert not is_exempt(visit(INSIDE, "bot-\u00c4{1}"), bot(V4, agent="bot-\u00c4[1]"))


@pytest.mark.parametrize("agent", ["any", "", None])
def test_without_a_text_any_user_agent_will_do(agent: str | None) -> None:
    """Even none."""
    assert is_exempt(visit(INSIDE, agent), bot(V4))


def test_a_range_is_forgotten_with_the_end_of_its_last_day() -> None:
    """By the time of the event: exempt in the last microsecond, judged in the next."""
    assert END_US == 1_801_440_000_000_000  # 2027-02-01T00:00Z
    assert is_exempt(visit(INSIDE, changes={"@timestamp": END_US - 1}), bot(V4))
    assert not is_exempt(visit(INSIDE, changes={"@timestamp": END_US}), bot(V4))


def test_a_last_day_at_the_end_of_all_days() -> None:
    """Whoever means for ever may say so."""
    assert is_exempt(visit(INSIDE), bot(V4, expires=date.max))


def test_who_logs_in_is_judged_by_account() -> None:
    """An account within the range is anybody's; an empty one is none, and so is a session."""
    assert not is_exempt(visit(INSIDE, changes={"user.id": "u1"}), bot(V4))
    assert is_exempt(visit(INSIDE, changes={"user.id": ""}), bot(V4))
    assert is_exempt(visit(INSIDE, changes={"session.id": "s"}), bot(V4))


def test_without_an_address_nobody_is_recognised() -> None:
    """A session alone lies in no range, be it the widest."""
    assert not is_exempt(record(without=("user.id", "client.address")), bot("0.0.0.0/0", "::/0"))


def test_ranges_within_ranges() -> None:
    """Each bot counts on its own: its text, its expiry, its ranges, wherever those of others begin and end."""
    old = date(2026, 11, 1)
    bots = [
        bot("192.0.2.0/24", agent="wide"),
        bot("192.0.2.8/29", agent="narrow"),
        bot("192.0.2.8/30", agent="gone", expires=old),
        bot("192.0.2.64/26", "2001:db8::/32", agent="other"),
    ]
    found = [
        [is_exempt(visit(address, agent), *bots) for agent in ("wide", "narrow", "gone", "other")]
        for address in ("192.0.2.9", "192.0.2.13", "192.0.2.16", "192.0.2.64", "2001:db8::1", "2001:db9::1")
    ]
    assert found == [
        [True, True, False, False],
        [True, True, False, False],
        [True, False, False, False],
        [True, False, False, True],
        [False, False, False, True],
        [False, False, False, False],
    ]


def test_neighbours_are_as_if_the_robot_was_not_there() -> None:
    """Its records, views, searches and touches, are counted apart; the watermark goes on; what is none stays dead."""
    other = record({"@timestamp": NOW_US - 1_000})
    robot = [
        visit(INSIDE),
        visit(INSIDE, changes={"weir.targets": ["a", "b"]}),
        visit(INSIDE, changes={"url.path": "/about"}),
    ]
    bad = visit(INSIDE, changes={"url.path": "/people/\0"})
    observed = see([*robot, other, bad], bot(V4))
    counts = observed.counts
    assert (counts.exempt, counts.disclosed, counts.dead, counts.records) == (3, 1, 1, 5)
    assert counts.profiles == 1
    assert counts.rows == observe([other]).counts.rows
    assert observed.watermark_us == NOW_US
    assert [dead.index for dead in observed.dead] == [4]


def test_no_caution_is_told_of_what_is_not_judged() -> None:
    """A robot's long fingerprint misleads nobody."""
    value = visit(INSIDE, changes={"tls.client.ja4": "x" * 60})
    assert see([value]).counts.long_fingerprints == 1
    assert see([value], bot(V4)).counts.long_fingerprints == 0


RANGES = st.one_of(
    st.builds(lambda bits, size: f"{ip_network((bits, size), strict=False)}", st.ip_addresses(v=4), st.integers(0, 32)),
    st.builds(lambda bits, size: f"{ip_network((bits, size), strict=False)}", st.ip_addresses(v=6), st.integers(0, 64)),
)


@st.composite
def ranges_and_addresses(draw: st.DrawFn) -> tuple[list[list[str]], list[str]]:
    """Ranges of some robots, and addresses of which most lie at an edge of one."""
    bots = draw(st.lists(st.lists(RANGES, min_size=1, max_size=4), min_size=1, max_size=4))
    addresses = draw(st.lists(st.ip_addresses().map(str), max_size=3))
    for text in (text for ranges in bots for text in ranges):
        network = ip_network(text)
        step = draw(st.integers(-2, 2)) * (1 if network.version == 4 else 2**64)
        edge = int(draw(st.sampled_from([network.network_address, network.broadcast_address]))) + step
        kind = IPv4Address if network.version == 4 else IPv6Address
        addresses.append(str(kind(min(max(edge, 0), 2**network.max_prefixlen - 1))))
    return bots, addresses


def lies_in(text: str, ranges: list[str]) -> bool:
    """Whether an address lies in one of the ranges by the standard library."""
    address = ip_address(text)
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in ip_network(one) for one in ranges)


@settings(deadline=None)
@given(case=ranges_and_addresses())
@example(case=([["::/0"], ["0.0.0.0/0"]], ["::ffff:1.2.3.4", "::", "ffff::", "0.0.0.0"]))
def test_ranges_are_those_of_the_standard_library(case: tuple[list[list[str]], list[str]]) -> None:
    """Whatever ranges there are, an address belongs to a robot if `ipaddress` finds it in one of its ranges."""
    bots, addresses = case
    made = [bot(*ranges, agent=f"bot-{place}") for place, ranges in enumerate(bots)]
    values = [visit(address, f"Bot-{place}/1") for address in addresses for place in range(4)]
    wanted = sum(lies_in(address, ranges) for address in addresses for ranges in bots)
    assert see(values, *made).counts.exempt == wanted
