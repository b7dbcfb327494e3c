"""Zones, as they are configured."""

from datetime import datetime, timedelta

import pytest

from schemas.errors import ConfigError
from streams.config import parse
from streams.inputs.zone import zone_of

SUMMER = datetime(2026, 7, 1)  # noqa: DTZ001 - the zone under test is put in
WINTER = datetime(2026, 12, 1)  # noqa: DTZ001


@pytest.mark.parametrize(
    ("text", "summer_h", "winter_h"),
    [("UTC", 0, 0), ("utc", 0, 0), ("+02:00", 2, 2), ("-09:30", -9.5, -9.5), ("Europe/Berlin", 2, 1)],
)
def test_a_zone_is_so_far_from_utc(text: str, summer_h: float, winter_h: float) -> None:
    """A named one by the season."""
    zone = zone_of(text)
    assert zone is not None
    assert zone.utcoffset(SUMMER) == timedelta(hours=summer_h)
    assert zone.utcoffset(WINTER) == timedelta(hours=winter_h)


def test_no_zone_is_none() -> None:
    """An empty text says that times without a zone are refused."""
    assert zone_of("") is None


@pytest.mark.parametrize("text", ["Mars/Olympus", "../../etc/passwd", "+2", "+99:99", "CEST"])
def test_what_is_no_zone_is_a_mistake_of_the_configuration(text: str) -> None:
    """Said with file and line."""
    with pytest.raises(ConfigError, match=r"weir\.toml:2: input\.zone: there is no time zone"):
        parse(f'[input]\nzone = "{text}"\n', "weir.toml")


def test_what_is_no_range_of_proxies_is_a_mistake_of_the_configuration() -> None:
    """Likewise; a host's bits beyond the mask are a slip."""
    with pytest.raises(ConfigError, match=r"weir\.toml:2: input\.trusted_proxies"):
        parse('[input]\ntrusted_proxies = ["10.0.0.0/8", "10.0.0.1/8"]\n', "weir.toml")
