"""Files of ASNs and countries: what each vendor's says, and what becomes of them while a process runs."""

import logging
import random
from pathlib import Path

import pytest

from schemas.errors import ConfigError
from streams.enrichment import Enrichment, asn_of, country_of, enrichment_of
from streams.pipeline.observe.origin import Origin
from streams.settings import EnrichSettings
from tests.mmdb import Known, mmdb

GEOLITE_ASN: dict[str, Known] = {
    "203.0.113.0/24": {"autonomous_system_number": 64500, "autonomous_system_organization": "Example Hosting"},
    "2001:db8:1::/48": {"autonomous_system_number": 64501, "autonomous_system_organization": "Example Access"},
}
GEOLITE_COUNTRY: dict[str, Known] = {
    "203.0.113.0/25": {
        "continent": {"code": "EU", "geoname_id": 6255148, "names": {"en": "Europe"}},
        "country": {"geoname_id": 2921044, "is_in_european_union": True, "iso_code": "DE", "names": {"en": "Germany"}},
        "registered_country": {"geoname_id": 6252001, "iso_code": "US", "names": {"en": "United States"}},
    },
    "203.0.113.128/25": {"registered_country": {"geoname_id": 6252001, "iso_code": "US"}},
}
IPINFO_LITE: dict[str, Known] = {
    "198.51.100.0/24": {
        "asn": "AS64502",
        "as_name": "Example",
        "as_domain": "example.net",
        "continent_code": "OC",
        "continent": "Oceania",
        "country_code": "AU",
        "country": "Australia",
    }
}


def write(directory: Path, name: str, networks: dict[str, Known], **more: bool) -> str:
    """A file as its vendor's updater puts it: under another name first."""
    file = directory / name
    (directory / "new").write_bytes(mmdb(networks, name, **more))
    (directory / "new").rename(file)
    return str(file)


@pytest.fixture
def geolite(tmp_path: Path) -> EnrichSettings:
    """Two files of one vendor."""
    asn = write(tmp_path, "GeoLite2-ASN", GEOLITE_ASN)
    return EnrichSettings(asn, write(tmp_path, "GeoLite2-Country", GEOLITE_COUNTRY))


def test_two_files(geolite: EnrichSettings) -> None:
    """Each address gets what both say; where an address is registered is not where it is used."""
    found = Enrichment(geolite)(["203.0.113.9", "203.0.113.200", "2001:db8:1:2::", "198.51.100.7", "10.0.0.1"])
    assert found == [Origin(64500, b"DE"), Origin(64500), Origin(64501), Origin(), Origin()]


def test_one_file_for_both(tmp_path: Path) -> None:
    """IPinfo's lite file says both; given twice it is read twice."""
    file = write(tmp_path, "lite", IPINFO_LITE)
    assert Enrichment(EnrichSettings(file, file))(["198.51.100.7"]) == [Origin(64502, b"AU")]
    assert Enrichment(EnrichSettings(asn_file=file))(["198.51.100.7"]) == [Origin(64502)]
    assert Enrichment(EnrichSettings(country_file=file))(["198.51.100.7"]) == [Origin(country=b"AU")]


def test_no_file() -> None:
    """Nobody is asked."""
    assert enrichment_of(EnrichSettings()) is None


def test_a_file_without_ipv6(tmp_path: Path) -> None:
    """It says nothing of IPv6, and nothing goes wrong."""
    file = write(tmp_path, "v4", {"203.0.113.0/24": {"autonomous_system_number": 64500}}, v6=False)
    assert Enrichment(EnrichSettings(file))(["2001:db8::", "203.0.113.1"]) == [Origin(), Origin(64500)]


@pytest.mark.parametrize(
    ("record", "asn"),
    [
        ({"autonomous_system_number": 64500}, 64500),
        ({"traits": {"autonomous_system_number": 64500}}, 64500),
        ({"asn": "AS64500"}, 64500),
        ({"asn": 64500}, 64500),
        ({"asn": "64500"}, 64500),
        ({"asn": "AS4294967295"}, 4294967295),
        ({"asn": "AS4294967296"}, None),
        ({"asn": 2**32}, None),
        ({"asn": 0}, None),
        ({"asn": ""}, None),
        ({"asn": "AS"}, None),
        ({"asn": "AS٣"}, None),
        ({"asn": "AS" + "9" * 5000}, None),
        ({"asn": {"number": 1}}, None),
        ({"asn": {"asn": "AS64500", "name": "Example"}}, 64500),
        ({"as": {"as_number": 64500}}, 64500),
        ({"as_number": 64500, "as_name": "Example"}, 64500),
        ({"country": "DE", "traits": {"autonomous_system_number": 64500, "user_type": "hosting"}}, 64500),
        ({"asn": True}, None),
        ({}, None),
        ("AS64500", None),
        (None, None),
    ],
)
def test_spellings_of_a_number(record: object, asn: int | None) -> None:
    """The vendors' are read; anything else is no number."""
    assert asn_of(record) == asn


@pytest.mark.parametrize(
    ("record", "country"),
    [
        ({"country": {"iso_code": "DE"}}, b"DE"),
        ({"country": {"names": {"en": "Germany"}}}, None),
        ({"country_code": "DE", "country": "Germany"}, b"DE"),
        ({"country": "DE", "country_name": "Germany"}, b"DE"),
        ({"country": "de"}, b"DE"),
        ({"country": "Germany"}, None),
        ({"country": "D1"}, None),
        ({"country": "ÄÖ"}, None),
        ({"country": 49}, None),
        ({"country": {"code": "DE"}}, b"DE"),
        ({"country_iso_code": "DE"}, b"DE"),
        ({"country_code": "", "country": "DE"}, b"DE"),
        ({"registered_country": {"iso_code": "US"}}, None),
        (None, None),
    ],
)
def test_spellings_of_a_country(record: object, country: bytes | None) -> None:
    """Two letters, as each vendor has them."""
    assert country_of(record) == country


