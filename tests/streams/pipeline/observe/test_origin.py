"""ASN and country from outside, where the record does not say them."""

from collections.abc import Sequence
from typing import Any

import pytest

from streams.pipeline.observe.observer import Observed, Observer
from streams.pipeline.observe.origin import Origin, Origins
from streams.settings import Group, InputSettings
from streams.surfaces.setting import DEFAULT_SURFACES
from tests.streams.pipeline.observe.records import batch_of, record

GROUPS = [Group("net_country", ("net", "country"))]
PLACES = {
    "203.0.113.9": Origin(64500, b"DE"),
    "198.51.100.7": Origin(4_294_967_295),
    "2001:db8:1:2::": Origin(country=b"AU"),
}


class Known:
    """Says what it knows, and notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def __call__(self, addresses: Sequence[str]) -> list[Origin]:
        """See `Origins`."""
        self.asked.append(list(addresses))
        return [PLACES.get(address, Origin()) for address in addresses]


def observe(records: Sequence[dict[str, Any]], origins: Origins | None = None) -> Observed:
    """What comes of records of fields beside the usual ones."""
    observer = Observer(InputSettings(), DEFAULT_SURFACES, 4, (), GROUPS, origins)
    return observer.observe(batch_of([record(fields) for fields in records]))


def fields(address: str, asn: int | None = None, country: str | None = None) -> dict[str, Any]:
    """Fields of a record, with or without what is known of its address."""
    known = {"client.as.number": asn, "client.geo.country_iso_code": country}
    return {"client.address": address, "tls.client.ja4": "t13d", "user.id": "u", **known}


def test_as_if_the_record_had_said_it() -> None:
    """Message for message the same bytes, with groups by ASN, by fingerprint within it and by country."""
    bare = [fields("203.0.113.9"), fields("198.51.100.7"), fields("2001:db8:1:2:3::4"), fields("192.0.2.1")]
    said = [
        fields("203.0.113.9", 64500, "DE"),
        fields("198.51.100.7", 4_294_967_295),
        fields("2001:db8:1:2:3::4", None, "AU"),
        fields("192.0.2.1"),
    ]
    assert observe(bare, Known()).messages == observe(said).messages
    assert observe(bare).messages != observe(said).messages


@pytest.mark.parametrize(("asn", "country"), [(64999, "FR"), (64999, None), (None, "FR")])
def test_the_record_counts_first(asn: int | None, country: str | None) -> None:
    """Each of the two by itself."""
    expected = fields("203.0.113.9", asn or 64500, country or "DE")
    assert observe([fields("203.0.113.9", asn, country)], Known()).messages == observe([expected]).messages


def test_each_address_is_asked_for_once_a_batch() -> None:
    """In whatever spelling it comes; not where the record says both, names no address, or is none."""
    known = Known()
    records = [fields("203.0.113.9"), fields("::ffff:203.0.113.9"), fields("2001:db8:1:2::7")] * 50
    records += [fields("198.51.100.7", 1, "DE"), fields("203.0.113.9") | {"client.address": None}, fields("nowhere")]
    observed = observe(records, known)
    assert [sorted(asked) for asked in known.asked] == [["2001:db8:1:2::", "203.0.113.9"]]
    assert len(observed.dead) == 1
    observe([fields("198.51.100.7", 1, "DE")], known)
    assert len(known.asked) == 1, "nobody is asked for nothing"
