"""Steps that go on, and people who read in order."""

import numpy as np
import pytest

from detectors.id_walk import RIPE, Config
from tests.detectors.walks_of import NOBODY, asked, judge, model


class TestOn:
    """Steps that go on from a step."""

    @pytest.mark.parametrize("by", [1, -1, 7, 16])
    def test_as_far_again(self, by: int) -> None:
        """The same way and as far as the step before."""
        walk = [500, 500 + by, 500 + 2 * by]
        assert judge().judge(asked(walk)).lessons["steps"].tolist() == [-1, 1, 2]
        assert judge().judge(asked([*walk[:2], walk[1] + 3])).lessons["steps"].tolist() == [-1, 1, 1]

    def test_not_beside_an_older_number(self) -> None:
        """A number by chance beside an older one goes on from nothing."""
        assert judge().judge(asked([500, 501, 900, 1300, 502])).lessons["steps"].tolist() == [-1, 1, 0, 0, 1]

    def test_a_far_stride(self) -> None:
        """A stride of more than 16 is a step and no more."""
        assert judge().judge(asked([10_000 + 100 * k for k in range(4)])).lessons["steps"].tolist() == [-1, 0, 1, 1]


class TestPeopleWhoReadInOrder:
    """Before it is known what people do here."""

    def test_eight_steps(self) -> None:
        """While nothing is learned, three steps are an alert, and eight that went on are ground for a block."""
        for walk in (list(range(500, 512)), list(range(9_000, 7_800, -100))):
            evidence = judge().judge(asked(walk))
            assert int(np.argmax(evidence.level >= 1)) == (3 if walk[0] == 500 else 4)
            assert int(np.argmax(evidence.may_block)) == 9
            assert evidence.may_block[9:].all()

    def test_there_and_back(self) -> None:
        """Who goes through pages now forward, now back is spoken of, and blocked after thirty steps, not before."""
        evidence = judge().judge(asked([500 + k + (0, 2, -1, 5)[k % 4] for k in range(60)]))
        assert evidence.level[20] > Config().block_ratio
        assert int(np.argmax(evidence.may_block)) == 30

    @pytest.mark.parametrize(("first", "speaks"), [(1, False), (388, False), (400, True)])
    def test_few_pages(self, first: int, speaks: bool) -> None:
        """Who reads pages 1 to 12 of a hundred goes through neighbours: there are no others below 400."""
        walk = asked(list(range(first, first + 12)))
        assert bool(judge().judge(walk).level.any()) is speaks
        assert judge().judge(walk, model(NOBODY)).level[-1] > 1

    @pytest.mark.parametrize(("views", "blocks"), [(19_999, False), (20_000, True)])
    def test_until_it_is_known(self, views: float, blocks: bool) -> None:
        """Once 20,000 views are learned, of which none is a step, three steps are ground for a block."""
        learned = judge().judge(asked([500, 501, 503, 504]), model([views, 0, 0, 0, 0, 0, 0, 0, 0]))
        assert learned.level[-1] >= Config().block_ratio
        assert bool(learned.may_block[-1]) is blocks

    def test_where_people_do(self) -> None:
        """Once it is learned that seven views in ten go on from a step, fifty pages in order are no walk."""
        people = model([0.2 * RIPE, 0.1 * RIPE, 0.7 * RIPE, 0, 0, 0, 0, 0, 0])
        assert judge().judge(asked(list(range(500, 550))), people).level.max() < 1

    def test_who_turns_pages_teaches_it(self) -> None:
        """The first step of a rise that goes on is learned though it is an alert already, and no second one."""
        evidence = judge().judge(asked([500, 501, 502, 503, 504]), model(NOBODY))
        assert evidence.level[2] >= 1
        assert evidence.numbers["teaches"].tolist() == [0, 0, 1, 0, 0]

    def test_once_one_in_ten_thousand_views_does(self) -> None:
        """A few who turn three pages of an album, among many views, are enough that three pages block nobody."""
        album = asked([500, 501, 502])
        assert judge().judge(album, model(NOBODY)).level[-1] > Config().block_ratio
        few = model([1e6 - 100, 900, 100, 0, 0, 0, 0, 0, 0])
        assert judge().judge(album, few).level[-1] < Config().block_ratio
