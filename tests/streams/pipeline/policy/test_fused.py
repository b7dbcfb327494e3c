"""The sum as a finding: limits by population, and what it says."""

from typing import Final

import pytest
from msgspec.structs import replace

from detectors.core.model import Model, empty
from schemas.actor import Scope
from schemas.alert import Alert
from schemas.block import Action, Block, BlockMode
from schemas.mode import Mode
from streams.pipeline.policy.decide import Decision
from streams.pipeline.policy.fused import ADDRESSES, EVERYBODY, Limits, population
from streams.settings import FusionSettings, ModeSettings, Settings
from tests.streams.pipeline.rows_of import START_US, rows_of
from tests.streams.pipeline.staged import Scripted, Staged, fitted

FUSION: Final = FusionSettings(limit=10, block_limit=20, floor=7, until_fitted=Mode.ENFORCE, sightings_min=3)
SETTINGS: Final = Settings(fusion=FUSION)
SECOND_US: Final = 1_000_000


def decided(
    *parts: tuple[list[float], Mode], fusion: FusionSettings = FUSION, model: Model | None = None
) -> list[Decision]:
    """What the nats of detectors, a second apart, come to."""
    detectors = [(Scripted(f"d{n}", (), nats), mode) for n, (nats, mode) in enumerate(parts)]
    settings = replace(SETTINGS, fusion=fusion)
    rows = rows_of([START_US + n * SECOND_US for n in range(len(parts[0][0]))])
    return Staged(*detectors, settings=settings, model=model).decide(rows)


def alerts(made: list[Decision]) -> list[Alert]:
    """Only the alerts."""
    return [one for one in made if isinstance(one, Alert)]


def blocks(made: list[Decision]) -> list[Block]:
    """Only the blocks, no challenges."""
    return [one for one in made if isinstance(one, Block) and one.action is Action.BLOCK]


class TestSum:
    """What no detector says alone."""

    @pytest.mark.parametrize(("nats", "speaks"), [(4.99, False), (5.0, True)])
    def test_alert(self, nats: float, speaks: bool) -> None:
        """Two that add up to the limit speak; each is named with its share."""
        found = alerts(decided(([nats], Mode.SHADOW), ([5.0], Mode.SHADOW)))
        assert bool(found) is speaks
        if speaks:
            assert [finding.detector for finding in found[0].findings] == ["d0", "d1"]
            assert {finding.evidence["nats"] for finding in found[0].findings} == {5.0}
            assert {finding.evidence["nats_of_all"] for finding in found[0].findings} == {10.0}
            assert {finding.evidence["nats_needed"] for finding in found[0].findings} == {10.0}

    def test_who_adds_next_to_nothing_is_not_named(self) -> None:
        """Half a nat is told, less is not."""
        found = alerts(decided(([9.6], Mode.SHADOW), ([0.5], Mode.SHADOW), ([0.49], Mode.SHADOW)))
        assert [finding.detector for finding in found[0].findings] == ["d0", "d1"]

    def test_what_was_said_before_counts(self) -> None:
        """A detector that moved an hour ago still adds, faded, and is told as what it is."""
        found = alerts(decided(([6.0, -1.0], Mode.SHADOW), ([-1.0, 6.0], Mode.SHADOW)))
        reasons = {finding.detector: finding.reason for finding in found[0].findings}
        assert reasons == {"d0": "evidence 6.0 from what was asked for before", "d1": "d1 0.0"}

    @pytest.mark.parametrize(("nats", "blocks_it"), [(9.9, False), (10.1, True)])
    def test_block(self, nats: float, blocks_it: bool) -> None:
        """At the limit of a block, with a reason that names the whole sum."""
        found = blocks(decided(([1, 2, nats], Mode.SHADOW), ([1, 2, 10.0], Mode.SHADOW)))
        assert bool(found) is blocks_it
        if blocks_it:
            assert "evidence 20.1 of 10.0 in all: d0 10.1, d1 10.0" in found[0].reason
            assert found[0].public_reason == "unusual use of profiles"

    @pytest.mark.parametrize(("before", "blocks_it"), [(1, False), (2, True)])
    def test_sightings(self, before: int, blocks_it: bool) -> None:
        """A block needs three sightings since the evidence rose, however strong it is."""
        assert bool(blocks(decided(([3.0] * before + [50.0], Mode.SHADOW)))) is blocks_it


