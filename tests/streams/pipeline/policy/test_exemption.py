"""Who is recognised before judgement, and until when."""

from datetime import UTC, date, datetime
from typing import Final

import msgspec
import pytest

from schemas.actor import Actor
from streams.pipeline.expiry import expiry_us
from streams.pipeline.policy.exemption import Exemptions
from streams.settings import Allow, Bot, Collector, Group, Settings

EXPIRES: Final = date(2027, 1, 31)
LAST_US: Final = int(datetime(2027, 2, 1, tzinfo=UTC).timestamp()) * 1_000_000 - 1
"""The last microsecond of the day."""


def allowed(entry: str, actor: str, time_us: int = LAST_US) -> bool:
    """Whether an entry of the allowlist spares an actor."""
    listed, groups = (Allow(entry, "sre", "probes", EXPIRES),), (Group("g", ("fingerprint", "net", "asn")),)
    settings = msgspec.structs.replace(Settings(), allow=listed, groups=groups)
    return Exemptions(settings).allowed(Actor(*actor.split(":", 1)), time_us)


@pytest.mark.parametrize(
    ("entry", "actor", "wanted"),
    [
        ("account:42", "account:42", True),
        ("account:42", "account:43", False),
        ("account:42", "session:42", False),
        ("account:203.0.113.9", "ip:203.0.113.9", False),
        ("ip:203.0.113.9", "ip:203.0.113.9", True),
        ("ip:203.0.113.9", "ip:203.0.113.10", False),
        ("net:203.0.113.0/24", "ip:203.0.113.255", True),
        ("net:203.0.113.0/24", "ip:203.0.114.0", False),
        ("net:203.0.113.0/24", "net:203.0.113.0/24", True),
        ("net:203.0.113.0/28", "net:203.0.113.0/24", True),
        ("ip:203.0.113.9", "net:203.0.113.0/24", True),
        ("ip:203.0.113.9", "net:203.0.114.0/24", False),
        ("net:2001:db8::/32", "ip:2001:db8::1", True),
        ("net:2001:db8::/32", "net:2001:db8:1:2::/64", True),
        ("ip:2001:DB8:0::1", "ip:2001:db8::1", True),
        ("net:0.0.0.0/0", "ip:2001:db8::1", False),
        ("asn:64500", "asn:64500", True),
        ("asn:64500", "ip:203.0.113.9", False),
        ("fingerprint:a:b", "fingerprint:a:b", True),
        ("fingerprint:a", "fingerprint_asn:a@64500", True),
        ("fingerprint:a@b", "fingerprint_asn:a@b@64500", True),
        ("asn:64500", "fingerprint_asn:a@64500", True),
        ("asn:64501", "fingerprint_asn:a@64500", False),
        ("fingerprint_asn:a@64500", "fingerprint_asn:a@64500", True),
        ("fingerprint_asn:a@64500", "asn:64500", False),
        ("fingerprint_asn:a@64500", "combination:g:a@203.0.113.0/24@64500", True),
        ("fingerprint_asn:a@64501", "combination:g:a@203.0.113.0/24@64500", False),
        ("combination:g:a@203.0.113.0/24@64500", "combination:g:a@203.0.113.0/24@64500", True),
        ("combination:g:a@203.0.113.0/24@64500", "combination:g:b@203.0.113.0/24@64500", False),
        ("combination:g:a@203.0.113.0/24@64500", "net:203.0.113.0/24", False),
        ("fingerprint:a", "combination:g:a@203.0.113.0/24@64500", True),
        ("ip:203.0.113.9", "combination:g:a@203.0.113.0/24@64500", True),
        ("ip:203.0.114.9", "combination:g:a@203.0.113.0/24@64500", False),
        ("asn:64500", "combination:g:a@203.0.113.0/24@64500", True),
        ("asn:64500", "combination:h:a@203.0.113.0/24@64500", False),
    ],
)
def test_allowed(entry: str, actor: str, wanted: bool) -> None:
    """Exactly the one named; an address or a network whenever they have an address in common."""
    assert allowed(entry, actor) is wanted


@pytest.mark.parametrize(
    ("actor", "wanted"),
    [
        ("ip:192.0.2.127", True),
        ("ip:192.0.2.128", False),
        ("net:192.0.2.0/24", True),
        ("net:192.0.3.0/24", False),
        ("ip:2001:db8:77:1::/64", True),
        ("net:2001:db8:77::/48", True),
        ("net:2001:db8:78::/48", False),
        ("combination:g:192.0.2.0/24@64500", True),
        ("combination:g:192.0.3.0/24@64500", False),
        ("asn:64500", False),
        ("account:192.0.2.1", False),
    ],
)
def test_a_robots_addresses(actor: str, wanted: bool) -> None:
    """Neither they nor a network with one of them is blocked, whoever else comes from there, until the list expires."""
    bot = Bot("b", "seo", "verified", EXPIRES, ("192.0.2.0/25", "2001:db8:77::/48"), EXPIRES, user_agent="examplebot")
    exempt = Exemptions(msgspec.structs.replace(Settings(), bots=(bot,), groups=(Group("g", ("net", "asn")),)))
    assert exempt.allowed(Actor(*actor.split(":", 1)), LAST_US) is wanted
    assert not exempt.allowed(Actor(*actor.split(":", 1)), LAST_US + 1)


def test_expiry() -> None:
    """An entry holds to the end of its day, UTC, in event time."""
    assert expiry_us(EXPIRES) == LAST_US + 1
    assert allowed("account:42", "account:42", LAST_US)
    assert not allowed("account:42", "account:42", LAST_US + 1)


def test_quotas() -> None:
    """A collector has its quota, nobody else one."""
    collectors = (Collector("account:crm", 500, "sales", "contract", EXPIRES),)
    exemptions = Exemptions(msgspec.structs.replace(Settings(), collectors=collectors))
    assert exemptions.has_collectors
    assert exemptions.quotas(Actor("account", "crm")) == [(500, LAST_US + 1)]
    assert exemptions.quotas(Actor("session", "crm")) == []
    assert not Exemptions(Settings()).has_collectors
