import os
from pathlib import Path

import msgspec
import numpy as np
import pytest

from schemas import topic
from schemas.actor import Actor
from schemas.alert import ALERT_CODEC, Alert
from schemas.block import BLOCK_CODEC, Action, Block, BlockStatus
from schemas.errors import UsageError
from schemas.event_time import format_time
from schemas.mode import Mode
from schemas.override import OVERRIDE_CODEC, Override, OverrideKind
from streams.pipeline.enforce.word import View
from streams.pipeline.policy.overruling import block_of
from streams.settings import ModeSettings, Settings
from streams.watch import watching as module
from streams.watch.keeping import MANIFEST, Kept
from streams.watch.operators import FILE, Operators
from streams.watch.operators import said as said_so
from streams.watch.process import sources_of
from streams.watch.watching import Watching
from tests.days import HALF_DAY, QUICK, records, run_whole, said, values
from tests.days import pipeline as offline
from tests.streams.pipeline.observe.records import record

NOW_US = records(HALF_DAY)[-1][0] + 1
"""When the log has ended."""
NOW = format_time(NOW_US)
BYTES_MAX = 1_000_000
ENFORCED = msgspec.structs.replace(
    QUICK,
    mode=ModeSettings(default=Mode.ENFORCE),
    policy=msgspec.structs.replace(QUICK.policy, block_age_max_s=0),
    fusion=msgspec.structs.replace(QUICK.fusion, until_fitted=Mode.ENFORCE),
    input=msgspec.structs.replace(QUICK.input, idle_after_ms=1),
)


def begin(state: Path, *logs: Path, settings: Settings = ENFORCED, samples: int = 0) -> Watching:
    """A process that begins, without its loop."""
    kept = Kept(state)
    return Watching(settings, kept, sources_of([str(log) for log in logs], kept, BYTES_MAX), lambda: NOW_US, samples)


def to_the_end(watching: Watching) -> None:
    """Until the logs have nothing new, and nobody waits for them any more."""
    while watching.step() or not all(told.idle for told in watching._told):
        watching.deliver()
    watching.deliver()


def decided(state: Path) -> list[object]:
    """All that stands in the files, by id, without clocks."""
    alerts = [ALERT_CODEC.decode(line) for line in (state / "alerts.ndjson").read_bytes().splitlines()]
    blocks = [BLOCK_CODEC.decode(line) for line in (state / "blocks.ndjson").read_bytes().splitlines()]
    together: list[Alert | Block] = [*alerts, *blocks]
    assert len({one.id for one in together}) == len(together)
    return list(said(together))


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log with half a day of people and half a day of scrapers."""
    path = tmp_path / "access.log"
    path.write_bytes(b"".join(value + b"\n" for value in values(HALF_DAY)))
    return path


class Topic:
    """The topic's name is part of an id: a replay of the same lines must have the same one."""

    @staticmethod
    def expected(monkeypatch: pytest.MonkeyPatch) -> list[object]:
        """What the pipeline decides on these lines."""
        monkeypatch.setattr("tests.days.TOPIC", module.TOPIC)
        return list(said(run_whole(offline(ENFORCED), values(HALF_DAY))))


