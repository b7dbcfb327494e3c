"""Brakes with requests through the whole pipeline: what is enforced of a wave, and what is told of it."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import pytest

from schemas.actor import Actor
from schemas.alert import AlertMode
from schemas.block import Action, Block, BlockMode
from schemas.event_time import parse_time_us
from schemas.mode import Mode
from streams import config
from streams.pipeline.assess.assessor import Assessor
from streams.pipeline.assess.enforcement import Enforcement
from streams.pipeline.assess.outcome import Outcome
from streams.pipeline.checkpoint.snapshot import encode, restore, take
from streams.pipeline.pipeline import Pipeline
from streams.pipeline.policy.brake import Brake, Braking
from streams.pipeline.policy.decide import Decider
from streams.pipeline.policy.standing import Standing
from streams.settings import Settings
from tests import days
from tests.low import low
from tests.requests import START_S, request_of, views
from tests.streams.pipeline.policy.test_decide import PLAIN, at

FIVE: Final = "[policy]\nblocks_per_minute_max = 5\n"
HOUR_S: Final = 3_600
Records = Sequence[bytes]


def wave(count: int, start_s: float = START_S, apart_s: float = 2.0, name: str = "u") -> list[bytes]:
    """Accounts that begin to scrape one after the other; each is blocked at its tenth profile."""
    return [
        value for n in range(count) for value in views(start_s + apart_s * n, 10, 0.05, account=f"{name}{n}", ip=None)
    ]


def crowd(count: int) -> list[bytes]:
    """So many accounts that look at one profile each, in the hour before the start."""
    return [request_of(START_S - HOUR_S + n, "p", account=f"c{n}", ip=None) for n in range(count)]


class Braked:
    """What a partition decides, and what its brakes do."""

    def __init__(self, text: str, partitions: int = 1) -> None:
        self.flow: Pipeline = days.pipeline(
            low(PLAIN + text), mode=Mode.ENFORCE, only="profile_rate", partitions=partitions
        )
        self.blocks: list[Block] = []
        self.alert_modes: set[AlertMode] = set()
        self.brakes: list[Braking] = []

    def feed(self, values: Records, step: int = 500, done: int = 0) -> "Braked":
        """Feed one source partition on from ``done``, to its end."""
        for batch in days.batches(0, values, range(done + step, len(values), step)):
            self._take(self.flow.feed(batch, _undated)[1])
        self.flow.idle(days.TOPIC, 0, len(values))
        self._take(self.flow.advance(_undated))
        return self

    def _take(self, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            self.blocks += days.blocks(outcome.decisions)
            self.alert_modes |= {one.mode for one in days.alerts(outcome.decisions)}
            self.brakes += outcome.brakes

    def modes(self) -> str:
        """``E`` for a block that is enforced and ``S`` for one that is shown, in order of events."""
        ordered = sorted(self.blocks, key=lambda block: block.event_time)
        return "".join("E" if block.mode is BlockMode.ENFORCE else "S" for block in ordered)

    def moved(self) -> list[tuple[str, bool, float]]:
        """Which brake, whether it holds, and seconds from the start."""
        return [(one.brake.value, one.holds, round(one.event_us / 1e6 - START_S, 2)) for one in self.brakes]


def _undated() -> int:
    return 0


class TestBlocksPerMinute:
    """A wave of blocks."""

    def test_tripped(self) -> None:
        """The sixth block within a minute and all that come after it are shown, and alerted on as before."""
        braked = Braked(FIVE).feed(wave(20))
        assert braked.modes() == "E" * 5 + "S" * 15
        assert braked.alert_modes == {AlertMode.ENFORCE}
        assert braked.moved() == [("blocks_per_minute", True, 10.45)]
        assert braked.brakes[0].reason == "more than 5 new blocks within a minute, the most here"

    def test_below(self) -> None:
        """As many as allowed trip nothing, minute after minute."""
        braked = Braked(FIVE).feed(wave(40, apart_s=12.0))
        assert braked.modes() == "E" * 40
        assert braked.moved() == []

    def test_lets_go(self) -> None:
        """A quarter of an hour after the wave it lets go by itself, and blocks are enforced again."""
        last_s = 2.0 * 19 + 0.45
        values = [*wave(20), *wave(1, START_S + last_s + 899 - 0.45, name="a"), *wave(3, START_S + 2_000, name="b")]
        braked = Braked(FIVE).feed(values)
        assert braked.modes() == "E" * 5 + "S" * 16 + "E" * 3
        assert braked.moved() == [("blocks_per_minute", True, 10.45), ("blocks_per_minute", False, last_s + 900)]

    def test_the_watermark_lets_go(self) -> None:
        """It needs no decision to let go: time that passes is enough, and it is told then."""
        braked = Braked(FIVE).feed([*wave(20), request_of(START_S + 2_000, "x", account="x", ip=None)])
        assert [holds for _, holds, _ in braked.moved()] == [True, False]

    def test_what_stands_stays(self) -> None:
        """A block from before goes on to its own end, and is hidden by nothing that is only shown."""
        values = [*wave(1, name="old"), *wave(20, START_S + 100), *views(START_S + 200, 30, account="old0", ip=None)]
        braked = Braked(FIVE).feed(values)
        assert [block.mode for block in braked.blocks if block.actor.value == "old0"] == [BlockMode.ENFORCE]

    def test_lasts_as_long_as_the_wave(self) -> None:
        """A wave of half an hour is held back all along; those who are shown count as new when they are found again."""
        braked = Braked(FIVE).feed(wave(900))
        assert braked.modes() == "E" * 5 + "S" * 895
        assert len(braked.brakes) == 1

    def test_nothing_enforced_trips_nothing(self) -> None:
        """In shadow nothing would be enforced, so nothing can be too much."""
        braked = Braked("[mode]\nceiling = 'alert'\n" + FIVE).feed(wave(20))
        assert braked.modes() == "S" * 20
        assert braked.moved() == []

    def test_partitions_share_the_limit(self) -> None:
        """Each partition may begin its part, and room for chance; each brakes and tells for itself."""
        braked = Braked("[policy]\nblocks_per_minute_max = 40\n", partitions=4).feed(wave(400, apart_s=0.1))
        held = {one.partition for one in braked.brakes}
        assert held == {0, 1, 2, 3}
        assert braked.modes().count("E") == 4 * 27  # 40 / 4 + 4 (√10 + 1)


class TestBlockedShare:
    """Too many of the people there are."""

    TEXT: Final = "[policy]\nblocked_share_max = 0.25\n"

    def test_tripped(self) -> None:
        """A quarter of the accounts of the last day may be blocked, and not one more."""
        braked = Braked(self.TEXT).feed([*crowd(100), *wave(40, apart_s=30.0)])
        assert braked.modes() == "E" * 25 + "S" * 15
        assert braked.brakes[0].brake is Brake.BLOCKED_SHARE
        assert braked.brakes[0].reason == "26 of 100 active accounts blocked, more than 0.25 of them"

    def test_those_who_come_count_from_the_next_epoch(self) -> None:
        """How many are active is counted when an epoch begins, so that no batch shows."""
        late = [request_of(START_S + n, "p", account=f"d{n}", ip=None) for n in range(100)]
        values = sorted([*crowd(100), *late, *wave(80, START_S + HOUR_S, apart_s=30.0)], key=_time)
        assert Braked(self.TEXT).feed(values).modes() == "E" * 50 + "S" * 30

    def test_ended_blocks_do_not_count(self) -> None:
        """Only what stands at the event counts: when the first have ended there is room for others."""
        braked = Braked(self.TEXT + "block_s = 600\n").feed([*crowd(100), *wave(60, apart_s=40.0)])
        assert braked.modes() == "E" * 60

    def test_sessions_count_as_their_accounts(self) -> None:
        """Who is blocked by a session is blocked; an account and its sessions are one. Nothing else counts."""
        now_us = 1_000
        ann, bob = Actor("account", "ann"), Actor("account", "bob")
        decider = Decider(Settings(), "sha256:a")
        decider._blocked = dict(
            enumerate(
                [
                    block_on(ann, until_us=now_us + 1),
                    block_on(Actor("session", "s1"), ann, until_us=now_us + 1),
                    block_on(Actor("session", "s2"), bob, until_us=now_us + 1),
                    block_on(Actor("account", "ended"), until_us=now_us),
                    block_on(Actor("account", "shown"), until_us=now_us + 1, mode=BlockMode.SHADOW),
                    block_on(Actor("account", "asked"), until_us=now_us + 1, action=Action.THROTTLE),
                    block_on(Actor("ip", "192.0.2.1"), until_us=now_us + 1),
                ]
            )
        )
        decider._denied = {*decider._blocked, 99}
        assert set(decider._accounts_blocked(now_us)) == {ann, bob}

    def test_addresses_do_not_count(self) -> None:
        """Nobody knows how many people an address is: the share is that of accounts."""
        values = [value for n in range(60) for value in views(START_S + 20 * n, 10, 0.05, ip=f"203.0.{n}.9")]
        braked = Braked(self.TEXT).feed([*crowd(100), *values])
        assert {block.mode for block in braked.blocks if block.actor.scope == "ip"} == {BlockMode.ENFORCE}


def block_on(
    actor: Actor,
    *around: Actor,
    until_us: int,
    mode: BlockMode = BlockMode.ENFORCE,
    action: Action = Action.BLOCK,
) -> Standing:
    """A record that stands."""
    return Standing(until_us, actor, mode, action, 0, ("canary",), "sha256:a", None, around)


def _time(value: bytes) -> str:
    return value.partition(b'"@timestamp"')[2][:40].decode()


class TestSame:
    """Same input, same brakes."""

    VALUES: Final = [*crowd(60), *wave(30), *wave(30, START_S + 1_500, 1.0, "v"), *wave(30, START_S + 4_000, 20.0, "w")]
    TEXT: Final = FIVE + "blocked_share_max = 0.2\n"

    @pytest.mark.parametrize("step", [1, 7, 100])
    def test_any_batches(self, step: int) -> None:
        """Wherever batches end, the same is enforced and the same is told."""
        whole, cut = Braked(self.TEXT).feed(self.VALUES), Braked(self.TEXT).feed(self.VALUES, step)
        assert len({one.brake for one in whole.brakes}) == 2
        assert cut.brakes == whole.brakes
        assert days.said(cut.blocks) == days.said(whole.blocks)

    def test_restored(self) -> None:
        """A partition that is restored while a brake holds, or in the minute before, goes on in the same way."""
        whole = Braked(self.TEXT).feed(self.VALUES)
        for cut in range(60, len(self.VALUES), 83):
            before, after = Braked(self.TEXT), Braked(self.TEXT)
            before._take(before.flow.feed(next(days.batches(0, self.VALUES, [cut])), _undated)[1])
            kept = dict(encode(take(before.flow.assessors[0], everything=True)))
            after.flow = before.flow
            after.flow.assessors[0] = _restored(before.flow, kept)
            after.feed(self.VALUES, 500, done=cut)
            assert before.brakes + after.brakes == whole.brakes
            assert days.said([*before.blocks, *after.blocks]) == days.said(whole.blocks)

    def test_enforced_in_a_replay(self) -> None:
        """A replay that denies what it blocks brakes alike, however it is cut."""
        found = []
        for step in (13, 500):
            braked = Braked(self.TEXT)
            braked.flow.assessors[0].judge = Enforcement(lambda rows, allowed: None, enforce=True)
            found.append(braked.feed(self.VALUES, step))
        assert found[0].brakes == found[1].brakes
        assert days.said(found[0].blocks) == days.said(found[1].blocks)
        assert any(one.holds for one in found[0].brakes)


def _restored(flow: Pipeline, kept: dict[str, bytes]) -> Assessor:
    settings = low(PLAIN + TestSame.TEXT)
    chosen = [(one, mode) for one, mode in config.detectors(settings, Mode.ENFORCE) if one.name == "profile_rate"]
    assessor = Assessor(settings, chosen, flow.models, config.revision(settings, Mode.ENFORCE), 0, 1)
    restore(assessor, kept)
    return assessor


def test_reconfigured_in_between() -> None:
    """A new configuration loses nothing: what stands, what is open and what holds goes on, by the new limits."""
    values = [*wave(20), *wave(20, START_S + 100, name="v")]
    braked = Braked(FIVE)
    braked._take(braked.flow.feed(next(days.batches(0, values, [200])), _undated)[1])
    decider = braked.flow.assessors[0].decider
    stood = decider.slots()
    decider.reconfigure(low(PLAIN + "[policy]\nbrake_s = 30\n"), "sha256:other")
    assert decider.slots() == stood
    braked.feed(values, done=200)
    assert {block.config for block in braked.blocks if block.actor.value.startswith("v")} == {"sha256:other"}
    assert [one.config == "sha256:other" for one in braked.brakes] == [False]
    assert all(at(earlier) <= at(later) for earlier, later in pairwise(braked.blocks))
    assert parse_time_us(braked.blocks[-1].until) - parse_time_us(braked.blocks[-1].event_time) == HOUR_S * 1_000_000
