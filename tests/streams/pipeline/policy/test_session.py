"""A stolen session is blocked in place of its account, where the account has another one in use."""

from typing import Final

import numpy as np
import pytest
from msgspec.structs import replace

from schemas.actor import Actor, Scope
from schemas.alert import Alert
from schemas.block import Action, Block, BlockMode
from schemas.mode import Mode
from schemas.sighting import Flag
from streams import config
from streams.pipeline.assess.enforcement import Enforcement, principals
from streams.pipeline.policy.decide import Decision, Lift
from streams.pipeline.policy.session import KEPT, RECENT_S, tags
from streams.pipeline.rows import Rows
from streams.settings import FusionSettings, PolicySettings, Settings
from tests import days
from tests.requests import START_S, request_of, views
from tests.streams.pipeline.rows_of import ACCOUNT, START_US, actors_of, rows_of
from tests.streams.pipeline.staged import Scripted, Staged

SETTINGS: Final = Settings(
    fusion=FusionSettings(limit=10, block_limit=10, floor=7, until_fitted=Mode.ENFORCE, sightings_min=1)
)
OWN, STOLEN = 1, 2
"""Slots of the account's two sessions."""
SECOND_US: Final = 1_000_000
Use = tuple[int, int, float]
"""Slot of the session, seconds since the start, evidence of the account after it; below 0 for none that is new."""


class Spread(Scripted):
    """From twelve nats on it says that somebody else may use the account."""

    shared_from = 12.0


def staged(uses: list[Use], settings: Settings = SETTINGS, scripted: type[Scripted] = Scripted) -> tuple[Staged, Rows]:
    """The account's row and the session's of each use."""
    rows = rows_of(
        [START_US + at_s * SECOND_US for _, at_s, _ in uses for _ in range(2)],
        slots=[slot for session, _, _ in uses for slot in (0, session)],
        flags=[ACCOUNT, Flag.LOGGED_IN] * len(uses),
        offsets=[number for number in range(len(uses)) for _ in range(2)],
    )
    nats = [value for _, _, nats in uses for value in (nats, -1.0)]
    return Staged((scripted("d", (), nats), Mode.ENFORCE), settings=settings), rows


def blocked(uses: list[Use], settings: Settings = SETTINGS, scripted: type[Scripted] = Scripted) -> list[str]:
    """Keys of the actors that are blocked."""
    one, rows = staged(uses, settings, scripted)
    return [each.actor.key for each in one.decide(rows) if isinstance(each, Block) and each.action is Action.BLOCK]


