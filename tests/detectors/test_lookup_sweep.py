"""Sweeps of search, import and lists, in columns written by hand."""

from dataclasses import replace
from typing import Any, Final, cast

import numpy as np
import pytest

from detectors.core.contract import Detector, DetectorConfig, Evidence
from detectors.core.model import Model, empty
from detectors.core.peer import CLASSES
from detectors.core.reached import BINS
from detectors.lookup_sweep import Config, LookupSweep
from schemas.sighting import Flag, Kind
from tests.detectors.columns_of import START_S, Judge, added, columns_of

OWN: Final = Flag.PRINCIPAL | Flag.LOGGED_IN
NEXT: Final = float(np.log(80))
TURN: Final = float(np.log(1 / 60))
ON: Final = float(np.log(0.99 / 0.4))
PAIRS: Final = [a + b for a in "abcdef" for b in "abcdefgh"]


def judge_of(config: Config | None = None) -> Judge:
    """The detector with state of its own."""
    return Judge(cast("Detector[DetectorConfig]", LookupSweep(config or Config())))


def number_of(text: str) -> int:
    """As `Columns.number` holds a text."""
    return -2 - int.from_bytes(text.encode()[:7].ljust(7, b"\0"), "big")


def looked_up(numbers: list[int], every_s: float = 1.0, miss: bool = True) -> Evidence:
    """Evidence at look-ups of numbers, all of them nobody's unless told."""
    at_s = [n * every_s for n in range(len(numbers))]
    flags = OWN | (Flag.MISS if miss else 0)
    return judge_of().judge(columns_of(at_s, kind=Kind.LOOKUP, number=numbers, flags=flags))


def searched(texts: list[str], shown: int = 10, model: Model | None = None, **given: Any) -> Evidence:
    """Evidence at searches for texts, one every five seconds."""
    profile = [sum(ord(letter) * 31**n for n, letter in enumerate(text)) for text in texts]
    given = {"kind": Kind.QUERY, "number": [number_of(text) for text in texts], "profile": profile, **given}
    columns = columns_of([5.0 * n for n in range(len(texts))], shown=shown, **given)
    return judge_of().judge(columns, model)


class TestImport:
    """Numbers in order."""

    @pytest.mark.parametrize("step", [1, -1, 5000, -5000])
    def test_in_order(self, step: int) -> None:
        """Either direction is found at the fifth number and ground for a block at the seventh."""
        found = looked_up([4_470_000_000 + n * step for n in range(9)])
        assert [int((found.level >= limit).argmax()) + 1 for limit in (1.0, 1.5)] == [5, 7]
        assert found.may_block[6]

    def test_not_near(self) -> None:
        """A step of more than 5,000 is none."""
        assert not looked_up([4_470_000_000 + n * 5001 for n in range(9)]).numbers["import_order"].any()

    def test_one_upload(self) -> None:
        """All within two seconds is no ground for a block, in a third it is."""
        assert not looked_up([4_470_000_000 + n for n in range(20)], 0.1).may_block.any()
        assert looked_up([4_470_000_000 + n for n in range(30)], 0.1).may_block.any()

    def test_office(self) -> None:
        """Neighbours that go up and down speak against, and who turned gets little for going on."""
        found = looked_up([4_470_000_000 + n for n in (10, 20, 30, 40, 15, 25, 26)]).numbers["import_order"]
        steps = [0, 0, NEXT, NEXT, TURN, TURN, ON]
        assert found.tolist() == pytest.approx(np.cumsum(steps).tolist(), abs=1e-4)

    def test_blocks(self) -> None:
        """One block after another in no order is found in the third block, and at most two are not."""
        rng = np.random.default_rng(1)
        blocks = [4_470_000_000 + n * 70_000 + rng.permutation(1_000)[:50] for n in range(3)]
        found = looked_up(np.concatenate(blocks).tolist()).numbers["import_order"]
        assert found[:100].max() < 12
        assert found[-1] > 18

    def test_address_book(self) -> None:
        """Four hundred numbers in no order, one in four a member's."""
        rng = np.random.default_rng(1)
        numbers = rng.integers(4 * 10**10, 5 * 10**10, 400)
        flags = np.where(rng.random(400) < 0.25, OWN, OWN | Flag.MISS)
        columns = columns_of([n * 0.1 for n in range(400)], kind=Kind.LOOKUP, number=numbers, flags=flags)
        assert judge_of().judge(columns).level.max() < 0.5

    @pytest.mark.parametrize(("rows", "speaks"), [(1999, False), (2000, True)])
    def test_day(self, rows: int, speaks: bool) -> None:
        """The two thousandth number of a day speaks, found or not."""
        assert bool(looked_up([-1] * rows, 0.01, miss=False).level[-1] >= 1) == speaks

    def test_yesterday(self) -> None:
        """At noon half of what was looked up yesterday counts yet, two days later nothing of it."""
        midnight_s = 3 * 86_400 - START_S % 86_400
        for later_s, left in ((43_200.0, 500.0), (86_400.0, 0.0)):
            at_s = [midnight_s - 1.0] * 1_000 + [midnight_s + later_s]
            found = judge_of().judge(columns_of(at_s, kind=Kind.LOOKUP))
            assert found.numbers["looked_up_day"][-2:].tolist() == [1_000.0, left + 1.0]

    def test_the_sum(self) -> None:
        """All of the order counts in the sum over all detectors."""
        assert added(looked_up([4_470_000_000 + n for n in range(9)]), Config().cap) > 7 * NEXT

    def test_half_life(self) -> None:
        """After 3.5 days half of the order is left."""
        columns = columns_of(
            [*range(9), 8 + 302_400], kind=[Kind.LOOKUP] * 9 + [Kind.QUERY], number=[*range(1000, 1009), -1]
        )
        found = judge_of().judge(columns).numbers["import_order"]
        assert found[-1] == pytest.approx(found[-2] / 2, rel=1e-6)

    def test_each_answer(self) -> None:
        """A number of nobody is worth a quarter of ln(0.94 / 0.75), a member's takes a quarter of ln(0.25 / 0.06)."""
        flags = [OWN | Flag.MISS] * 12 + [OWN]
        found = judge_of().judge(columns_of(range(13), kind=Kind.LOOKUP, flags=flags)).numbers["hits"]
        miss, hit = 0.25 * np.log(0.94 / 0.75), 0.25 * np.log(0.06 / 0.25)
        assert found[11:].tolist() == pytest.approx([12 * miss, 12 * miss + hit], abs=1e-3)

    def test_many_numbers(self) -> None:
        """However many numbers, they are worth fourteen."""
        assert looked_up([-1] * 5_700, 0.001, miss=False).numbers["numbers"][-1] == pytest.approx(14.0)

    def test_hits(self) -> None:
        """Few hits are worth six, and every number above a thousand a little more."""
        found = looked_up([-1] * 1200, 0.001)
        assert float(found.numbers["hits"].max()) == pytest.approx(6.0, abs=0.01)
        assert float(found.numbers["numbers"][999]) == 0.0
        assert float(found.numbers["numbers"][-1]) == pytest.approx(0.6, abs=0.01)


