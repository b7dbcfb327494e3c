"""Names of members for alerts on cohorts."""

from typing import Final

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.cohort import LEAVES
from schemas.actor import Actor, Scope
from schemas.alert import Alert
from schemas.mode import Mode
from schemas.sighting import SightingBatch
from streams.pipeline.assess.roster import MOSTLY, NAMES_MAX, NEAR, Roster
from streams.pipeline.observe import idle_progress
from streams.pipeline.policy.case import Case
from streams.pipeline.rows import Rows
from streams.pipeline.sightings import Sightings, decode
from tests import days
from tests.requests import START_S, request_of
from tests.streams.pipeline.rows_of import START_US, profile, rows_of
from tests.streams.pipeline.staged import Scripted, Staged

GROUP: Final = 4
"""Slot of a net."""


def message(members: list[int], last_us: int = START_US) -> Sightings:
    """A message that names members, with one sighting at a time."""
    empty = msgspec.msgpack.decode(idle_progress("t", 0, 1), type=SightingBatch)
    texts = [f"m{number}".encode() for number in members]
    named = msgspec.structs.replace(
        empty,
        member_key=np.array([profile(number) for number in members], "<u8").tobytes(),
        member_scope=np.full(len(members), Scope.IP, "u1").tobytes(),
        member_text=b"".join(texts),
        member_text_end=np.cumsum([len(text) for text in texts]).astype("<u4").tobytes(),
    )
    found = decode(msgspec.msgpack.encode(named))
    return Sightings(**{name: getattr(found, name) for name in Sightings.__slots__} | {"time_us": np.array([last_us])})


def case(
    members: list[int],
    level: float = 1.0,
    adds: list[float] | None = None,
    slots: list[int] | int = GROUP,
    *,
    subset: float = 0.0,
    rise: float = 1.0,
) -> tuple[Case, Rows]:
    """Sightings of a group, each by a member that gave so much to one of its sums."""
    n = len(members)
    rows = rows_of([START_US + k for k in range(n)], slots=slots, principals=members, flags=0)
    detector = Scripted("fleet", [level] * n, adds=[1.0] * n if adds is None else adds, sum_of=(subset, rise))
    return Staged((detector, Mode.ALERT)).evaluate(rows).case, rows


def named(roster: Roster, of: tuple[Case, Rows], row: int = -1) -> list[str]:
    """Values of the members that are named at a row."""
    return [actor.value for actor in roster.names(*of, row if row >= 0 else len(of[1]) - 1)]


def holding(*messages: Sightings) -> Roster:
    """A roster with messages."""
    roster = Roster()
    for one in messages:
        roster.hold(one)
    return roster


def test_who_gave() -> None:
    """Members that gave evidence up to and with the row, each once; of those who gave the same, the first first."""
    roster, of = holding(message([1, 2, 3])), case([3, 1, 3, 2])
    assert named(roster, of) == ["m3", "m1", "m2"]
    assert named(roster, of, 1) == ["m3", "m1"]
    assert roster.names(*of, 0) == [Actor("ip", "m3")]


def test_who_gave_nothing() -> None:
    """Whose sighting was popular, or who looked like a person, is not named."""
    assert named(holding(message([1, 2])), case([1, 2], adds=[1.0, 0.0])) == ["m1"]


@pytest.mark.parametrize(("level", "names"), [(NEAR, ["m1"]), (NEAR - 0.001, [])])
def test_near_an_alert(level: float, names: list[str]) -> None:
    """Far from an alert nobody is written down."""
    assert named(holding(message([1])), case([1], level)) == names


def test_of_its_own_group() -> None:
    """Members of another group stay where they belong."""
    assert named(holding(message([1, 2])), case([1, 2], slots=[3, GROUP])) == ["m2"]


def test_unknown() -> None:
    """Who was named by no message is left out."""
    assert named(holding(message([1])), case([1, 2])) == ["m1"]
    assert named(Roster(), case([1])) == []


def test_kept() -> None:
    """Who added in a batch before is named though its message is gone."""
    roster = holding(message([1]))
    roster.keep(*case([1]))
    roster.let_go(START_US + 1)
    roster.hold(message([2], START_US + 5))
    assert named(roster, case([2])) == ["m1", "m2"]