def test_it_decides_as_the_pipeline_does(log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same alerts and blocks with the same ids."""
    expected = Topic.expected(monkeypatch)
    watching = begin(tmp_path / "state", log)
    to_the_end(watching)
    watching.close()
    assert decided(tmp_path / "state") == expected
    assert len(expected) > 50


def die(watching: Watching) -> None:
    """Leave the state as it is, as a killed process does."""
    for told in watching._told:
        told.source.close()
    watching._kept.close()
    watching.alerts.close()
    watching.blocks.close()


@pytest.mark.parametrize("seed", range(6))
def test_crashes_change_no_decision(log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Whenever it dies, with checkpoints at any time: in the end the files hold each decision once."""
    expected = Topic.expected(monkeypatch)
    rng, state = np.random.default_rng(seed), tmp_path / "state"
    monkeypatch.setattr(module, "BATCH_LINES", 700)
    for _ in range(5):
        watching = begin(state, log)
        synced = {file: file.stat().st_size for file in (state / "alerts.ndjson", state / "blocks.ndjson")}
        for _ in range(int(rng.integers(1, 12))):
            watching.step()
            watching.deliver()
            if rng.random() < 0.4:
                watching.keep()
                synced = {file: file.stat().st_size for file in synced}
        die(watching)
        for file, size in synced.items():
            os.truncate(file, int(rng.integers(size, file.stat().st_size + 1)))
    watching = begin(state, log)
    to_the_end(watching)
    watching.close()
    assert decided(state) == expected


def test_blocks_that_come_too_late_are_counted(log: Path, tmp_path: Path) -> None:
    """An old log opens alerts and blocks nobody: what is not sent for its age is told with what is."""
    at_once = begin(tmp_path / "at_once", log)
    to_the_end(at_once)
    policy = msgspec.structs.replace(ENFORCED.policy, block_age_max_s=900)
    late = begin(tmp_path / "late", log, settings=msgspec.structs.replace(ENFORCED, policy=policy))
    to_the_end(late)
    for one in at_once, late:
        one.close()
    assert late.seen.withheld > 0
    assert late.seen.blocks + late.seen.withheld == at_once.seen.blocks
    assert late.seen.blocked == f"{late.seen.blocks} blocks, {late.seen.withheld} too old to be sent"
    assert at_once.seen.blocked == f"{at_once.seen.blocks} blocks"


def test_enforcers_are_answered_when_all_is_read(log: Path, tmp_path: Path) -> None:
    """Never with a part; after a restart with what stood before, as soon as the end is reached again."""
    watching = begin(tmp_path / "state", log)
    assert watching.deciding.missing()
    to_the_end(watching)
    assert (watching.deciding.missing(), watching.deciding.complete_once) == ("", True)
    watching.close()


def test_a_log_that_never_rests_keeps_no_enforcer_waiting(tmp_path: Path) -> None:
    """There is always one line more when it is looked at; it has been read to its end all the same."""
    path = tmp_path / "log"
    path.write_bytes((record() + b"\n") * 10)
    watching = begin(tmp_path / "state", path)
    for _ in range(2):
        with path.open("ab") as file:
            file.write(record() + b"\n")
        assert watching.step()
        watching.deliver()
    assert (watching.deciding.missing(), watching._told[0].idle) == ("", False)
    watching.close()


def test_a_file_under_two_names_is_refused(log: Path, tmp_path: Path) -> None:
    """Each request would count twice; a log that is not there yet is waited for, under any name."""
    other, kept = tmp_path / "link.log", Kept(tmp_path / "state")
    other.symlink_to(log)
    with pytest.raises(UsageError, match="are the same file"):
        sources_of([str(log), str(other)], kept, BYTES_MAX)
    assert len(sources_of([str(log), str(tmp_path / "no.log"), str(tmp_path / "none.log")], kept, BYTES_MAX)) == 3
    kept.close()


def test_bad_lines_are_counted_and_shown(tmp_path: Path) -> None:
    """With place and reason; never fatal, and empty lines are none."""
    path = tmp_path / "log"
    path.write_bytes(b"\n" + record() + b"\nno record\n\xff\n" + b"x" * (BYTES_MAX + 5) + b"\n")
    watching = begin(tmp_path / "state", path, samples=2)
    to_the_end(watching)
    assert (watching.seen.lines, watching.seen.bad) == (4, 3)
    assert [line.split(": ")[0] for line in watching.seen.samples] == [f"{path}, line 3", f"{path}, line 4"]
    watching.close()


def test_a_log_more_and_a_log_less(log: Path, tmp_path: Path) -> None:
    """One that is followed no longer holds nobody up; a new one gets a number of its own."""
    other, state = tmp_path / "other.log", tmp_path / "state"
    other.write_bytes(record() + b"\n")
    watching = begin(state, log, other)
    to_the_end(watching)
    watching.close()
    third = tmp_path / "third.log"
    third.write_bytes(record() + b"\n")
    watching = begin(state, third, other)
    to_the_end(watching)
    assert [told.source.place.number for told in watching._told] == [2, 1]
    assert watching.seen.lines == 1
    watching.close()


def test_a_log_that_is_left_out_was_the_newest(log: Path, tmp_path: Path) -> None:
    """Nobody waits for it, though it was at work when the watch ended; another start follows it again."""
    other, state = tmp_path / "other.log", tmp_path / "state"
    other.write_bytes(b"")
    watching = begin(state, log, other)
    to_the_end(watching)
    other.write_bytes(record() + b"\n")
    watching._told[1].source.read(0, 1e9)
    assert watching.step()
    watching.close()
    watching = begin(state, log)
    assert not watching._pipeline.assessors[0].release.awake
    watching.close()
    watching = begin(state, log, other)
    to_the_end(watching)
    assert (watching.seen.lines, [told.source.place.number for told in watching._told]) == (0, [0, 1])
    watching.close()


def test_state_of_another_make_is_learned_anew(log: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The places stay, and what was learned of all: nothing is judged twice."""
    state = tmp_path / "state"
    watching = begin(state, log)
    to_the_end(watching)
    watching.close()
    learned = watching._pipeline.models.learned
    manifest = msgspec.json.decode((state / MANIFEST).read_bytes())
    for file in manifest["parts"].values():
        (state / "parts" / file).write_bytes(b"of another version")
    watching = begin(state, log)
    to_the_end(watching)
    assert "is learned anew" in caplog.text
    watching._pipeline.models.serve(2**31)
    assert learned != (None, None)
    assert watching._pipeline.models.learned == learned
    assert watching.seen.lines == 0
    watching.close()


def standing(watching: Watching) -> set[str]:
    """Whom an enforcer would be told of."""
    answer = watching.deciding.decisions.startup(View(), NOW_US)
    return {told.target.value for told in answer.new}


def tell(state: Path, *overrides: Override) -> None:
    """An operator says so."""
    Operators(state).append(
        [said_so(topic.OVERRIDES.name, one.key.encode(), OVERRIDE_CODEC.encode(one)) for one in overrides]
    )


def unblock(actor: Actor) -> Override:
    """Nothing is to be enforced against an actor for a long while."""
    until = format_time(NOW_US + 10**12)
    return Override(
        id=f"o-{actor.key}", kind=OverrideKind.UNBLOCK, owner="o", reason="r", since=NOW, until=until, actor=actor
    )


def test_an_operator_takes_a_block_back(log: Path, tmp_path: Path) -> None:
    """While it runs, and while it does not; after a restart it stays so, and nobody else is let go."""
    state = tmp_path / "state"
    watching = begin(state, log)
    to_the_end(watching)
    blocked = sorted(standing(watching))
    assert len(blocked) > 2
    first, second = (Actor("ip", value) for value in blocked[:2])
    tell(state, unblock(first))
    watching._heard_s -= 60
    to_the_end(watching)
    assert standing(watching) == set(blocked[1:])
    watching.close()
    tell(state, unblock(second))
    watching = begin(state, log)
    to_the_end(watching)
    assert standing(watching) == set(blocked[2:])
    watching.close()


def test_an_operator_spares_beforehand_and_blocks(log: Path, tmp_path: Path) -> None:
    """Who is allowed before the log is read is never blocked; an order is told though nothing was found."""
    plain = begin(tmp_path / "plain", log)
    to_the_end(plain)
    blocked = sorted(standing(plain))
    plain.close()
    state = tmp_path / "state"
    state.mkdir()
    spared, ordered = Actor("ip", blocked[0]), Actor("ip", "198.51.100.7")
    order = msgspec.structs.replace(unblock(ordered), kind=OverrideKind.BLOCK, action=Action.BLOCK)
    tell(state, unblock(spared), order)
    told = said_so(topic.BLOCKS.name, b"", BLOCK_CODEC.encode(block_of(order, "sha256:00")))
    Operators(state).append([told])
    watching = begin(state, log)
    to_the_end(watching)
    assert standing(watching) == {*blocked[1:], ordered.value}
    watching.close()


def test_an_operators_block_that_is_in_force_again(log: Path, tmp_path: Path) -> None:
    """Taken back by the switch of everything and said again under its id, as that is off; a restart says nothing."""
    state = tmp_path / "state"
    state.mkdir()
    order = msgspec.structs.replace(unblock(Actor("ip", "198.51.100.7")), kind=OverrideKind.BLOCK, action=Action.BLOCK)
    block = block_of(order, "sha256:00")
    taken = msgspec.structs.replace(block, id="taken", status=BlockStatus.REVOKED)
    tell(state, order)
    Operators(state).append([said_so(topic.BLOCKS.name, b"", BLOCK_CODEC.encode(one)) for one in (block, taken)])
    watching = begin(state, log)
    to_the_end(watching)
    assert "198.51.100.7" not in standing(watching)
    Operators(state).append([said_so(topic.BLOCKS.name, b"", BLOCK_CODEC.encode(block))])
    watching._heard_s -= 60
    to_the_end(watching)
    assert "198.51.100.7" in standing(watching)
    watching.close()
    written = (state / "blocks.ndjson").read_bytes()
    watching = begin(state, log)
    to_the_end(watching)
    assert "198.51.100.7" in standing(watching)
    watching.close()
    assert (state / "blocks.ndjson").read_bytes() == written


def test_what_is_no_record_is_left_out(log: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A line that somebody has spoilt, half a line, a record of another actor."""
    state = tmp_path / "state"
    state.mkdir()
    Operators(state).append([said_so(topic.OVERRIDES.name, b"account:x", b"{}")])
    (state / FILE).write_bytes((state / FILE).read_bytes() + b'no json\n{"topic": "half')
    watching = begin(state, log)
    to_the_end(watching)
    assert "is no record" in caplog.text
    assert standing(watching)
    watching.close()
