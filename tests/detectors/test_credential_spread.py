"""One credential at many places, in columns written by hand."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from detectors.core.columns import US
from detectors.core.contract import Evidence
from detectors.core.model import Model, empty
from detectors.credential_spread import Config
from schemas.actor import Scope
from schemas.sighting import Kind
from tests.detectors.columns_of import START_S, columns_of
from tests.detectors.places_of import (
    ABROAD,
    CARRIER,
    FAR,
    FAR_NEW,
    HOME,
    HOP,
    HOP_NEW,
    OFFICE,
    THIRD,
    Place,
    among,
    at,
    judge_of,
    judged,
    networks,
    settled,
)


class TestHops:
    """What a change of place is worth."""

    def test_rotation_is_found_and_blocked(self) -> None:
        """Four networks by turns are spoken of at the sixth request, and are ground for a block at the seventh."""
        found = judged(networks(4, 10))
        assert [int((found.level >= limit).argmax()) + 1 for limit in (1.0, 1.2)] == [6, 7]
        assert found.may_block[6]

    def test_two_places_by_turns(self) -> None:
        """A phone beside a desktop, for hours, even abroad, stays silent."""
        assert judged([HOME, CARRIER] * 200).level.max() < 1
        assert judged([HOME, ABROAD] * 200).level.max() < 1

    def test_who_moves_and_stays(self) -> None:
        """From home by carrier to the office, some requests at each."""
        assert judged([HOME] * 6 + [CARRIER] * 6 + [OFFICE] * 6 + [HOME] * 6).level.max() < 1

    def test_country(self) -> None:
        """A hop to another country weighs more than one within it."""
        same, other = judged([HOME, CARRIER], 0.0), judged([HOME, ABROAD], 0.0)
        assert float(same.numbers["across"][1]) == pytest.approx(HOP, rel=1e-6)
        assert float(other.numbers["across"][1]) == pytest.approx(FAR, rel=1e-6)

    @pytest.mark.parametrize(
        ("before", "place", "worth"),
        [
            ([HOME], OFFICE, HOP_NEW),
            ([HOME], ABROAD, FAR_NEW),
            ([OFFICE, HOME], OFFICE, HOP),
            ([(9, 30, 1), HOME], OFFICE, HOP),
            ([ABROAD, HOME], ABROAD, FAR),
        ],
    )
    def test_remembered_network(self, before: list[Place], place: Place, worth: float) -> None:
        """A network that the account used two hours ago, by whatever address, weighs less than one never heard of."""
        found = at(before, 7200.0, [CARRIER, place])
        assert float(found.numbers["across"][-1]) == pytest.approx(worth, rel=1e-6)

    @pytest.mark.parametrize(("later_s", "worth"), [(3599.0, HOP), (3600.0, HOP_NEW)])
    def test_nothing_from_before(self, later_s: float, worth: float) -> None:
        """Who was first seen within the hour has no places that a network could be unheard of beside."""
        found = at([HOME], later_s, [CARRIER, OFFICE])
        assert float(found.numbers["across"][-1]) == pytest.approx(worth, rel=1e-2)

    def test_who_roams_between_remembered_networks(self) -> None:
        """Home, carrier, office and VPN within an hour, some requests at each, as every day: no alert."""
        day = [HOME] * 4 + [CARRIER] * 3 + [OFFICE] * 4 + [ABROAD] * 3 + [HOME] * 3
        places = [place for _ in range(5) for place in day]
        at_s = [n % len(day) * 60.0 + n // len(day) * 86_400.0 for n in range(len(places))]
        assert among(at_s, places).level.max() < 1

    def test_who_looks_in_from_everywhere(self) -> None:
        """One or two views every quarter of an hour, at home, under way, in the office, abroad, for three days."""
        place = [HOME, CARRIER, OFFICE, ABROAD, CARRIER, HOME, OFFICE]
        at_s = [(n // 2) * 900.0 + n % 2 * 5.0 for n in range(576)]
        found = among(at_s, [place[n // 2 % 7] for n in range(576)])
        assert float(found.numbers["across"].max()) == 0
        assert float(found.numbers["nats"].max()) <= 5

    @pytest.mark.parametrize(("gap_s", "counts"), [(599, True), (600, False)])
    def test_ten_minutes_later(self, gap_s: int, counts: bool) -> None:
        """Ten minutes after the last request another place says nothing."""
        assert bool(judged([HOME, ABROAD], gap_s).numbers["across"][1] > 0) == counts

    def test_carrier(self) -> None:
        """A carrier's changes within one network are a trait: capped, and never ground for a block."""
        found = judged([(n + 1, 20, 1) for n in range(300)])
        assert float(found.numbers["nats"].max()) == pytest.approx(4.0, abs=1e-3)
        assert not found.may_block.any()