class TestSearch:
    """Texts in the order of the alphabet, and how results are read."""

    def test_alphabet(self) -> None:
        """Found at the sixth search, blocked at the seventh."""
        found = searched(PAIRS)
        assert [int((found.level >= limit).argmax()) + 1 for limit in (1.0, 1.5)] == [6, 7]
        assert found.may_block[6]

    @pytest.mark.parametrize("texts", [PAIRS[::-1], [pair + "ab" for pair in PAIRS], ["王伟", "王芳", "王静"] * 9])
    def test_no_sweep(self, texts: list[str]) -> None:
        """Backwards, longer texts, and names that are short in their script."""
        assert searched(texts).level.max() < 1

    def test_beyond_z(self) -> None:
        """Letters of two bytes stand behind those of one."""
        assert searched(["ya", "za", "öa", "öz"]).numbers["alphabet"][-1] == pytest.approx(2 * np.log(40), abs=1e-3)

    def test_typing(self) -> None:
        """A text that grows letter by letter is one search."""
        texts = (
            ["anna"[:n] for n in range(1, 5)] + ["berta"[:n] for n in range(1, 6)] + ["carl"[:n] for n in range(1, 5)]
        )
        assert not searched(texts).numbers["alphabet"].any()

    @pytest.mark.parametrize(("pages", "counts"), [(3, False), (4, True)])
    def test_pages(self, pages: int, counts: bool) -> None:
        """The fourth page of a search says something, the third nothing."""
        assert bool(searched(["smith"] * pages).numbers["traits"][-1] > 0) == counts

    @pytest.mark.parametrize(("before", "counts"), [(2, False), (3, True)])
    def test_pages_of_a_short_text(self, before: int, counts: bool) -> None:
        """Those of at most three letters are order from the third on; those of four letters are a trait."""
        assert bool(searched(["li"] * before).numbers["alphabet"][-1] > 0) == counts
        assert not searched(["liam"] * before).numbers["alphabet"].any()

    def test_traits_by_themselves(self) -> None:
        """Pages are worth three and searches that nobody follows up four, however many there are."""
        assert searched(["smith"] * 20).numbers["traits"].max() == 3.0
        model = replace(empty(), lessons={"lookup_sweep.unviewed": np.array([900.0, 100.0])})
        assert searched([f"{n:03d}name" for n in range(40)], model=model).numbers["traits"].max() == 4.0

    def test_the_most_that_is_counted(self) -> None:
        """Results of a day are counted up to 65,535."""
        assert searched(["anna", "berta"], shown=40_000).numbers["shown_day"].tolist() == [40_000.0, 65_535.0]

    def test_only_short_pages(self) -> None:
        """Pages three to five are worth ln 4 each, later ones ln 16: found at the eighth, blocked at the tenth."""
        found = searched(["abc"] * 12)
        assert [int((found.level >= limit).argmax()) + 1 for limit in (1.0, 1.5)] == [8, 10]
        assert found.numbers["alphabet"][-1] == pytest.approx(3 * np.log(4) + 7 * np.log(16), abs=1e-2)
        assert found.may_block[-1]

    def test_pages_with_views(self) -> None:
        """Who opens something after each page of a short text goes through no alphabet."""
        kinds = [kind for _ in range(40) for kind in (Kind.QUERY, Kind.VIEW)]
        found = searched(["li"] * 80, kind=kinds)
        assert not found.numbers["alphabet"].any()
        assert found.level.max() < 1

    def test_recruiter(self) -> None:
        """Two thousand results in a day, ten pages of each search and no view, by the tier's limit."""
        texts = [f"{a}{b}engineer" for a in "qwert" for b in "zuiop"][:20]
        given: dict[str, Any] = {
            "kind": Kind.QUERY,
            "number": [number_of(text) for text in texts for _ in range(10)],
            "profile": [n for n in range(20) for _ in range(10)],
        }
        columns = columns_of([5.0 * n for n in range(200)], shown=10, **given)
        tier = columns.tiers[int(columns.tier[0])]
        assert judge_of().judge(columns).level.max() >= 1
        assert judge_of(Config(tiers={tier: 5_000})).judge(columns).level.max() < 1
        assert judge_of(Config(tiers={tier + "x": 5_000})).judge(columns).level.max() >= 1

    def test_tiers_by_name(self) -> None:
        """What is learned of a tier does not depend on the number that it has in a partition."""
        given: dict[str, Any] = {"kind": Kind.QUERY, "shown": 10, "number": -1}
        first = columns_of(range(30), tiers=("", "free", "premium"), tier=1, **given)
        last = columns_of(range(30), tiers=("", "premium", "free"), tier=2, **given)
        one, other = (judge_of().judge(columns).lessons["reached"] for columns in (first, last))
        assert (one >= 0).any()
        np.testing.assert_array_equal(one, other)

    @pytest.mark.parametrize(("shown", "speaks"), [(1_999, False), (2_000, True)])
    def test_day(self, shown: int, speaks: bool) -> None:
        """Two thousand results in a day speak, and are no ground for a block."""
        found = searched(["smith"], shown=shown)
        assert bool(found.level[-1] >= 1) == speaks
        assert not found.may_block.any()

    @pytest.mark.parametrize(("shown", "enough"), [(2_999, False), (3_000, True)])
    def test_block(self, shown: int, enough: bool) -> None:
        """A block takes half as much again as an alert."""
        assert bool(searched(["smith"], shown=shown).level[-1] >= Config().block_ratio) == enough

    def test_learned(self) -> None:
        """Where others view and see few results, who does not rises to the cap of traits, which is below the limit."""
        reached = np.zeros((CLASSES, BINS))
        reached[0, 0], reached[0, 1:4] = 1000, 500
        lessons = {"unviewed": np.array([900.0, 100.0]), "reached": reached.ravel()}
        model = replace(empty(), lessons={f"lookup_sweep.{name}": table for name, table in lessons.items()})
        texts = [f"{n:03d}name" for n in range(200)]
        found = searched(texts, model=model).numbers["traits"]
        assert float(found.max()) == pytest.approx(10.0)
        assert not searched(texts).numbers["traits"].any()

    @pytest.mark.parametrize(("short_texts", "speaks"), [(["ca", "li"], False), (["ca", "da", "li", "xu", "zo"], True)])
    def test_order_by_chance(self, short_texts: list[str], speaks: bool) -> None:
        """Short searches that stand in order by chance do not lift who has all the traits to the limit."""
        reached = np.zeros((CLASSES, BINS))
        reached[0, 0], reached[0, 1:4] = 1000, 500
        lessons = {"unviewed": np.array([900.0, 100.0]), "reached": reached.ravel()}
        model = replace(empty(), lessons={f"lookup_sweep.{name}": table for name, table in lessons.items()})
        found = searched([f"{n:03d}name" for n in range(150)] + [*short_texts, "zz-last"], model=model)
        assert found.numbers["alphabet"][-2] > 0
        assert bool(found.level.max() >= 1) == speaks
        assert (found.numbers["traits"][-2] == 2.5) == speaks


