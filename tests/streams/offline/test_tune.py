"""What-if: a row a case, each a replay of its own."""

from pathlib import Path

import msgspec
import orjson
import pytest

from schemas.errors import InputError, UsageError
from schemas.event_time import format_time
from schemas.mode import Mode
from streams.config import revision
from streams.offline.simulate.labels import Labels, PeopleLabel, ScraperLabel
from streams.offline.tune import ROWS_MAX, Case, LabelledRow, Task, Turn, combinations, judge, tune
from tests.low import low

START_US = 1_790_000_000_000_000
KEY = "detectors.profile_rate.account.minute"
ALONE = '[mode]\ndefault = "off"\n[detectors.profile_rate]\nmode = "enforce"\n'
"""One detector, so that a day is easily reckoned."""


def view(account: str, profile: int, after_s: float) -> bytes:
    """One view of a profile."""
    event = {
        "@timestamp": format_time(START_US + int(after_s * 1e6)),
        "http.request.method": "GET",
        "url.path": f"/people/{profile}",
        "user.id": account,
    }
    return orjson.dumps(event)


@pytest.fixture
def day(tmp_path: Path) -> Path:
    """Eve takes forty profiles and Ann twelve, both within a minute."""
    events = [view("eve", n, n) for n in range(40)] + [view("ann", n, 100 + n) for n in range(12)]
    file = tmp_path / "events.ndjson"
    file.write_bytes(b"\n".join(events))
    return file


def case(minute: int | None) -> Case:
    """The limit of an account in a minute; None leaves the default of 45."""
    changes = {} if minute is None else {KEY: minute}
    return Case(changes, low(ALONE, changes=changes))


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """Eve scrapes, Ann does not."""
    eve = ScraperLabel("burst-1", "burst", "fast", ["eve"], [], [], [], [], 40, 40)
    known = Labels(
        seed=1,
        start="",
        end="",
        quiet_until="",
        members=100,
        popularity_exponent=1.0,
        people=[PeopleLabel("reader", ["ann"])],
        scrapers=[eve],
    )
    file = tmp_path / "labels.json"
    file.write_bytes(msgspec.json.encode(known))
    return file


def test_a_row_says_what_the_case_led_to(day: Path) -> None:
    """At 20 a minute Eve is blocked at her 25th profile: 5 alert-worthy ones later, 15 requests denied."""
    row = judge(Turn(Task((day,)), case(20)))
    assert row.set == {KEY: 20}
    assert (row.incidents, row.blocks, row.accounts_blocked, row.addresses_blocked) == (1, 1, 1, 0)
    assert (row.requests_denied, row.exposure_before_block, row.labelled) == (15, 25, None)
    assert row.time_to_block_s is not None
    assert row.time_to_alert_s is not None
    assert row.time_to_block_s - row.time_to_alert_s == 5


def test_labels_tell_people_from_scrapers(day: Path, labels: Path) -> None:
    """At 8 a minute Ann is hurt too; at 20 only Eve is stopped; at 45 nobody is."""
    task = Task((day,), None, labels)
    found = [row.labelled for row in tune(task, [case(None), case(20), case(8)])]
    assert found == [
        LabelledRow(people_alerted=0, people_hurt=0, leaked=40, scrapers=1, found=0, blocked=0),
        LabelledRow(people_alerted=0, people_hurt=0, leaked=25, scrapers=1, found=1, blocked=1),
        LabelledRow(people_alerted=1, people_hurt=1, leaked=10, scrapers=1, found=1, blocked=1),
    ]


def test_times_are_the_scrapers_own_where_there_are_labels(day: Path, labels: Path) -> None:
    """From its first profile on: the 20th comes 19 s later, the 25th 24 s; nothing found, nothing to tell."""
    none, some = tune(Task((day,), None, labels), [case(None), case(20)])
    assert (some.time_to_alert_s, some.time_to_block_s) == (19, 24)
    assert (none.time_to_alert_s, none.time_to_block_s) == (None, None)


def test_mode_is_that_of_every_detector(day: Path) -> None:
    """In shadow the same is seen and nothing is blocked, and the revision says that it was another run."""
    shadow, enforce = judge(Turn(Task((day,), Mode.SHADOW), case(20))), judge(Turn(Task((day,)), case(20)))
    assert shadow.incidents > 0
    assert (shadow.blocks, shadow.accounts_blocked, shadow.requests_denied) == (0, 0, 0)
    assert enforce.blocks > 0
    assert shadow.config != enforce.config


def test_several_processes_give_the_rows_of_one(day: Path, labels: Path) -> None:
    """In the order of the cases, and the progress ends at all."""
    task, cases, told = Task((day,), None, labels), [case(None), case(20), case(8)], list[float]()
    assert tune(task, cases, jobs=2, told=told.append) == tune(task, cases)
    assert told == sorted(told)
    assert told[-1] == 1


def test_progress_in_one_process(day: Path) -> None:
    """It grows over what is done once and all cases together."""
    told: list[float] = []
    tune(Task((day,)), [case(20), case(8)], told=told.append)
    assert told == [1 / 3, 2 / 3, 1.0]


def test_the_same_settings_are_replayed_once(day: Path) -> None:
    """A value that stands already costs no replay, and has its row all the same."""
    told: list[float] = []
    same = Case({"policy.block_s": 3600}, low(ALONE, changes={"policy.block_s": 3600}))
    first, second = tune(Task((day,)), [case(None), same], told=told.append)
    assert told == [1.0]
    assert (first.set, second.set) == ({}, {"policy.block_s": 3600})
    assert first.config == second.config == revision(same.settings)


def test_combinations_begin_with_the_configuration_as_it_stands() -> None:
    """The last key moves fastest."""
    assert combinations({"a": [1, 2], "b": ["x", "y"]}) == [
        {},
        {"a": 1, "b": "x"},
        {"a": 1, "b": "y"},
        {"a": 2, "b": "x"},
        {"a": 2, "b": "y"},
    ]


def test_too_many_combinations_are_refused() -> None:
    """Two hundred are taken, one more is not."""
    assert len(combinations({"a": range(20), "b": range(10)})) == ROWS_MAX + 1
    with pytest.raises(UsageError, match="201 combinations"):
        combinations({"a": range(67), "b": range(3)})


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, jobs: int) -> None:
    """With its place, also when another process reads it."""
    broken = tmp_path / "events.ndjson"
    broken.mkdir()
    with pytest.raises(InputError, match=r"events\.ndjson: Is a directory"):
        tune(Task((broken,)), [case(None), case(20)], jobs=jobs)
