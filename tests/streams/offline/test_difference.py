from pathlib import Path

import pytest
from msgspec.structs import replace

from schemas.block import BLOCK_CODEC, Action, BlockMode
from streams.config import parse
from streams.offline.difference import compare, outcomes_of
from tests.contract.golden_file import lines
from tests.days import HALF_DAY, values

STRICT = """
[mode]
default = "off"
[detectors.profile_rate]
mode = "enforce"
[detectors.profile_rate.account]
hour = 80
"""
LAX = STRICT.replace("hour = 80", "hour = 200")


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a day of people and scrapers."""
    path = tmp_path_factory.mktemp("day") / "events.ndjson"
    path.write_bytes(b"".join(value + b"\n" for value in values(HALF_DAY)))
    return path


def test_the_same_twice_differs_in_nobody(day: Path) -> None:
    """And has somebody in common."""
    compared = compare([day], parse(STRICT), parse(STRICT))
    assert compared.differences == []
    assert compared.same > 0


def test_a_lower_limit_blocks_more_and_earlier(day: Path) -> None:
    """Who is blocked by only one, and who by both at another time; the other way round it is the mirror image."""
    compared = compare([day], parse(STRICT), parse(LAX))
    by = {one.by for one in compared.differences}
    assert "first" in by
    assert "second" not in by
    for one in compared.differences:
        assert one.first is not None
        if one.second is not None:
            assert one.first.at < one.second.at
            assert one.first.profiles < one.second.profiles
    mirrored = compare([day], parse(LAX), parse(STRICT)).differences
    swap = {"first": "second", "second": "first", "both": "both"}
    assert {(one.actor, swap[one.by]) for one in mirrored} == {(one.actor, one.by) for one in compared.differences}


def test_the_strongest_action_counts_and_a_shadow_none() -> None:
    """The time is that of the first one that is as strong: two configurations that block at other times differ."""
    block = replace(BLOCK_CODEC.decode(lines("block.v1")[0]), mode=BlockMode.ENFORCE)
    challenge = replace(block, action=Action.CHALLENGE)
    later = replace(block, action=Action.BLOCK, event_time="2027-01-01T00:00:00.000Z")
    last = replace(later, event_time="2027-01-02T00:00:00.000Z")
    found = outcomes_of([challenge, later, challenge, last])
    assert [(one.action, one.at) for one in found.values()] == [("block", later.event_time)]
    assert outcomes_of([replace(block, mode=BlockMode.SHADOW)]) == {}