@pytest.mark.parametrize(("later_us", "names"), [(0, ["m1"]), (1, [])])
def test_let_go(later_us: int, names: list[str]) -> None:
    """A message serves as long as one of its sightings may still be judged."""
    roster = holding(message([1]))
    roster.let_go(START_US + later_us)
    assert named(roster, case([1])) == names


def test_so_many() -> None:
    """Of a large fleet four fifths of the first twenty, if none gave more than another."""
    crowd = list(range(NAMES_MAX + 5))
    roster = holding(message(crowd))
    roster.keep(*case(crowd[:12]))
    assert named(roster, case(crowd[10:])) == [f"m{number}" for number in range(int(MOSTLY * NAMES_MAX))]


def test_passers_by() -> None:
    """Who gave little beside others is not named."""
    roster, of = holding(message([1, 2, 3, 4])), case([1, 2, 3, 4], adds=[0.2, 5.0, 0.2, 5.0])
    assert named(roster, of) == ["m2", "m4"]


def test_who_gave_most() -> None:
    """Whoever comes late and gives more stands before those who gave less, the least of whom make room."""
    crowd = list(range(NAMES_MAX + 5))
    roster = holding(message(crowd))
    roster.keep(*case(crowd, adds=[1.0 + (n == 3) for n in crowd]))
    late = named(roster, case([NAMES_MAX + 1, NAMES_MAX + 2], adds=[3.0, 1.0]))
    assert late[:5] == [f"m{n}" for n in (NAMES_MAX + 1, 3, 1, 2, 4)]


def test_who_took_it_back() -> None:
    """A person that turned out to be one is named no longer, until it gives anew."""
    roster = holding(message([1, 2]))
    roster.keep(*case([1, 2]))
    assert named(roster, case([1, 2], adds=[LEAVES, 1.0])) == ["m2"]
    roster.keep(*case([1], adds=[LEAVES]))
    assert named(roster, case([2])) == ["m2"]
    assert named(roster, case([2, 1], adds=[1.0, 0.5])) == ["m2", "m1"]


def test_who_took_back_what_is_not_known() -> None:
    """A group that nobody gives anything to holds no memory."""
    roster = holding(message([1]))
    roster.keep(*case([1], adds=[LEAVES]))
    assert roster.state()[1] == {}


def test_another_rise() -> None:
    """What was given before the sum fell to nothing does not count any more."""
    roster = holding(message([1, 2]))
    roster.keep(*case([1], rise=1.0))
    assert named(roster, case([2], rise=2.0)) == ["m2"]


def test_of_the_sum_that_speaks() -> None:
    """Members of another sum of the group are not named, unless none speaks."""
    roster = holding(message([1, 2]))
    roster.keep(*case([1], subset=1.0, adds=[2.0]))
    assert named(roster, case([2], subset=2.0)) == ["m2"]
    assert named(roster, case([2], level=0.0)) == ["m1"]


@given(
    st.lists(st.tuples(st.integers(0, 30), st.sampled_from([LEAVES, 0.5, 1.0, 2.0, 3.0])), max_size=80),
    st.integers(0, 80),
)
def test_any_cut(story: list[tuple[int, float]], cut: int) -> None:
    """The names are those of one batch however a story is cut."""
    crowd = message(list(range(31)))
    members, gave = [member for member, _ in story], [much for _, much in story]
    whole, parts = holding(crowd), holding(crowd)
    whole.keep(*case([0, *members], adds=[1.0, *gave]))
    parts.keep(*case([0, *members[:cut]], adds=[1.0, *gave[:cut]]))
    if members[cut:]:
        parts.keep(*case(members[cut:], adds=gave[cut:]))
    assert whole.state() == parts.state()


def test_alerts_name_members() -> None:
    """With requests through the whole way, a fleet behind one fingerprint is named address by address."""
    detector = Scripted("fleet", [1.0] * 100, adds=[1.0] * 100)
    one = Staged((detector, Mode.ALERT), scopes=())
    values = [request_of(START_S + n, f"p{n}", ip=f"203.0.113.{n % 3}", fingerprint="f") for n in range(6)]
    rows = days.rows(one.assessor, values)
    alerts = [each for each in one.decide(rows) if isinstance(each, Alert) and each.actor.scope == "fingerprint"]
    assert alerts[0].members.sample == [Actor("ip", "203.0.113.0")]
