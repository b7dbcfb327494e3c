"""What each request of a credential is worth, to the last digit that is kept."""

from dataclasses import replace

import numpy as np
import pytest

from detectors.core.model import Model, empty
from detectors.credential_spread import Config, CredentialSpread
from tests.detectors.columns_of import added, columns_of
from tests.detectors.places_of import ABROAD, CARRIER, HOME, HOP, Place, among, judge_of, judged, networks


def traits(places: list[Place], model: Model | None = None) -> list[float]:
    """What is known places and new ones are worth at each of these requests at once, beside hops."""
    address, asn, country = zip(*places, strict=True)
    columns = columns_of([0.0] * len(places), address=list(address), asn=list(asn), country=list(country))
    found = judge_of().judge(columns, model).numbers
    worth: list[float] = (found["nats"] - found["across"]).tolist()
    return worth


def of_each_network(seen: float, changed: float) -> Model:
    """A model that saw so many requests in each network, of which so many came from a changed address."""
    table = np.tile([seen - changed, changed, 0.0], 256)
    return replace(empty(), lessons={"credential_spread.changes": table})


NEW, SEEN, STAY = float(np.log(0.5 / 0.12)), float(np.log(0.5 / 0.88)), float(np.log(0.5 / 0.97))


class TestPlaces:
    """A known one, and one not among the last four."""

    def test_back_home(self) -> None:
        """A new place is worth ln(0.5 / 0.12), a known one takes ln(0.88 / 0.5), and from the hop ln(0.97 / 0.5)."""
        assert traits([HOME, CARRIER, HOME]) == pytest.approx([0, NEW, NEW + SEEN], abs=1e-3)
        across = judged([HOME, CARRIER, HOME], 0.0).numbers["across"]
        assert across.tolist() == pytest.approx([0, HOP, HOP + STAY], rel=1e-5)

    @pytest.mark.parametrize(("count", "worth"), [(4, 3 * NEW + SEEN), (5, 5.0)])
    def test_the_last_four(self, count: int, worth: float) -> None:
        """The fourth last is known, the fifth last is new again; together they are worth five."""
        assert traits(networks(count, count + 1))[-1] == pytest.approx(worth, abs=1e-3)


class TestWithin:
    """Another address of a known network."""

    @pytest.mark.parametrize(
        ("model", "share"), [(None, 0.3), (of_each_network(100, 0), 15 / 150), (of_each_network(100, 60), 75 / 150)]
    )
    def test_worth(self, model: Model | None, share: float) -> None:
        """By the share that is learned of the network beside fifty observations of three in ten, and mixed."""
        each = float(np.log(0.5 / (0.7 * share + 0.3 * 0.5)))
        assert traits([(n, 20, 1) for n in (1, 2, 3)], model) == pytest.approx([0, each, 2 * each], abs=1e-3)

    @pytest.mark.parametrize(("changed", "counted"), [(210, 3), (211, 0)])
    def test_where_everybody_changes(self, changed: float, counted: int) -> None:
        """Addresses of a network are not counted from more than one change in five on."""
        model = of_each_network(1_000, changed)
        found = judge_of().judge(columns_of([0.0] * 3, address=[1, 2, 3], asn=20, country=1), model)
        assert found.numbers["addresses"][-1] == counted


class TestWhole:
    """All of it together."""

    def test_the_sum(self) -> None:
        """It adds at most ten to the sum over all detectors."""
        assert added(judged(networks(4, 12)), Config().cap) == 10

    def test_half_life(self) -> None:
        """After 3.5 days half is left."""
        rows = networks(4, 12)
        found = among([*(10.0 * n for n in range(12)), 110.0 + 302_400], [*rows, rows[-1]])
        assert found.numbers["across"][12] == pytest.approx(found.numbers["across"][11] / 2, rel=1e-4)

    @pytest.mark.parametrize(("gap_s", "somebody_else"), [(242.0, True), (285.0, False)])
    def test_whose_it_is(self, gap_s: float, somebody_else: bool) -> None:
        """From three on somebody else may use the account: a hop abroad within four minutes is, one in five not."""
        nats = judged([HOME, ABROAD], gap_s).numbers["nats"][-1]
        assert 2.75 < nats < 3.25
        assert (nats >= CredentialSpread.shared_from) == somebody_else
