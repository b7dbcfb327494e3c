"""Random histories of blocks, pulled by enforcers of every known kind from one of two replicas.

The rule that they are held against is short. Those stand whose last record is in mode enforce and active, with an end
that lies ahead; of two actors with one value the stronger.
"""

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.block import Action, Block, BlockMode, BlockStatus
from schemas.event_time import format_time
from streams.pipeline.enforce.decisions import KEPT_US, OVERLAP_US, US, Answer, Cursor, Decisions, Told
from streams.pipeline.enforce.target import Target, target_of
from streams.pipeline.enforce.word import STRENGTH, TYPES, View
from tests.streams.pipeline.enforce.saying import T0_US, Clockless, Log, Timed, block

KEYS = ("ip:203.0.113.7", "ip:2001:db8:1:2::/64", "net:2001:db8:1:2::/64", "account:42")
"""The second and the third are the same range to enforcers."""
VIEW = View(types=frozenset({"ban", "captcha"}), scopes=frozenset({"Ip", "Range"}))
STEP_S = (0.0, 0.3, 1.0, 2.0, 5.0, 10.0)
"""A grid, so that pulls, ends and records fall on one another as well as beside."""

said = st.tuples(
    st.just("say"),
    st.sampled_from(KEYS),
    st.sampled_from((0.3, 1.0, 5.0, 10.0, 12.0, 30.0, 60.0)),
    st.sampled_from(list(Action)),
    st.sampled_from([BlockMode.ENFORCE] * 4 + [BlockMode.SHADOW]),
    st.sampled_from([BlockStatus.ACTIVE] * 4 + [BlockStatus.REVOKED, BlockStatus.EXPIRED]),
)
lifted = st.tuples(st.just("lift"), st.sampled_from(KEYS))
passed = st.tuples(st.just("pass"), st.sampled_from(STEP_S))
pulled = st.tuples(st.just("pull"), st.integers(0, 1), st.sampled_from([False] * 5 + [True]))
histories = st.integers(12, 48).flatmap(
    lambda length: st.lists(
        st.one_of(said, said, lifted, passed, passed, passed, pulled, pulled, pulled), min_size=length, max_size=length
    )
)


@dataclass
class World:
    """A topic, two replicas, and enforcers that go to either."""

    log: Log = field(default_factory=lambda: Log(partitions=2))
    replicas: list[Decisions] = field(default_factory=lambda: [Decisions(2), Decisions(2)])
    cursors: list[Cursor | None] = field(default_factory=lambda: list[Cursor | None]([None, None]))
    clockless: list[Clockless] = field(default_factory=lambda: [Clockless(True), Clockless(False)])
    timed: Timed = field(default_factory=Timed)
    last: dict[str, Block | None] = field(default_factory=dict)
    at_s: float = 0.0

    @property
    def at_us(self) -> int:
        """The moment."""
        return T0_US + int(self.at_s * US)

    def say(self, key: str, told: Block | None) -> None:
        """Write a record, which both replicas read at once."""
        self.log.say(self.at_s, key, told)
        self.last[key] = told
        for replica in self.replicas:
            self.log.into(replica)

    def standing(self) -> dict[Target, str]:
        """Type by target, by the rule."""
        found: dict[Target, tuple[int, str]] = {}
        for one in self.last.values():
            if one is None or one.mode is not BlockMode.ENFORCE or one.status is not BlockStatus.ACTIVE:
                continue
            # Who does not know throttles is told captchas.
            target, kind = target_of(one.actor), TYPES[one.action].replace("throttle", "captcha")
            if (
                one.until <= format_time(self.at_us)
                or kind not in VIEW.types
                or target.scope not in (VIEW.scopes or ())
            ):
                continue
            found[target] = max(found.get(target, (0, "")), (STRENGTH[kind], kind))
        return {target: kind for target, (_, kind) in found.items()}

    def pull(self, number: int, anew: bool) -> Answer:
        """Pull from one replica and carry the answer out, everywhere."""
        replica = self.replicas[number]
        answer = replica.since(None if anew else self.cursors[number], VIEW, self.at_us)
        self.cursors[number] = Cursor(replica.positions, self.at_us)
        for one in self.clockless:
            one.take(answer)
        self.timed.take(answer, self.at_us)
        return answer


