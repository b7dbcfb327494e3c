"""Lists of robots' addresses: what their operators publish, and what becomes of a file while a process runs."""

import json
import logging
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from schemas.actor import Actor
from schemas.errors import ConfigError
from streams.config import parse, revision
from streams.enrichment import LOOK_S
from streams.pipeline.policy.exemption import Exemptions
from streams.robots import RobotLists, read_list, with_lists
from streams.section import changed
from streams.settings import Bot
from streams.toml import toml_of

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
GOOGLE = """{
  "creationTime": "2026-11-20T10:00:00.698177",
  "prefixes": [
    {
      "ipv6Prefix": "2001:4860:4801:10::/64"
    },
    {
      "ipv4Prefix": "192.178.5.0/27"
    }
  ]
}
"""


class Clock:
    """A wall clock that is set."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> int:
        """Microseconds since 1970."""
        return int(self.now.timestamp() * 1e6)


def list_of(*ranges: str, made: str = "2026-11-20T10:00:00.000000") -> str:
    """A list as Bing writes it, in one line."""
    prefixes = [{"ipv6Prefix" if ":" in one else "ipv4Prefix": one} for one in ranges]
    return json.dumps({"creationTime": made, "prefixes": prefixes})


def bot(path: Path, **more: object) -> Bot:
    """A robot with such a file."""
    return Bot(**{  # type: ignore[arg-type]  # tests give any field
        "name": "googlebot", "owner": "seo", "reason": "search", "expires": date(2027, 1, 31), "list_file": str(path),
        **more,
    })  # fmt: skip


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Google's."""
    path = tmp_path / "googlebot.json"
    path.write_text(GOOGLE)
    return path


def test_a_list_gives_ranges_and_its_day(file: Path) -> None:
    """As they stand in it; a time without a zone is UTC."""
    lists = RobotLists([bot(file)], Clock())
    (found,) = lists.bots
    assert found.ranges == ("2001:4860:4801:10::/64", "192.178.5.0/27")
    assert found.listed == date(2026, 11, 20)
    assert lists.labels == {"bots[0]": "googlebot 2026-11-20, 2 ranges"}
    assert lists.made_s == {"googlebot": datetime(2026, 11, 20, 10, 0, 0, 698177, UTC).timestamp()}


def test_without_files_there_is_nothing_to_do(tmp_path: Path) -> None:
    """Robots with ranges of their own stay as they are."""
    own = Bot("b", "seo", "r", date(2027, 1, 31), ("192.0.2.0/24",), date(2026, 11, 20))
    lists = RobotLists([own], Clock())
    assert not lists
    assert lists.bots == (own,)
    assert not lists.refresh()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "Input data was truncated"),
        ("{\n  'creationTime'", "line 2: JSON is malformed"),
        ('{"prefixes": []}', "Object missing required field `creationTime`"),
        ('{"creationTime": "2026-11-20T10:00:00"}', "Object missing required field `prefixes`"),
        (list_of(), "it names no range"),
        (GOOGLE.replace("192.178.5.0/27", "192.178.5.1/27"), "line 8: prefixes[1]: 192.178.5.1/27 has host bits set"),
        (GOOGLE.replace("192.178.5.0/27", "0.0.0.0/0"), "line 8: prefixes[1]: 0.0.0.0/0 is wider than /8"),
        (GOOGLE.replace("10::/64", "10::1/128"), "line 5: prefixes[0]: 2001:4860:4801:10::1/128 is longer than /64"),
        (GOOGLE.replace("ipv6Prefix", "ipv4Prefix"), "line 5: prefixes[0]: 2001:4860:4801:10::/64 is no ipv4Prefix"),
        (GOOGLE.replace("ipv4Prefix", "range"), "prefixes[1]: has to have either ipv4Prefix or ipv6Prefix"),
        (GOOGLE.replace('"192.178.5.0/27"', "7"), "prefixes[1].ipv4Prefix: Expected `str | null`, got `int`"),
        (GOOGLE.replace("2026-11-20T10", "20 November"), "line 2: creationTime: '20 November:00:00.698177' is no time"),
        (GOOGLE.replace("2026-11-20", "2027-11-20"), "line 2: creationTime: 2027-11-20T10:00:00.698177 lies ahead"),
        (
            list_of("192.0.2.0/24", made="0001-01-01T00:00:00+14:00"),
            "line 1: creationTime: '0001-01-01T00:00:00+14:00'",
        ),
        ("[" * 100_000, "Expected `object`, got `array`"),
        ('{"x": ' + "[" * 100_000, "nested too deeply"),
    ],
)
def test_a_wrong_list_is_refused_with_line_and_reason(file: Path, text: str, reason: str) -> None:
    """At the start the process does not begin; nothing of the file is taken."""
    file.write_text(text)
    with pytest.raises(ConfigError) as error:
        RobotLists([bot(file)], Clock())
    assert f"bots[0].list_file: {file}: {reason}" in str(error.value)