def of_sessions(places: list[Place], sessions: list[int], model: Model, at_s: list[float] | None = None) -> Evidence:
    """Evidence at requests at once, unless moments are given, by these sessions of one account."""
    address, asn, country = zip(*places, strict=True)
    at_s = [0.0] * len(places) if at_s is None else at_s
    columns = columns_of(at_s, address=list(address), asn=list(asn), country=list(country), session=sessions)
    return judge_of().judge(columns, model)


def gained(found: Evidence) -> float:
    """What the last request added across networks."""
    across = found.numbers["across"]
    return float(across[-1] - across[-2])


class TestSessions:
    """What one session in three networks is worth."""

    @pytest.mark.parametrize(
        ("sessions", "worth"),
        [([7, 7, 7, 7], HOP_NEW), ([7, 7, 9, 7], THIRD), ([0, 0, 0, 0], THIRD), ([7, 7, 14, 7], THIRD)],
    )
    def test_a_return(self, sessions: list[int], worth: float) -> None:
        """Back to a third network: a hop of one session; of two devices, even of the same mark, a third place."""
        found = of_sessions([HOME, CARRIER, OFFICE, HOME], sessions, settled())
        assert gained(found) == pytest.approx(worth, rel=1e-6)

    def test_an_arrival(self) -> None:
        """A third network of a session for the first time is such a hop as well."""
        assert gained(of_sessions([HOME, CARRIER, OFFICE], [7] * 3, settled())) == pytest.approx(HOP_NEW, rel=1e-6)
        assert gained(of_sessions([HOME, CARRIER, OFFICE], [7, 9, 9], settled())) == pytest.approx(HOP, rel=1e-6)

    def test_two_networks_by_turns(self) -> None:
        """Between the two networks used last a session may go to and fro, whatever came before."""
        found = of_sessions([OFFICE, *[HOME, CARRIER] * 50], [7] * 101, settled())
        assert found.level.max() < 1
        assert gained(found) <= 0

    @pytest.mark.parametrize(("later_s", "counts"), [(150.0, True), (151.0, False)])
    def test_five_minutes(self, later_s: float, counts: bool) -> None:
        """All three within five minutes; of two sessions it would be the third place of an account."""
        at_s = [0.0, later_s, later_s * 2]
        one = of_sessions([OFFICE, CARRIER, ABROAD], [7, 7, 7], settled(), at_s)
        two = of_sessions([OFFICE, CARRIER, ABROAD], [7, 9, 9], settled(), at_s)
        assert (gained(one) > gained(two) + 0.1) == counts

    @pytest.mark.parametrize(
        ("third", "seen", "worth"),
        [(20.0, 20_000.0, HOP_NEW), (20.1, 20_000.0, THIRD), (0.0, 999.0, THIRD), (0.0, 1_000.0, HOP_NEW)],
    )
    def test_networks_of_a_relay(self, third: float, seen: float, worth: float) -> None:
        """Not in networks that are not known well enough, nor where honest sessions do so."""
        found = of_sessions([HOME, CARRIER, OFFICE, HOME], [7] * 4, settled(third, seen))
        assert gained(found) == pytest.approx(worth, rel=1e-6)

    def test_unknown_networks(self) -> None:
        """An address of unknown network is no network: carriers have many."""
        places = [(1, 0, 1), (2, 0, 1), (3, 0, 1), (1, 0, 1)]
        assert gained(of_sessions(places, [7] * 4, settled())) == pytest.approx(THIRD, rel=1e-6)

    def test_what_is_taught(self) -> None:
        """A session's third network is a lesson of its own, whether it is settled or not; two devices teach none."""
        for model in (settled(), empty()):
            lessons = of_sessions([HOME, CARRIER, OFFICE, HOME], [7] * 4, model).lessons["changes"]
            assert (lessons[2:] % 3).tolist() == [2, 2]
        assert (of_sessions([HOME, CARRIER, OFFICE, HOME], [7, 7, 9, 7], settled()).lessons["changes"] < 0).sum() == 4

    def test_a_thief_beside_the_owner(self) -> None:
        """Four addresses by turns, the owner's two devices between them: ground for a block by the seventh request."""
        rows = networks(4, 12)
        places = [place for at, one in enumerate(rows) for place in ([one, HOME] if at % 3 == 2 else [one])]
        sessions = [session for at in range(12) for session in ([7, 8 + at % 2] if at % 3 == 2 else [7])]
        found = of_sessions([(a + 4, n + 40, c) for a, n, c in places], sessions, settled())
        thief = np.flatnonzero(np.array(sessions) == 7)
        assert found.level[thief[6]] >= 1.2
        assert found.may_block[thief[6]]

    @pytest.mark.parametrize(
        ("count", "countries", "blocks"), [(3, (1,), False), (4, (1,), True), (3, (1, 2), False), (3, (1, 2, 3), True)]
    )
    def test_whose_devices_could_be_there(self, count: int, countries: tuple[int, ...], blocks: bool) -> None:
        """Three networks in two countries are no ground for a block, whatever has added up; one more of either is."""
        rows = [(a, n, countries[n // 10 % len(countries)]) for a, n, _ in networks(count, 30)]
        found = of_sessions(rows, [7] * 30, settled())
        assert found.level[-1] >= 1.2
        assert found.may_block.any() == blocks

    @pytest.mark.parametrize(("third", "blocks"), [(2.0, True), (3.0, False)])
    def test_a_relay_is_one_network(self, third: float, blocks: bool) -> None:
        """Operators among which sessions are learned to hop are no four places, however many they are."""
        found = of_sessions(networks(6, 60), [7] * 60, settled(third))
        assert found.level[-1] >= 1.2
        assert found.may_block.any() == blocks

    def test_a_long_rise(self) -> None:
        """Its start is told to sixteen seconds, and is never in the future."""
        found = of_sessions(networks(4, 40), [7] * 40, settled(), [100.0 + 10 * n for n in range(40)])
        begun_s = (found.since_us - (START_S + 110) * US)[found.level < 1][-1] / US
        assert -16 <= begun_s <= 0


def _of_one_network(asn: int, rows: int, learned: int) -> Evidence:
    """Requests from another address each, in networks of which so many requests are learned, all from known ones."""
    table = np.zeros((256, 3))
    table[:, 0] = learned
    model = replace(empty(), lessons={"credential_spread.changes": table.ravel()})
    columns = columns_of([10.0 * n for n in range(rows)], address=list(range(1, rows + 1)), asn=asn, country=1)
    return judge_of().judge(columns, model)


class TestLimits:
    """Plain limits within five minutes."""

    @pytest.mark.parametrize(("rows", "speaks"), [(7, False), (8, True)])
    def test_addresses(self, rows: int, speaks: bool) -> None:
        """The eighth address of one network speaks, where the network is learned to keep them."""
        assert bool(_of_one_network(20, rows, learned=1_000).level[-1] >= 1) == speaks

    @pytest.mark.parametrize(("asn", "learned", "speaks"), [(20, 999, False), (20, 1_000, True), (0, 0, True)])
    def test_addresses_of_networks_that_are_not_learned(self, asn: int, learned: int, speaks: bool) -> None:
        """They may be a relay's, which has another for each connection; of no network there is nothing to learn."""
        assert bool(_of_one_network(asn, 8, learned).level[-1] >= 1) == speaks

    @pytest.mark.parametrize(
        ("config", "places", "below"),
        [
            (Config(networks=3, limit=1e6), [HOME, CARRIER, OFFICE], 2),
            (Config(countries=2, limit=1e6), [HOME, ABROAD], 1),
        ],
    )
    def test_networks_and_countries(self, config: Config, places: list[Place], below: int) -> None:
        """Speaks at the limit and not one below it."""
        assert judged(places, config=config).level[-1] >= 1
        assert judged(places[:below], config=config).level[-1] < 1

    @pytest.mark.parametrize(("count", "speaks"), [(5, False), (6, True)])
    def test_six_networks(self, count: int, speaks: bool) -> None:
        """By default the sixth speaks, whatever the evidence."""
        assert bool(judged(networks(count, count), config=Config(limit=1e6)).level[-1] >= 1) == speaks

    @pytest.mark.parametrize(("count", "speaks"), [(3, False), (4, True)])
    def test_four_countries(self, count: int, speaks: bool) -> None:
        """Likewise the fourth."""
        places = [(n, 10, n) for n in range(1, count + 1)]
        assert bool(judged(places, config=Config(limit=1e6)).level[-1] >= 1) == speaks

    @pytest.mark.parametrize(("limit", "count", "blocks"), [(6, 7, False), (5, 6, True)])
    def test_block(self, limit: int, count: int, blocks: bool) -> None:
        """A fifth above a limit is ground for a block, and a sixth is not."""
        found = judged(networks(count, count), config=Config(networks=limit, limit=1e6))
        assert found.may_block[-1]
        assert bool(found.level[-1] >= Config().block_ratio) == blocks

    @pytest.mark.parametrize(("every_s", "speaks"), [(300, True), (301, False)])
    def test_window(self, every_s: int, speaks: bool) -> None:
        """What was used more than five minutes ago no longer counts."""
        config = Config(networks=2, limit=1e6)
        assert bool(judged([HOME, CARRIER], every_s, config).level[-1] >= 1) == speaks

    def test_learned_carrier(self) -> None:
        """Addresses of a network that changes them for everybody are not counted."""
        rows = [(n + 1, 20, 1) for n in range(40)]
        first = judged(rows)
        table = np.bincount(first.lessons["changes"][1:], minlength=768).astype(np.float64) * 100
        model = replace(empty(), lessons={"credential_spread.changes": table})
        address = [place[0] for place in rows]
        columns = columns_of([10.0 * n for n in range(40)], address=address, asn=20, country=1)
        assert table.sum() > 1_000
        assert judge_of().judge(columns, model).level.max() < 0.5


class TestRows:
    """What counts."""

    @pytest.mark.parametrize(
        "given",
        [{"scope": Scope.IP}, {"principal_slot": [-1] * 10}, {"kind": Kind.SEARCH}, {"kind": Kind.LIST}],
    )
    def test_what_does_not(self, given: dict[str, Any]) -> None:
        """Addresses as actors, actors beside the principal and results of a search."""
        found = judged(networks(4, 10), **given)
        assert found.moved is not None
        assert not found.level.any()
        assert not found.moved.any()

    @pytest.mark.parametrize("kind", [Kind.VIEW, Kind.LOOKUP, Kind.QUERY, Kind.TOUCH])
    def test_what_does(self, kind: Kind) -> None:
        """Views, look-ups, searches, and touches."""
        assert judged(networks(4, 10), kind=kind).level[-1] >= 1

    def test_without_address(self) -> None:
        """A request without an address says nothing."""
        assert not judged([(0, 10 * n, n) for n in range(1, 9)]).level.any()

    @pytest.mark.parametrize(("countries", "blocks"), [(2, False), (3, True)])
    def test_without_an_asn(self, countries: int, blocks: bool) -> None:
        """Twenty addresses of unknown networks are spoken of, and ground for a block only by their countries."""
        found = judged([(1_000 + 7 * (n % 20), 0, 1 + n % countries) for n in range(60)])
        assert found.level[20:].min() >= 1.2
        assert found.may_block.any() == blocks

    def test_cut_anywhere_and_late(self) -> None:
        """The same however rows are cut, and finite where time runs backwards."""
        at_s = [0.0, 10, 5, 4000, 3990, 4001, 4002, 90_000, 80_000, 90_001]
        columns = columns_of(
            at_s, address=[1, 2, 3, 4, 1, 5, 6, 7, 8, 9], asn=[1, 2, 3, 4, 1, 5, 6, 7, 8, 9], country=1
        )
        whole = judge_of().judge(columns)
        parts = judge_of()
        cut = [parts.judge(_rows(columns, slice(n, n + 1))).level for n in range(len(at_s))]
        assert np.concatenate(cut).tolist() == whole.level.tolist()
        assert np.isfinite(whole.level).all()
        assert (whole.since_us <= columns.time_us).all()

    def test_explained(self) -> None:
        """Numbers for the operator, none for the person."""
        places = networks(4, 8)
        columns = columns_of([0.0] * 8, address=[p[0] for p in places], asn=[p[1] for p in places], country=1)
        one = judge_of()
        why = one.detector.explain(columns, one.judge(columns), 7)
        assert why.evidence["networks"] == 4
        assert "4 networks" in why.reason
        assert not any(letter.isdigit() for letter in why.public_reason)


def _rows(columns: Any, part: slice) -> Any:
    names = [name for name in columns.__dataclass_fields__ if name != "tiers"]
    return replace(columns, **{name: getattr(columns, name)[part] for name in names})
