import pytest

from streams.offline.simulate.kind import ANONYMOUS, CLASS, OTHER_KINDS, REGULAR, Kind, counts


@pytest.mark.parametrize(("people", "anonymous"), [(40, 0), (160, 80), (20_000, 8_000)])
def test_everybody_is_counted_once(people: int, anonymous: int) -> None:
    """Accounts of all kinds add up to the plan's people; most are regular; visitors come last."""
    sizes = counts(people, anonymous)
    assert sum(sizes.values()) == people + anonymous
    assert sizes[ANONYMOUS] == anonymous
    assert next(iter(sizes)) is REGULAR
    assert list(sizes)[-1] is ANONYMOUS
    assert sizes[REGULAR] > people / 2


def test_a_small_plan_has_no_rare_kinds() -> None:
    """Of forty people at least one is of each common kind, and none of those that are one in a hundred."""
    sizes = counts(40, 0)
    assert {kind.name for kind, count in sizes.items() if count == 0} == {"importer", "journalist", "anonymous"}
    assert sizes[CLASS] == 2


@pytest.mark.parametrize(("people", "count"), [(99, 0), (100, 1), (199, 1), (200, 2)])
def test_a_rare_kind_begins_with_a_whole_person(people: int, count: int) -> None:
    """Parts of a person are nobody."""
    assert Kind("x", share=0.01, rare=True).count(people) == count


@pytest.mark.parametrize(("people", "count"), [(40, 1), (149, 1), (151, 2)])
def test_a_common_kind_has_somebody(people: int, count: int) -> None:
    """Other kinds are rounded and never empty."""
    assert Kind("x", share=0.01).count(people) == count


def test_kinds_of_the_demo() -> None:
    """Two thousand people are of every kind, recruiters one in two hundred."""
    sizes = {kind.name: count for kind, count in counts(2_000, 800).items()}
    assert min(sizes.values()) >= 8
    assert sizes["recruiter"] == 10
    assert (sizes["journalist"], sizes["importer"]) == (8, 25)


def test_shares_are_shares() -> None:
    """Every rate of a kind that is a probability lies in [0, 1]; the kinds other than regular are a minority."""
    for kind in (REGULAR, *OTHER_KINDS, CLASS, ANONYMOUS):
        for share in (kind.active, kind.weekend, kind.friends, kind.searches, kind.phone, kind.furniture, kind.vpn):
            assert 0 <= share <= 1
        assert len(kind.hours) == 24
    assert sum(kind.share for kind in OTHER_KINDS) < 0.5


def test_few_are_without_furniture() -> None:
    """Seven accounts in a thousand, and eight visitors in a hundred, never ask for what belongs to a page."""
    assert {kind.furniture for kind in (REGULAR, *OTHER_KINDS, CLASS)} == {0.993}
    assert ANONYMOUS.furniture == 0.92