def test_a_directory_that_is_swapped_as_kubernetes_does(tmp_path: Path) -> None:
    """The link to the directory becomes another one: the list behind it counts from the next look on."""
    for name, ranges in (("a", ["192.0.2.0/24"]), ("b", ["192.0.2.0/25"])):
        (tmp_path / name).mkdir()
        (tmp_path / name / "bot.json").write_text(list_of(*ranges))
    data = tmp_path / "..data"
    data.symlink_to("a")
    (tmp_path / "bot.json").symlink_to("..data/bot.json")
    lists = RobotLists([bot(tmp_path / "bot.json")], Clock())
    (tmp_path / "fresh").symlink_to("b")
    (tmp_path / "fresh").replace(data)
    assert lists.refresh()
    assert lists.bots[0].ranges == ("192.0.2.0/25",)


def test_bytes_that_are_no_text_are_refused(file: Path) -> None:
    """And so is a file that is too long, or not there."""
    file.write_bytes(b"\xff" + GOOGLE.encode())
    with pytest.raises(ValueError, match="byte 0 is not UTF-8"):
        read_list(file, NOW)
    file.write_text(" " * 4_000_001)
    with pytest.raises(ValueError, match="longer than 4000000 bytes"):
        read_list(file, NOW)
    with pytest.raises(ConfigError, match="No such file"):
        RobotLists([bot(file.with_name("other.json"))], Clock())


def test_a_changed_list_counts_from_the_next_look_on(file: Path) -> None:
    """Without a restart; a look at what has not changed reads nothing."""
    lists = RobotLists([bot(file)], Clock())
    assert not lists.refresh()
    file.write_text(list_of("192.0.2.0/24", made="2026-11-28T00:00:00Z"))
    assert lists.refresh()
    (found,) = lists.bots
    assert (found.ranges, found.listed) == (("192.0.2.0/24",), date(2026, 11, 28))


def test_a_refused_list_is_told_once_and_the_one_before_goes_on(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Until the file changes again; a file that is gone, too."""
    lists = RobotLists([bot(file)], Clock())
    before = lists.bots
    file.write_text(GOOGLE.replace("192.178.5.0/27", "nonsense"))
    for _ in range(3):
        assert not lists.refresh()
    assert lists.bots == before
    (said,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert "line 8: prefixes[1]: 'nonsense' does not appear" in said
    assert said.endswith("the list of before goes on")
    file.unlink()
    assert not lists.refresh()
    file.write_text(list_of("192.0.2.0/24"))
    assert lists.refresh()


def test_an_old_list_goes_on_and_is_told_of_every_day(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    """From the day after its last good one; a new list ends it."""
    clock = Clock(datetime(2026, 11, 30, 9, tzinfo=UTC))
    lists = RobotLists([bot(file, list_age_max_days=9)], clock)
    assert not caplog.records
    for hours in (2, 3, 25, 27):
        clock.now = datetime(2026, 11, 30, 9, tzinfo=UTC) + timedelta(hours=hours)
        lists.refresh()
    told = [record.getMessage() for record in caplog.records]
    assert [text.partition(" is ")[2].partition(";")[0] for text in told] == ["10 days old", "11 days old"]
    assert lists.bots[0].ranges
    file.write_text(list_of("192.0.2.0/24", made="2026-12-01T00:00:00"))
    clock.now += timedelta(days=1)
    caplog.clear()
    assert lists.refresh()
    assert not [record for record in caplog.records if record.levelno == logging.WARNING]


def test_what_a_list_says_is_no_part_of_a_revision(file: Path) -> None:
    """It changes of itself, and each process reads its own; nor is it published."""
    text = (
        f"[[bots]]\nname = 'b'\nowner = 'o'\nreason = 'r'\nexpires = 2027-01-31\nlist_file = {json.dumps(str(file))}\n"
    )
    settings = parse(text)
    read = with_lists(settings)
    assert read.bots[0].ranges
    assert revision(read) == revision(settings) != revision(parse(""))
    assert changed(settings, read) == []
    assert parse(toml_of(settings)) == settings


def test_addresses_of_a_list_are_spared(file: Path) -> None:
    """As those of ranges in the configuration are."""
    exemptions = Exemptions(with_lists(parse("")))
    spared = Exemptions(parse("").__class__(bots=RobotLists([bot(file)], Clock()).bots))
    for actor in (Actor("ip", "192.178.5.7"), Actor("net", "192.178.5.0/24"), Actor("ip", "2001:4860:4801:10::/64")):
        assert spared.allowed(actor, Clock()())
        assert not exemptions.allowed(actor, Clock()())


def test_files_are_looked_at_as_those_of_addresses_are() -> None:
    """Within a minute, as the documentation says."""
    assert LOOK_S <= 60
