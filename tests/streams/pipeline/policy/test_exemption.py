"""Who is recognised before judgement, and until when."""

from datetime import UTC, date, datetime
from typing import Final

import msgspec
import pytest

from schemas.actor import Actor
from streams.pipeline.expiry import expiry_us
from streams.pipeline.policy.exemption import Exemptions
from streams.settings import Allow, Collector, Settings

EXPIRES: Final = date(2027, 1, 31)
LAST_US: Final = int(datetime(2027, 2, 1, tzinfo=UTC).timestamp()) * 1_000_000 - 1
"""The last microsecond of the day."""


def allowed(entry: str, actor: str, time_us: int = LAST_US) -> bool:
    """Whether an entry of the allowlist spares an actor."""
    listed = (Allow(entry, "sre", "probes", EXPIRES),)
    return Exemptions(msgspec.structs.replace(Settings(), allow=listed)).allowed(Actor(*actor.split(":", 1)), time_us)


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
    ],
)
def test_allowed(entry: str, actor: str, wanted: bool) -> None:
    """Exactly the one named; an address or a network whenever they have an address in common."""
    assert allowed(entry, actor) is wanted


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