class TestNarrowest:
    """Who is blocked."""

    def test_a_stolen_session(self) -> None:
        """All evidence came through it, and the owner was here today: the session is blocked and the account is not."""
        assert blocked([(OWN, 0, -1), (STOLEN, 10, 5), (STOLEN, 20, 12)]) == ["session:a2"]

    def test_what_a_thief_leaves(self) -> None:
        """The owner comes back, hours later, to an account full of evidence: a challenge at most, for a day."""
        uses: list[Use] = [(OWN, 0, -1), (STOLEN, 20, 12)]
        assert blocked([*uses, (OWN, 20_000, 12.5)]) == ["session:a2"]
        assert blocked([*uses, (OWN, 20 + 3_600 + RECENT_S, 12.5)]) == ["session:a2", "account:a0"]

    def test_the_only_session(self) -> None:
        """Without another one in use it is the account that scrapes."""
        assert blocked([(STOLEN, 10, 5), (STOLEN, 20, 12)]) == ["account:a0"]

    @pytest.mark.parametrize(("nats", "key"), [(12.0, "session:a2"), (11.9, "account:a0")])
    def test_an_account_that_may_be_shared(self, nats: float, key: str) -> None:
        """Its owner may come back tomorrow: the only session that was seen is blocked, and not the account."""
        assert blocked([(STOLEN, 10, 5), (STOLEN, 20, nats)], scripted=Spread) == [key]

    def test_an_account_that_may_be_shared_by_whom_nobody_knows(self) -> None:
        """Neither session carries two thirds of it, and the account is its owner's: nobody is blocked."""
        uses: list[Use] = [(OWN, 0, 4.1), (STOLEN, 0, 12.0)]
        assert (blocked(uses), blocked(uses, scripted=Spread)) == (["account:a0"], [])

    def test_a_thief_beside_the_owner(self) -> None:
        """Where somebody else uses the account too, the session that carries two thirds of the evidence is enough."""
        uses: list[Use] = [(OWN, 0, 3.9), (STOLEN, 0, 12.0)]
        assert (blocked(uses), blocked(uses, scripted=Spread)) == (["account:a0"], ["session:a2"])

    @pytest.mark.parametrize(("away_s", "key"), [(RECENT_S, "session:a2"), (RECENT_S + 1, "account:a0")])
    def test_in_use(self, away_s: int, key: str) -> None:
        """Another one was used within a day."""
        assert blocked([(OWN, 0, -1), (STOLEN, away_s, 12)]) == [key]

    @pytest.mark.parametrize(("own", "key"), [(2.0, "session:a2"), (2.1, "account:a0")])
    def test_share(self, own: float, key: str) -> None:
        """Evidence of both sessions: four fifths must have come through the one."""
        assert blocked([(OWN, 0, own), (STOLEN, 0, 10.0)]) == [key]

    def test_its_share_is_policy(self) -> None:
        """How much it must carry is configured."""
        strict = replace(SETTINGS, policy=PolicySettings(session_share=1.0))
        uses: list[Use] = [(OWN, 0, 1.0), (STOLEN, 0, 10.0)]
        assert (blocked(uses), blocked(uses, strict)) == (["session:a2"], ["account:a0"])

    def test_evidence_of_before_fades(self) -> None:
        """What the owner's session brought two weeks ago hardly counts beside what the other one brings today."""
        long_s = 14 * RECENT_S
        assert blocked([(OWN, 0, 9.0), (OWN, long_s, -1), (STOLEN, long_s + 9, 12.0)]) == ["session:a2"]
        assert blocked([(OWN, 0, 9.0), (OWN, 5, -1), (STOLEN, 9, 12.0)]) == ["account:a0"]

    def test_it_takes_over(self) -> None:
        """As soon as a session carries enough it is blocked, though the account was challenged a moment before."""
        uses: list[Use] = [(OWN, 0, 4.1), (STOLEN, 0, 12.0), (STOLEN, 9, 12.2), (STOLEN, 20, 14.0), (STOLEN, 30, 14.5)]
        one, rows = staged(uses, scripted=Spread)
        blocks = [each for each in one.decide(rows) if isinstance(each, Block)]
        assert [(each.actor.key, each.action) for each in blocks] == [
            ("account:a0", Action.CHALLENGE),
            ("session:a2", Action.BLOCK),
        ]
        assert blocks[1].event_time == blocks[0].event_time.replace(":00.", ":20.")

    def test_the_alert_is_on_the_account(self) -> None:
        """Whose incident it is; the block of the session names it."""
        one, rows = staged([(OWN, 0, -1), (STOLEN, 10, 12)])
        made = one.decide(rows)
        [alert], [block] = ([each for each in made if isinstance(each, kind)] for kind in (Alert, Block))
        assert isinstance(alert, Alert)
        assert isinstance(block, Block)
        assert (alert.actor, block.actor) == (Actor("account", "a0"), Actor("session", "a2"))
        assert block.incident == alert.incident


