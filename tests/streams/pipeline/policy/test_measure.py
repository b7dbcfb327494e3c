"""What evidence is enough for, before anybody asks whom it would hurt."""

from typing import Final

import pytest
from msgspec.structs import replace

from schemas.block import Action, Block, BlockMode
from schemas.mode import Mode
from streams.pipeline.policy.measure import SUM_PUBLIC_REASON, Measure, measure_of
from streams.settings import FusionSettings, PolicySettings, Settings
from tests.streams.pipeline.rows_of import START_US, rows_of
from tests.streams.pipeline.staged import Scripted, Staged

SETTINGS: Final = Settings(
    fusion=FusionSettings(limit=10, block_limit=20, floor=7, until_fitted=Mode.ENFORCE, sightings_min=1)
)


def measure(*detectors: tuple[Scripted, Mode], challenge_at_alert: bool = True) -> Measure | None:
    """The answer at one sighting."""
    case = Staged(*detectors, settings=SETTINGS).evaluate(rows_of([START_US])).case
    return measure_of(case, [one for one in case.judged if one.speaks(0)], 0, challenge_at_alert)


def enforced(called: str = "d", level: float = 0.0, nats: float = -1.0, **more: bool) -> tuple[Scripted, Mode]:
    """An enforced detector."""
    return Scripted(called, [level], [nats], **more), Mode.ENFORCE  # type: ignore[arg-type]  # only flags are given


class TestEnough:
    """For what."""

    @pytest.mark.parametrize(("level", "blocks"), [(1.0, None), (1.24, None), (1.25, True)])
    def test_a_detector_alone(self, level: float, blocks: bool | None) -> None:
        """Below its ratio for an alert and no more; from it on for a block."""
        found = measure(enforced(level=level))
        assert (found and found.blocks) == blocks

    @pytest.mark.parametrize(("level", "blocks"), [(0.99, None), (1.0, False), (1.25, True)])
    def test_one_that_challenges(self, level: float, blocks: bool | None) -> None:
        """An alert is answered with a challenge, what is enough for a block with that."""
        found = measure(enforced(level=level, challenges=True))
        assert (None if found is None else found.blocks) == blocks

    @pytest.mark.parametrize(("nats", "blocks"), [(9.9, None), (10.0, False), (19.9, False), (20.0, True)])
    def test_the_sum(self, nats: float, blocks: bool | None) -> None:
        """Likewise of all detectors together."""
        found = measure(enforced(nats=nats))
        assert (None if found is None else found.blocks) == blocks

    def test_no_ground_for_a_block(self) -> None:
        """What may not block is enough for a challenge at most, however strong."""
        assert measure(enforced(level=9.0, may_block=False)) is None
        found = measure(enforced(level=9.0, may_block=False, challenges=True))
        assert found is not None
        assert not found.blocks

    def test_no_challenges(self) -> None:
        """Where policy wants none, an alert is an alert."""
        assert measure(enforced(nats=12.0), challenge_at_alert=False) is None
        assert measure(enforced(level=1.1, challenges=True), challenge_at_alert=False) is None


class TestChoice:
    """Of several answers."""

    def test_enforced_before_shadow(self) -> None:
        """A challenge that is enforced goes before a block that would be."""
        found = measure((Scripted("s", [9.0]), Mode.SHADOW), enforced("e", 1.1, challenges=True))
        assert found is not None
        assert (found.mode, found.blocks, set(found.reasons)) == (BlockMode.ENFORCE, False, {"e"})

    def test_only_those_in_its_mode_give_reasons(self) -> None:
        """What is in shadow is no reason for what is enforced."""
        found = measure((Scripted("s", [9.0]), Mode.SHADOW), enforced("e", 2.0))
        assert found is not None
        assert found.reasons == {"e": "e 2.0"}

    def test_alerts_are_no_ground(self) -> None:
        """A detector that may only alert leads to a block in shadow."""
        found = measure((Scripted("a", [9.0]), Mode.ALERT))
        assert found is not None
        assert (found.mode, found.blocks) == (BlockMode.SHADOW, True)


class TestReasons:
    """In words."""

    def test_of_the_sum(self) -> None:
        """Each detector that adds names the sum; the person is told nothing that helps."""
        found = measure(enforced("a", nats=6.0), enforced("b", nats=6.0))
        assert found is not None
        assert found.reasons == dict.fromkeys("ab", "evidence 12.0 of 10.0 in all: a 6.0, b 6.0")
        assert found.public_reasons == {SUM_PUBLIC_REASON}

    def test_of_both(self) -> None:
        """Who speaks alone is told with its own words, beside the sum."""
        found = measure(enforced("a", 2.0, 12.0), enforced("b", nats=12.0))
        assert found is not None
        assert found.reasons["a"] == "a 2.0"
        assert found.reasons["b"].startswith("evidence 24.0 of 10.0")
        assert found.public_reasons == {"too much"}


@pytest.mark.parametrize(("asks", "made"), [(True, [Action.CHALLENGE]), (False, [])])
def test_policy(asks: bool, made: list[Action]) -> None:
    """`challenge_at_alert` decides what becomes of an enforced alert."""
    settings = replace(SETTINGS, policy=PolicySettings(challenge_at_alert=asks))
    found = Staged(enforced(nats=12.0), settings=settings).decide(rows_of([START_US]))
    assert [one.action for one in found if isinstance(one, Block)] == made