def step(world: World, action: tuple[object, ...]) -> Answer | None:
    """Do one thing."""
    match action:
        case ("say", str(key), float(length_s), Action() as what, BlockMode() as mode, BlockStatus() as status):
            one = block(key, length_s, action=what, mode=mode, status=status, from_us=world.at_us // 1000 * 1000)
            world.say(key, one)
        case ("lift", str(key)):
            world.say(key, None)
        case ("pass", float(seconds)):
            world.at_s += seconds
        case ("pull", int(number), bool(anew)):
            return world.pull(number, anew)
        case _:
            raise AssertionError(action)
    return None


def ordered(told: list[Told]) -> list[Told]:
    """In one order, whoever told it."""
    return sorted(told, key=lambda one: one.word.place)


@settings(max_examples=120)
@given(histories)
def test_whoever_pulls_enforces_what_stands(history: list[tuple[object, ...]]) -> None:
    """After each pull, from whichever replica, an enforcer without a clock holds exactly what stands, in its type.

    One with time-outs of its own holds all that stands too; of what stands no longer, it lets go at its own end.
    """
    world = World()
    for action in history:
        if step(world, action) is None:
            continue
        standing = world.standing()
        for one in world.clockless:
            assert one.held == {target.value: kind for target, kind in standing.items()}
        assert standing.keys() <= world.timed.held.keys()


@settings(max_examples=120)
@given(histories)
def test_no_answer_contradicts_itself(history: list[tuple[object, ...]]) -> None:
    """A value is in `new`, or in `deleted`, once of a type; the one has time left, the other none; ids are unique."""
    world = World()
    for action in history:
        answer = step(world, action)
        if answer is None:
            continue
        targets = [told.target for told in answer.new]
        assert len(targets) == len(set(targets))
        assert not set(targets) & {told.target for told in answer.deleted}
        ended = [(told.target, told.word.type) for told in answer.deleted]
        assert len(ended) == len(set(ended))
        assert {told.target: told.word.type for told in answer.new}.items() <= world.standing().items()
        assert all(told.left_us > 0 for told in answer.new)
        assert all(told.left_us <= 0 for told in answer.deleted)
        places = [told.word.place for told in answer.new + answer.deleted]
        assert len(places) == len(set(places))
        assert all(0 <= place < 1 << 53 for place in places)


@settings(max_examples=80)
@given(histories, st.integers(0, 40))
def test_replicas_agree(history: list[tuple[object, ...]], started: int) -> None:
    """One that starts later, and reads its partitions in another order, answers with the same decisions and ids."""
    world, cursor = World(), None
    for number, action in enumerate(history):
        step(world, action)
        if number == started:
            cursor = Cursor(world.replicas[0].positions, world.at_us)
    late = Decisions(2)
    for record in sorted(world.log.records, key=lambda record: record[0]):
        late.apply(*record)
    for one in (None, cursor):
        ours, theirs = (each.since(one, VIEW, world.at_us) for each in (world.replicas[0], late))
        assert ordered(ours.new) == ordered(theirs.new)
        assert ordered(ours.deleted) == ordered(theirs.deleted)


@settings(max_examples=80)
@given(histories, st.lists(st.integers(0, 48), min_size=1, max_size=6), st.sampled_from((5.0, 12.0, 30.0)))
def test_forgetting_changes_no_answer(history: list[tuple[object, ...]], moments: list[int], kept_s: float) -> None:
    """What is let go of no enforcer could need that has pulled since: answers are those of who forgets nothing."""
    world, forgetful = World(), Decisions(2)
    for number, action in enumerate(history):
        before = list(world.cursors)
        answer = step(world, action)
        world.log.into(forgetful)
        if number in moments:
            forgetful.forget(world.at_us - int(kept_s * US))
        match action:
            case ("pull", int(place), bool(anew)):
                cursor = before[place]
                if anew or cursor is None or cursor.told_us - OVERLAP_US <= world.at_us - int(kept_s * US):
                    continue
                assert answer is not None
                theirs = forgetful.since(cursor, VIEW, world.at_us)
                if forgetful.reaches(cursor, world.at_us):
                    assert (ordered(theirs.new), ordered(theirs.deleted)) == (
                        ordered(answer.new),
                        ordered(answer.deleted),
                    )
            case _:
                assert values_standing(forgetful, world) == world.standing()


def values_standing(decisions: Decisions, world: World) -> dict[Target, str]:
    """Type by target, as a replica has it."""
    return {told.target: told.word.type for told in decisions.active(VIEW, world.at_us)}


def test_a_cursor_older_than_what_is_kept_is_none() -> None:
    """A day is kept: at its end a cursor still counts, behind it everything is told."""
    log = Log()
    log.say(0, "ip:203.0.113.7", block("ip:203.0.113.7", 10 * 86_400))
    replica = log.read()
    for late_us, told in ((KEPT_US, 0), (KEPT_US + 1, 1)):
        assert len(replica.since(Cursor((1,), T0_US), VIEW, T0_US + late_us).new) == told


@settings(max_examples=80)
@given(histories, st.sampled_from((0.3, 2.0, 5.0, 12.0)))
def test_clocks_that_differ(history: list[tuple[object, ...]], fast_s: float) -> None:
    """The clock of one replica is fast: whoever goes to both holds all that stands by that clock.

    After a pull from the other, it holds nothing that has ended by the slower clock. So blocks end early by as much as
    the clocks differ, and never late.
    """
    world, cursors, held = World(), list[Cursor | None]([None, None]), Clockless(True)

    def standing(late_us: int) -> set[str]:
        found = world.replicas[0].active(VIEW, world.at_us + late_us)
        return {told.target.value for told in found}

    for action in history:
        match action:
            case ("pull", int(number), bool(anew)):
                clock_us = world.at_us + number * int(fast_s * US)
                held.take(world.replicas[number].since(None if anew else cursors[number], VIEW, clock_us))
                cursors[number] = Cursor(world.replicas[number].positions, clock_us)
                assert standing(int(fast_s * US)) <= held.held.keys()
                assert number == 1 or held.held.keys() <= standing(0)
            case _:
                step(world, action)