class TestSessions:
    """What is known of the sessions at each row."""

    def test_rows(self) -> None:
        """The session that carries most, on the account's rows alone, whichever it was that asked."""
        one, rows = staged([(OWN, 0, 4.0), (STOLEN, 1, 12.0), (OWN, 2, -1)])
        found = one.evaluate(rows).case.sessions
        assert found.slot.tolist() == [OWN, -1, STOLEN, -1, STOLEN, -1]
        assert found.share[[0, 2, 4]].tolist() == pytest.approx([1.0, 2 / 3, 2 / 3], abs=1e-4)
        assert found.others.tolist() == [False, False, True, False, True, False]

    def test_so_many(self) -> None:
        """Of an account's sessions those used last are told apart; what a forgotten one brought is nobody's."""
        sessions = range(1, KEPT + 2)
        one = Staged((Scripted("d"), Mode.ENFORCE), scopes=[Scope.ACCOUNT, *[Scope.SESSION] * (KEPT + 1)])
        rows = rows_of(
            [START_US + n for n in sessions for _ in range(2)],
            slots=[slot for session in sessions for slot in (0, session)],
            flags=[ACCOUNT, int(Flag.LOGGED_IN)] * (KEPT + 1),
            offsets=[n for n in sessions for _ in range(2)],
        )
        one.evaluate(rows)
        held = one.assessor.actors.principals.columns["last_session"][0]
        assert (held - 1).tolist() == list(sessions)[:0:-1]

    def test_an_account_without_a_session(self) -> None:
        """A request that names none belongs to none, though the next one's rows follow."""
        one, _ = staged([(OWN, 0, 4.0)])
        rows = rows_of(
            [START_US] * 3, slots=[0, 0, OWN], flags=[ACCOUNT, ACCOUNT, int(Flag.LOGGED_IN)], offsets=[0, 1, 1]
        )
        assert one.evaluate(rows).case.sessions.slot.tolist() == [-1, OWN, -1]

    @pytest.mark.parametrize("cut", [1, 2, 3])
    def test_cut_anywhere(self, cut: int) -> None:
        """Shares and others do not depend on batches."""
        uses: list[Use] = [(OWN, 0, 3.0), (STOLEN, 1, 6.0), (STOLEN, 2, 9.0), (OWN, 3, 10.0)]
        one, rows = staged(uses)
        whole = one.evaluate(rows).case.sessions
        parts = []
        two, _ = staged(uses)
        for part, script in ((slice(0, 2 * cut), uses[:cut]), (slice(2 * cut, None), uses[cut:])):
            detector = two.assessor._detectors[0][0]
            assert isinstance(detector, Scripted)
            detector._nats = [value for _, _, nats in script for value in (nats, -1.0)]
            parts.append(two.evaluate(rows.pick(part)).case.sessions)
        assert [x for part in parts for x in part.share.tolist()] == whole.share.tolist()
        assert [x for part in parts for x in part.others.tolist()] == whole.others.tolist()


def records() -> list[bytes]:
    """An owner who looks at one profile, and a thief who looks at every one after the other."""
    return [
        request_of(START_S, "friend", account="u1", session="own"),
        *views(START_S + 60, 40, account="u1", session="stolen", first=1_000),
        request_of(START_S + 200, "friend", account="u1", session="own"),
    ]


TEXT: Final = """
[policy]
block_s = 600
[detectors.id_walk]
mode = "enforce"
cap = 40
[fusion]
until_fitted = "enforce"
"""


def replayed(values: list[bytes], step: int = 10_000) -> tuple[list[Decision], list[int]]:
    """Decisions, and offsets of the requests that were denied, where blocks are fed back."""
    denied: list[int] = []

    def seen(rows: Rows, allowed: bool) -> None:
        denied.extend([] if allowed else principals(rows).offset.tolist())

    flow = days.pipeline(config.parse(TEXT), only="id_walk", judge=Enforcement(seen, enforce=True))
    return days.run_whole(flow, values, step), sorted(denied)