class TestRows:
    """What counts."""

    def test_lists(self) -> None:
        """Lists of one member after another weigh where others do not, a list gone back to does not."""
        model = replace(empty(), lessons={"lookup_sweep.lists": np.array([900.0, 100.0])})
        given: dict[str, Any] = {"kind": Kind.QUERY, "number": -1, "shown": 10}
        many = judge_of().judge(columns_of(range(20), **given), model)
        same = judge_of().judge(columns_of(range(20), profile=7, **given), model)
        assert float(many.numbers["traits"][-1]) == pytest.approx(6.0)
        assert not same.numbers["traits"].any()

    @pytest.mark.parametrize(("between", "again"), [(2, 0), (3, 1)])
    def test_lists_gone_back_to(self, between: int, again: int) -> None:
        """To one of the three that were opened last; beyond them each is another's."""
        profile = [7, *range(20, 20 + between), 7]
        columns = columns_of(range(between + 2), kind=Kind.QUERY, number=-1, profile=profile)
        assert judge_of().judge(columns).lessons["lists"].tolist() == [0, *[1] * between, again]

    def test_what_a_view_takes_back(self) -> None:
        """By the shares of a sweep, 97 in 100 searches and 9 in 10 lists, and what is learned beside 200 of those."""
        lessons = {f"lookup_sweep.{name}": np.array([90.0, 10.0]) for name in ("unviewed", "lists")}
        model, viewed = replace(empty(), lessons=lessons), [*[Kind.QUERY] * 39, Kind.VIEW, Kind.QUERY, Kind.QUERY]
        texts, kinds = [f"{n:03d}name" for n in range(42)], np.array(viewed)
        found = searched(texts, model=model, kind=kinds).numbers["traits"]
        honest = 0.7 * (10 + 0.97 * 200) / 300 + 0.3 * 0.97
        assert found[38] == 4
        assert found[40] == pytest.approx(4 + np.log(0.03 / (1 - honest)), abs=1 / 64)
        found = searched(texts, model=model, kind=kinds, number=-1, shown=0).numbers["traits"]
        honest = 0.7 * (10 + 0.9 * 200) / 300 + 0.3 * 0.9
        assert found[38] == 6
        assert found[40] == pytest.approx(6 + np.log(0.1 / (1 - honest)), abs=1 / 64)

    @pytest.mark.parametrize("given", [{"kind": Kind.VIEW}, {"kind": Kind.SEARCH}, {"principal_slot": [-1] * 48}])
    def test_what_does_not(self, given: dict[str, Any]) -> None:
        """Views, results one by one and actors beside the principal."""
        found = searched(PAIRS, **given)
        assert found.moved is not None
        assert not found.level.any()
        assert not found.moved.any()

    def test_hostile_and_late(self) -> None:
        """Any number, and time that runs backwards, give finite levels and starts in the past."""
        edge = [2**63 - 1, -(2**63), 0, 1, 2**63 - 1, -2, -1, 5] * 2
        at_s = [0.0, 90_000, 10, 200_000, 5, 6, 7, 8] * 2
        columns = columns_of(at_s, kind=[Kind.LOOKUP] * 8 + [Kind.QUERY] * 8, number=edge, shown=65_535)
        found = judge_of().judge(columns)
        assert np.isfinite(found.level).all()
        assert (found.since_us <= columns.time_us).all()

    def test_cut_anywhere(self) -> None:
        """However rows are cut, each has the same level."""
        columns = columns_of([float(n) for n in range(48)], kind=Kind.QUERY, number=[number_of(p) for p in PAIRS])
        names = [name for name in columns.__dataclass_fields__ if name != "tiers"]
        parts = judge_of()
        cut = [
            parts.judge(replace(columns, **{name: getattr(columns, name)[n : n + 1] for name in names})).level
            for n in range(48)
        ]
        assert np.concatenate(cut).tolist() == judge_of().judge(columns).level.tolist()

    def test_explained(self) -> None:
        """Numbers for the operator, none for the person."""
        detector = LookupSweep(Config())
        columns = columns_of([float(n) for n in range(9)], kind=Kind.LOOKUP, number=range(1000, 1009))
        why = detector.explain(columns, Judge(cast("Detector[DetectorConfig]", detector)).judge(columns), 8)
        assert "mostly import order" in why.reason
        assert why.evidence["looked_up_day"] == 9
        assert not any(letter.isdigit() for letter in why.public_reason)
