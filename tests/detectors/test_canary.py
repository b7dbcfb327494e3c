"""Decoys met, once each."""

from typing import Any, Final, cast

import numpy as np
import pytest
import xxhash

from detectors.canary import Canary, Config
from detectors.core.columns import US, Columns
from detectors.core.contract import Detector, DetectorConfig, Evidence
from schemas.sighting import Flag, Kind
from tests.detectors.columns_of import START_S, Judge, added, columns_of

DECOYS: Final = ("decoy-1", "decoy-2", "dècoy-3", "a decoy whose id is longer than one stripe of the hash")
DAY_S: Final = 86_400


def hash_of(profile: str) -> int:
    """`Columns.profile` of an id."""
    return xxhash.xxh64_intdigest(profile.encode())


def judge(decoys: tuple[str, ...] = DECOYS, actors: int = 8, **config: Any) -> Judge:
    """The detector with decoys."""
    return Judge(cast("Detector[DetectorConfig]", Canary(Config(decoys=decoys, **config))), actors)


def asked(profiles: list[str], at_s: Any = None, **given: Any) -> Columns:
    """A request a second for each profile."""
    at_s = range(len(profiles)) if at_s is None else at_s
    return columns_of(at_s, profile=np.array([hash_of(profile) for profile in profiles], np.uint64), **given)


def nats(evidence: Evidence) -> list[float]:
    """The sum at each row, 0 where no decoy is new."""
    assert evidence.nats is not None
    return [float(value) for value in evidence.nats]


class TestDecoys:
    """Which profiles they are."""

    @pytest.mark.parametrize("decoy", DECOYS)
    def test_by_id(self, decoy: str) -> None:
        """Each is known by the hash that sightings carry, whatever its length and letters."""
        assert nats(judge().judge(asked(["p1", decoy, "p2"]))) == [0, 12, 0]

    def test_none_configured(self) -> None:
        """Without decoys it says nothing and keeps nothing."""
        one = judge(())
        evidence = one.judge(asked(list(DECOYS)))
        assert not evidence.level.any()
        assert evidence.moved is not None
        assert not evidence.moved.any()
        assert not any(column.any() for column in one.state.values())

    def test_moved(self) -> None:
        """The sum is read where a decoy is new."""
        evidence = judge().judge(asked(["p1", "decoy-1", "decoy-1", "decoy-2"]))
        assert evidence.moved is not None
        assert evidence.moved.tolist() == [False, True, False, True]


class TestWhatCounts:
    """A principal and a profile."""

    @pytest.mark.parametrize("kind", list(Kind))
    def test_surfaces(self, kind: Kind) -> None:
        """However a profile is reached; a search for the decoy's name as a text, or a page, reaches none."""
        evidence = judge().judge(asked(["decoy-1"], kind=kind))
        assert bool(evidence.level.any()) is (kind not in {Kind.QUERY, Kind.TOUCH})

    def test_asked_for(self) -> None:
        """A decoy that does not exist, and so is only asked for, counts like one disclosed."""
        assert nats(judge().judge(asked(["decoy-1"], first=0, flags=Flag.PRINCIPAL | Flag.MISS))) == [12]

    def test_principals(self) -> None:
        """No net or session is accused beside the principal; each principal meets decoys for itself."""
        assert nats(judge().judge(asked(["decoy-1"], principal_slot=-1))) == [0]
        assert nats(judge().judge(asked(["decoy-1", "decoy-1", "decoy-2"], slot=[0, 1, 1]))) == [
            12,
            12,
            pytest.approx(24),
        ]

    def test_each_once(self) -> None:
        """The same decoy again says nothing new, even after two others."""
        found = nats(judge().judge(asked(["decoy-1", "decoy-1", "decoy-2", "dècoy-3", "decoy-1", "decoy-2"])))
        assert found == pytest.approx([12, 0, 24, 36, 0, 0], abs=0.01)

    def test_one_response(self) -> None:
        """Decoys that one response shows are one, so that a list with two by mistake blocks nobody."""
        found = nats(judge().judge(asked(["p1", "decoy-1", "decoy-2", "decoy-1", "decoy-2"], [0, 1, 1, 2, 2])))
        assert found == [0, 12, 0, 0, 0]