class TestWholeWay:
    """With requests through the pipeline."""

    @pytest.mark.parametrize("step", [1, 7, 100])
    def test_the_owner_goes_on(self, step: int) -> None:
        """The thief is denied from the deciding event on, the owner's last visit is served."""
        made, denied = replayed(records(), step)
        assert {block.actor.key for block in days.blocks(made) if block.action is Action.BLOCK} == {"session:stolen"}
        assert denied
        assert denied == list(range(denied[0], 41))

    @pytest.mark.parametrize("step", [1, 100])
    def test_lifted_before_the_next(self, step: int) -> None:
        """A session's block that has ended is lifted before its next one, however records are cut into batches."""
        again = views(START_S + 1_500, 40, account="u1", session="stolen", first=2_000)
        made, _ = replayed([*records(), *again], step)
        of_session = [one for one in made if one.actor.key == "session:stolen" and not isinstance(one, Alert)]
        assert [isinstance(one, Lift) for one in of_session][:3] == [False, True, False]

    @pytest.mark.parametrize("share", [0.3, 0.7])
    def test_a_share_follows_the_account(self, share: float) -> None:
        """Of whom only a share is enforced against, all sessions are, or none: a new one does not draw again."""
        values = []
        for n in range(24):
            start_s, account = START_S + 1_000 * n + 172_800 * (n // 8), f"u{n % 8}"
            values.append(request_of(start_s, "friend", account=account, session=f"own{n % 8}"))
            values += views(start_s + 60, 40, account=account, session=f"stolen{n}", first=1_000 + 100 * n)
        settings = config.parse(f"{TEXT}[mode]\nenforce_share = {share}\n")
        made = days.blocks(days.run_whole(days.pipeline(settings, only="id_walk"), values))
        assert len({block.actor.key for block in made}) == 24
        modes: dict[int, set[BlockMode]] = {}
        for block in made:
            if block.actor.scope == "session":
                modes.setdefault(int(block.actor.value.removeprefix("stolen")) % 8, set()).add(block.mode)
        assert len(modes) == 8
        assert all(len(each) == 1 for each in modes.values())
        assert len(set.union(*modes.values())) == 2


def tags_of(
    scopes: list[Scope], slots: list[int], offsets: list[int], principals: list[int] | int = 7
) -> dict[int, int]:
    """Tag at each row of an account, where slots are of actors of these scopes."""
    rows = rows_of([START_US] * len(slots), slots=slots, offsets=offsets, principals=principals)
    own = np.flatnonzero([scopes[slot] is Scope.ACCOUNT for slot in slots])
    found = tags(actors_of(scopes), rows, own)
    assert not found[np.setdiff1d(np.arange(len(slots)), own)].any()
    return dict(zip(own.tolist(), found[own].tolist(), strict=True))


class TestTags:
    """Which session a request of an account came through."""

    def test_by_name(self) -> None:
        """The same tag for the same session, another for another, and none where no session stands beside."""
        scopes = [Scope.ACCOUNT, Scope.SESSION, Scope.SESSION, Scope.IP]
        found = tags_of(scopes, [0, 1, 0, 2, 0, 0, 1, 0, 3, 0], [0, 0, 1, 1, 2, 3, 3, 4, 4, 5])
        assert found[0] == found[5] > 0
        assert found[2] > 0
        assert found[2] != found[0]
        assert (found[4], found[7], found[9]) == (0, 0, 0)

    def test_whatever_slot(self) -> None:
        """Actors may get other slots after a restart: the name decides alone."""
        one = tags_of([Scope.ACCOUNT, Scope.SESSION, Scope.ACCOUNT], [0, 1], [0, 0])
        other = tags_of([Scope.IP, Scope.SESSION, Scope.ACCOUNT], [2, 1], [0, 0])
        assert one[0] == other[0]

    def test_of_the_same_event(self) -> None:
        """A session of another request, or of another account of the same record, is not the account's."""
        scopes = [Scope.ACCOUNT, Scope.SESSION]
        assert tags_of(scopes, [0, 1], [0, 1]) == {0: 0}
        assert tags_of(scopes, [0, 1], [0, 0], [1, 2]) == {0: 0}

    def test_nothing(self) -> None:
        """Of no rows there are no tags."""
        assert tags_of([Scope.ACCOUNT], [], []) == {}