class TestModes:
    """How far the sum may go."""

    def test_none_lifts_another(self) -> None:
        """Evidence in shadow does not lift an enforced detector over the limit of what is enforced."""
        made = decided(([3, 4, 12.0], Mode.SHADOW), ([3, 4, 12.0], Mode.ENFORCE))
        assert [one.action for one in made if isinstance(one, Block) and one.mode is BlockMode.ENFORCE] == [
            Action.CHALLENGE
        ]
        assert blocks(made) == []
        assert [block.mode for block in blocks(decided(([3, 4, 24.0], Mode.ENFORCE)))] == [BlockMode.ENFORCE]

    @pytest.mark.parametrize("until", [Mode.SHADOW, Mode.ALERT, Mode.ENFORCE])
    def test_until_fitted(self, until: Mode) -> None:
        """While no limit follows from the deployment's own people it goes no further than it may."""
        made = decided(([3.0, 11.0], Mode.ENFORCE), fusion=replace(FUSION, until_fitted=until))
        assert alerts(made)[-1].mode.value == until.value
        made = decided(([3.0, 40.0], Mode.ENFORCE), fusion=replace(FUSION, until_fitted=until), model=fitted(11.0))
        assert alerts(made)[-1].mode.value == Mode.ENFORCE.value

    def test_ceiling(self) -> None:
        """Nor beyond the ceiling, fitted or not."""
        settings = replace(SETTINGS, mode=ModeSettings(ceiling=Mode.ALERT))
        rows = rows_of([START_US, START_US + 1])
        made = Staged((Scripted("d", (), [3.0, 40.0]), Mode.ENFORCE), settings=settings, model=fitted(11.0)).decide(
            rows
        )
        assert alerts(made)[-1].mode.value == Mode.ALERT.value


class TestLimits:
    """From the model, by population."""

    def test_populations(self) -> None:
        """Accounts by tier; whoever has none together."""
        assert population(Scope.ACCOUNT, "free") == "account/free"
        assert population(Scope.IP, "free") == population(Scope.SESSION, "") == ADDRESSES

    def test_not_fitted(self) -> None:
        """What is configured holds, and it is said that nothing was fitted."""
        found = Limits.of(FUSION, empty(), ["", "free"])
        assert found.alert.tolist() == [10, 10, 10]
        assert found.block.tolist() == [20, 20, 20]
        assert not found.fitted.any()

    def test_a_tier_with_days_of_its_own(self) -> None:
        """Its own days count before everybody's; a tier without enough takes everybody's."""
        own, all_days = fitted(30.0).peaks[EVERYBODY], fitted(11.0).peaks[EVERYBODY]
        peaks = {"account/free": own, EVERYBODY: all_days, "account/odd": own * 1e-9}
        found = Limits.of(FUSION, Model(empty().popularity, {}, peaks, 1.0), ["", "free", "odd"])
        assert found.fitted.all()
        assert found.alert[1] > 29
        assert found.alert[0] < 13
        assert found.alert[0] == found.alert[2] == found.alert[3]

    def test_floor(self) -> None:
        """However calm people are, no limit falls below its floor."""
        found = Limits.of(replace(FUSION, floor=12.0, block_floor=17.0), fitted(1.0), [""])
        assert found.alert.tolist() == [12.0, 12.0]
        assert found.block.tolist() == [17.0, 17.0]

    def test_a_block_needs_no_less_than_an_alert(self) -> None:
        """Whatever budgets are configured."""
        found = Limits.of(replace(FUSION, budget=0.0001, block_budget=0.5), fitted(11.0), [""])
        assert (found.block >= found.alert).all()