class TestLimits:
    """When it speaks."""

    def test_one_and_two(self) -> None:
        """One decoy is an alert and no block, the second is ground for a block."""
        evidence = judge().judge(asked(["p1", "decoy-1", "decoy-2"]))
        assert (evidence.level >= 1).tolist() == [False, True, True]
        assert (evidence.level >= Config().block_ratio).tolist() == [False, False, True]

    @pytest.mark.parametrize(("at_s", "may"), [([0, 1, 2], True), ([0, 0, 2], False), ([0, 2, 2], False)])
    def test_no_block_before_three_requests(self, at_s: list[float], may: bool) -> None:
        """Requests are told apart by their time."""
        evidence = judge().judge(asked(["p1", "p2", "decoy-2"], at_s))
        assert bool(evidence.may_block[-1]) is may

    def test_the_sum(self) -> None:
        """All of it counts in the sum over all detectors."""
        assert added(judge().judge(asked(["decoy-1", "decoy-2"])), Config().cap) == pytest.approx(24, abs=0.01)

    def test_configured(self) -> None:
        """The operator's limit holds."""
        assert judge(limit=24).judge(asked(["decoy-1"])).level.tolist() == [0.5]


class TestTime:
    """When it began, and how it fades."""

    @pytest.mark.parametrize(("days", "blocks"), [(13.9, True), (14.1, False)])
    def test_half_life(self, days: float, blocks: bool) -> None:
        """Two decoys within 14 days block, farther apart they do not."""
        evidence = judge().judge(asked(["decoy-1", "decoy-2"], [0, days * DAY_S]))
        assert bool(evidence.level[-1] >= Config().block_ratio) is blocks

    def test_since(self) -> None:
        """It began with the first decoy; profiles are those disclosed since then, that one among them."""
        rows = asked(["p1", "p2", "decoy-1", "p3", "p4", "p4", "decoy-2"], first=[1, 1, 1, 1, 1, 0, 1])
        evidence = judge().judge(rows)
        assert evidence.since_us[[2, 6]].tolist() == [(START_S + 2) * US] * 2
        assert evidence.profiles[[2, 6]].tolist() == [1, 4]

    @pytest.mark.parametrize(("days", "begins"), [(50, 0), (51, 51)])
    def test_faded(self, days: int, begins: int) -> None:
        """When less than 1 is left, after 50.2 days, another decoy begins a new story."""
        evidence = judge().judge(asked(["decoy-1", "decoy-2"], [0, days * DAY_S]))
        assert evidence.since_us[-1] == (START_S + begins * DAY_S) * US

    def test_late_rows(self) -> None:
        """A row from before the last one fades nothing, and what it speaks of began by then."""
        rows = asked(["decoy-1", "decoy-2"], [10, 5])
        evidence = judge().judge(rows)
        assert nats(evidence) == [12, 24]
        assert (evidence.since_us <= rows.time_us).all()

    def test_cut_anywhere(self) -> None:
        """However rows are cut, each has the same evidence."""
        rng = np.random.default_rng(7)
        names = rng.choice([*DECOYS, "p1", "p2"], 200).tolist()
        slot = rng.integers(0, 8, 200)
        whole = judge().judge(asked(names, slot=slot))
        one = judge()
        parts = [one.judge(asked([names[n]], [n], slot=slot[n], principal_slot=slot[n])) for n in range(200)]
        assert [part.level[0] for part in parts] == whole.level.tolist()
        assert [part.may_block[0] for part in parts] == whole.may_block.tolist()


def test_explanation() -> None:
    """It names the sum and the profiles taken, and no decoy, at every row."""
    one, rows = judge(), asked(["p1", "decoy-1", "p2"])
    evidence = one.judge(rows)
    why = one.detector.explain(rows, evidence, 1)
    assert why.evidence == {"log_likelihood_ratio": 12, "limit": 12, "profiles": 1}
    assert "decoy" not in why.public_reason
    assert "decoy-1" not in why.reason
    assert one.detector.explain(rows, evidence, 2).evidence["log_likelihood_ratio"] == 0