EVERYWHERE = "0.0.0.0/1"


def test_another_layout_is_refused_with_what_it_has(tmp_path: Path) -> None:
    """At a start, so that nobody runs for weeks without ASNs and does not know it."""
    file = write(tmp_path, "own", {EVERYWHERE: {"owner": {"number": 64500, "name": "x"}, "place": "DE"}})
    with pytest.raises(ConfigError) as refused:
        Enrichment(EnrichSettings(asn_file=file))
    assert str(refused.value) == (
        f"enrich.asn_file: {file}: none of 508 records has an ASN where a vendor that is known has one; "
        "they have owner.name, owner.number, place"
    )
    with pytest.raises(ConfigError, match=r"has a country in place\.code; they have"):
        Enrichment(EnrichSettings(country_file=file, country_field="place.code"))


def test_another_layout_can_be_named(tmp_path: Path) -> None:
    """By the path to what is wanted, in any of its spellings."""
    file = write(tmp_path, "own", {EVERYWHERE: {"owner": {"number": "AS64500"}, "place": "de"}})
    settings = EnrichSettings(file, file, asn_field="owner.number", country_field="place")
    assert Enrichment(settings)(["100.64.0.1", "203.0.113.9"]) == [Origin(64500, b"DE"), Origin()]


def test_another_layout_does_not_take_the_place_of_a_file_that_serves(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A database of places under the name of that of ASNs: the one of before goes on."""
    enrichment = Enrichment(EnrichSettings(write(tmp_path, "asn", {EVERYWHERE: {"asn": "AS64500"}})))
    write(tmp_path, "asn", {EVERYWHERE: {"city": "x"}})
    assert not enrichment.refresh()
    assert enrichment(["100.64.0.1"]) == [Origin(64500)]
    assert "has an ASN where a vendor that is known has one; they have city; the one of before" in caplog.text


def test_a_new_file_is_read(geolite: EnrichSettings, tmp_path: Path) -> None:
    """Put in the other's place, it counts from the next batch on; nothing is remembered of the one before."""
    enrichment = Enrichment(geolite)
    assert enrichment(["203.0.113.9"]) == [Origin(64500, b"DE")]
    assert not enrichment.refresh()
    write(tmp_path, "GeoLite2-ASN", {"203.0.113.0/24": {"autonomous_system_number": 64999}})
    assert enrichment(["203.0.113.9"]) == [Origin(64500, b"DE")], "nothing changes on its own"
    assert enrichment.refresh()
    assert enrichment(["203.0.113.9"]) == [Origin(64999, b"DE")]
    assert enrichment.labels["asn"] == "GeoLite2-ASN 2026-11-18"


def test_what_is_not_whole_is_not_taken(
    geolite: EnrichSettings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Cut, emptied or deleted under a process, in place too: the one of before goes on, and that is told once each."""
    enrichment, file = Enrichment(geolite), tmp_path / "GeoLite2-ASN"
    whole = file.read_bytes()
    for number, bad in enumerate((whole[:-40], whole[: len(whole) // 2], b"", b"<html>not found</html>"), 1):
        file.write_bytes(bad)
        with caplog.at_level(logging.WARNING):
            assert not enrichment.refresh()
            assert not enrichment.refresh()
        assert len(caplog.records) == number
        assert enrichment(["203.0.113.9", "203.0.113.10"]) == [Origin(64500, b"DE")] * 2
    file.unlink()
    assert not enrichment.refresh()
    assert not enrichment.refresh()
    assert [record.getMessage() for record in caplog.records[4:]] == [
        f"enrich.asn_file: {file}: No such file or directory; the one of before goes on"
    ]
    file.write_bytes(mmdb({"203.0.113.0/24": {"autonomous_system_number": 64999}}))
    assert enrichment.refresh()
    assert enrichment(["203.0.113.9"]) == [Origin(64999, b"DE")]


def test_damage_ends_nothing(tmp_path: Path) -> None:
    """Whatever byte of a file is another one, it is refused, or says something of each address."""
    whole, chance = mmdb(GEOLITE_ASN), random.Random(7)
    for at in range(len(whole)):
        damaged = bytearray(whole)
        damaged[at] ^= 1 << chance.randrange(8)
        (tmp_path / "damaged").write_bytes(damaged)
        try:
            enrichment = Enrichment(EnrichSettings(str(tmp_path / "damaged")))
        except ConfigError:
            continue
        assert len(enrichment(["203.0.113.9", "2001:db8:1::", "0.0.0.0", "ffff::"])) == 4


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "No such file or directory"),
        (b"x", "this is no whole file in MaxMind's format"),
        (b"", "this is no whole"),
    ],
)
def test_a_start_wants_the_file(content: bytes | None, told: str, tmp_path: Path) -> None:
    """In one line that names key, file and reason."""
    if content is not None:
        (tmp_path / "a.mmdb").write_bytes(content)
    with pytest.raises(ConfigError) as refused:
        Enrichment(EnrichSettings(country_file=str(tmp_path / "a.mmdb")))
    assert str(refused.value).startswith(f"enrich.country_file: {tmp_path}/a.mmdb: {told}")


def test_nothing_is_left_behind(geolite: EnrichSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The copy that is mapped has no name any more."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    enrichment = Enrichment(geolite)
    assert list((tmp_path / "tmp").iterdir()) == []
    assert enrichment(["203.0.113.9"]) == [Origin(64500, b"DE")]
