"""The ten invariants that suit every enforcer, each in a short story; `test_histories.py` tries them at random."""

import pytest
from msgspec import structs

from schemas.block import Action, Block, BlockMode, BlockStatus
from schemas.errors import RecordError
from streams.pipeline.enforce.decisions import KEPT_US, OVERLAP_US, US, Cursor, Decisions
from streams.pipeline.enforce.target import asked_network
from streams.pipeline.enforce.word import View
from streams.pipeline.enforce.wording import decision
from tests.streams.pipeline.enforce.saying import T0_US, Log, at, block, values

IP = "ip:203.0.113.7"
ALL = View(types=frozenset({"ban", "captcha", "throttle"}), scopes=None)
VIEW = View()


def told_at(seconds: float, *positions: int) -> Cursor:
    """A cursor."""
    return Cursor(positions, at(seconds))


class TestInvariants:
    """INTERFACES of the local API, by number."""

    def test_1_one_effective_decision_a_value(self) -> None:
        """Two actors that are one range to enforcers: the stronger is told, once; at its end the other is."""
        log = Log()
        log.say(0, "ip:2001:db8:1:2::/64", block("ip:2001:db8:1:2::/64", 60, action=Action.CHALLENGE))
        log.say(1, "net:2001:db8:1:2::/64", block("net:2001:db8:1:2::/64", 30))
        decisions = log.read()
        assert [one.word.type for one in decisions.startup(VIEW, at(2)).new] == ["ban"]
        later = decisions.since(told_at(29, 2), VIEW, at(30))
        assert ([one.word.type for one in later.new], later.deleted) == (["captcha"], [])

    def test_2_deleted_only_when_nothing_is_left(self) -> None:
        """A downgrade is one `new`; its end later is told with the type that was told last."""
        log = Log()
        log.say(0, IP, block(IP, 60))
        log.say(10, IP, block(IP, 60, action=Action.CHALLENGE))
        decisions = log.read()
        down = decisions.since(told_at(5, 1), VIEW, at(15))
        assert ([one.word.type for one in down.new], down.deleted) == (["captcha"], [])
        end = decisions.since(told_at(55, 2), VIEW, at(61))
        assert (end.new, [one.word.type for one in end.deleted]) == ([], ["captcha"])
        assert [one.word.type for one in decisions.startup(VIEW, at(61)).deleted] == ["ban", "captcha"]

    def test_2_what_nobody_may_have_been_told(self) -> None:
        """A ban, told, became a challenge and was taken back before the next pull: who matches types holds the ban.

        Another replica may have told the challenge meanwhile, so both ends are told.
        """
        log = Log()
        log.say(0, IP, block(IP, 60))
        log.say(10, IP, block(IP, 60, action=Action.CHALLENGE))
        log.say(12, IP, None)
        answer = log.read().since(told_at(5, 1), VIEW, at(15))
        assert (answer.new, [one.word.type for one in answer.deleted]) == ([], ["ban", "captcha"])

    def test_2_a_downgrade_to_what_a_key_may_not_see(self) -> None:
        """For an enforcer of bans alone a challenge is nothing: the ban is deleted, as a ban."""
        log = Log()
        log.say(0, IP, block(IP, 60))
        log.say(10, IP, block(IP, 60, action=Action.CHALLENGE))
        answer = log.read().since(told_at(5, 1), View(types=frozenset({"ban"})), at(15))
        assert (answer.new, [one.word.type for one in answer.deleted]) == ([], ["ban"])

    @pytest.mark.parametrize(("pulled_s", "deleted"), [(59.999, 0), (60.0, 1), (62.9, 1)])
    def test_3_an_end_by_itself_is_told(self, pulled_s: float, deleted: int) -> None:
        """On the first pull at the end or behind it, without any record that says so; not a millisecond before."""
        log = Log()
        log.say(0, IP, block(IP, 60))
        answer = log.read().since(told_at(50, 1), VIEW, at(pulled_s))
        assert (answer.new, len(answer.deleted)) == ([], deleted)

    def test_3_and_once(self) -> None:
        """Told again within the overlap, never after it."""
        log = Log()
        log.say(0, IP, block(IP, 60))
        decisions, end_us = log.read(), at(60)
        for last_us, times in ((end_us + OVERLAP_US - 1, 1), (end_us + OVERLAP_US, 0)):
            assert len(decisions.since(Cursor((1,), last_us), VIEW, end_us + 10 * US).deleted) == times

    def test_4_an_extension_is_told_and_again_at_the_first_end(self) -> None:
        """A set with time-outs drops the address at the first end, whatever it heard in between."""
        log = Log()
        log.say(0, IP, block(IP, 60))
        log.say(30, IP, block(IP, 120))
        decisions = log.read()
        assert [one.left_us for one in decisions.since(told_at(25, 1), VIEW, at(35)).new] == [85 * US]
        assert decisions.since(told_at(45, 2), VIEW, at(55)) == ([], [])
        again = decisions.since(told_at(55, 2), VIEW, at(65))
        assert ([one.left_us for one in again.new], again.deleted) == ([55 * US], [])
        assert decisions.since(told_at(65, 2), VIEW, at(75)) == ([], [])

    def test_4_told_just_after_the_first_end(self) -> None:
        """Its times are rounded up, so the address may still be there on that pull: the next one tells it once more."""
        log = Log()
        log.say(0, IP, block(IP, 60))
        log.say(30, IP, block(IP, 120))
        decisions = log.read()
        assert values(decisions.since(told_at(50.2, 2), VIEW, at(60.2)).new) == ["203.0.113.7"]
        assert values(decisions.since(told_at(60.2, 2), VIEW, at(70.2)).new) == ["203.0.113.7"]
        assert decisions.since(told_at(70.2, 2), VIEW, at(80.2)) == ([], [])

    def test_5_every_field_is_a_text(self) -> None:
        """All that is required is there, for whatever actor and whoever made the block."""
        log = Log()
        for key in (IP, "net:198.51.100.0/24", "account:42", "asn:64500", "combination:agent_net:ab@cd"):
            log.say(0, key, block(key, 60, detectors=() if key == IP else ("long_tail", "cohort")))
        for told in log.read().startup(ALL, at(1)).new:
            one = decision(told)
            texts = (one.duration, one.origin, one.scenario, one.scope, one.type, one.value, one.uuid)
            assert all(texts), one
        assert {decision(told).scenario for told in log.read().startup(ALL, at(1)).new} == {
            "weir/override",
            "weir/long_tail+cohort",
        }

    @pytest.mark.parametrize(
        ("left_us", "text"),
        [(US // 1000, "1s"), (US, "1s"), (US + 1, "2s"), (0, "0s"), (-1, "0s"), (-US, "-1s"), (-63 * US, "-1m3s")],
    )
    def test_6_whole_seconds(self, left_us: int, text: str) -> None:
        """What stands never has none left: for the client in Lua that is a ban without an end."""
        log = Log()
        log.say(0, IP, block(IP, 60))
        told = log.read().startup(VIEW, at(0)).new[0]
        assert decision(told._replace(left_us=left_us)).duration == text

    def test_7_addresses_and_ranges_unless_asked(self) -> None:
        """An enforcer that says nothing is not told who members are."""
        log = Log()
        for key in (IP, "net:198.51.100.0/24", "account:42", "asn:64500"):
            log.say(0, key, block(key, 60))
        decisions = log.read()
        assert values(decisions.startup(VIEW, at(1)).new) == ["198.51.100.0/24", "203.0.113.7"]
        assert values(decisions.startup(ALL, at(1)).new) == ["198.51.100.0/24", "203.0.113.7", "42", "64500"]

    def test_8_types_that_a_key_allows(self) -> None:
        """A throttle goes to nobody who has not said that it knows one: it is told a captcha, if it knows those."""
        log = Log()
        log.say(0, IP, block(IP, 60, action=Action.THROTTLE))
        decisions = log.read()
        assert decisions.startup(View(types=frozenset({"ban"})), at(1)) == ([], [])
        assert [one.word.type for one in decisions.startup(VIEW, at(1)).new] == ["captcha"]
        assert [one.word.type for one in decisions.active(VIEW, at(1))] == ["captcha"]
        assert [one.word.type for one in decisions.startup(ALL, at(1)).new] == ["throttle"]

    def test_8_a_throttle_in_place_of_a_challenge(self) -> None:
        """Who is told captchas learns of the longer one, and of the end of the type that it knows."""
        log = Log()
        log.say(0, IP, block(IP, 60, action=Action.CHALLENGE))
        log.say(30, IP, block(IP, 90, action=Action.THROTTLE, from_us=T0_US + 30 * US))
        decisions = log.read()
        later = decisions.since(Cursor((1,), at(10)), VIEW, at(31))
        assert ([one.word.type for one in later.new], later.deleted) == (["captcha"], [])
        end = decisions.since(Cursor((2,), at(31)), VIEW, at(121))
        assert (end.new, [one.word.type for one in end.deleted]) == ([], ["captcha"])
        only_bans = View(types=frozenset({"ban"}))
        assert decisions.since(Cursor((1,), at(10)), only_bans, at(121)) == ([], [])

    def test_9_and_10_a_replica_that_does_not_know_the_enforcer(self) -> None:
        """It tells everything that stands, and everything that has ended within a day."""
        log = Log()
        log.say(0, IP, block(IP, 60))
        log.say(0, "ip:203.0.113.8", block("ip:203.0.113.8", 10))
        answer = log.read().since(None, VIEW, at(20))
        assert (values(answer.new), values(answer.deleted)) == (["203.0.113.7"], ["203.0.113.8"])


class TestFold:
    """What of the topic is a decision."""

    @pytest.mark.parametrize("mode", BlockMode)
    @pytest.mark.parametrize("status", BlockStatus)
    def test_only_what_is_enforced_and_active(self, mode: BlockMode, status: BlockStatus) -> None:
        """A shadow block is never told, in whatever state, nor one that was taken back."""
        log = Log()
        log.say(0, IP, block(IP, 60, mode=mode, status=status))
        answer = log.read().startup(ALL, at(1))
        assert bool(answer.new) == (mode is BlockMode.ENFORCE and status is BlockStatus.ACTIVE)
        assert answer.deleted == []

    @pytest.mark.parametrize(
        "after", [None, block(IP, 60, mode=BlockMode.SHADOW), block(IP, 60, status=BlockStatus.REVOKED)]
    )
    def test_what_ends_a_block(self, after: Block | None) -> None:
        """A tombstone, shadow mode or another status: it is deleted, with no time left, and nothing stands."""
        log = Log()
        log.say(0, IP, block(IP, 60))
        log.say(10, IP, after)
        decisions = log.read()
        answer = decisions.since(told_at(5, 1), VIEW, at(20))
        assert (answer.new, [(one.target.value, one.left_us) for one in answer.deleted]) == ([], [("203.0.113.7", 0)])
        assert decisions.since(told_at(20, 2), VIEW, at(30)) == ([], [])

    def test_ids_are_places(self) -> None:
        """The same in every process: partition times 2^40, plus offset."""
        decisions = Decisions(3)
        decisions.apply(2, 17, at(0), IP, block(IP, 60))
        assert [decision(one).id for one in decisions.startup(VIEW, at(1)).new] == [(2 << 40) + 17]

    def test_read_again(self) -> None:
        """A record that comes again changes nothing, though others have come since."""
        log = Log()
        log.say(0, IP, block(IP, 60))
        log.say(1, IP, None)
        decisions = log.read()
        decisions.apply(*log.records[0])
        assert decisions.startup(VIEW, at(2)).new == []
        assert decisions.positions == (2,)

    @pytest.mark.parametrize("key", ["ip:203.0.113.8", "account:42"])
    def test_a_key_that_is_not_the_actor(self, key: str) -> None:
        """Refused: compaction would keep the wrong one."""
        with pytest.raises(RecordError, match="another actor"):
            Decisions(1).apply(0, 0, at(0), key, block(IP, 60))

    @pytest.mark.parametrize("key", ["ip:x", "ip:203.0.113.07", "net:198.51.100.1/24", "net:2001:DB8::/129"])
    def test_an_actor_that_is_no_address(self, key: str) -> None:
        """Refused, and nothing is changed."""
        decisions = Decisions(1)
        with pytest.raises(RecordError, match="neither"):
            decisions.apply(0, 0, at(0), key, block(key, 60))
        assert (len(decisions), decisions.positions) == (0, (0,))

    def test_an_end_that_is_no_time(self) -> None:
        """It has the form of one, and is refused all the same."""
        decisions, wrong = Decisions(1), structs.replace(block(IP, 60), until="2026-13-45T00:00:00.000Z")
        with pytest.raises(RecordError, match=r"\$\.until"):
            decisions.apply(0, 0, at(0), IP, wrong)
        assert (len(decisions), decisions.positions) == (0, (0,))

    def test_partitions_that_ids_have_no_room_for(self) -> None:
        """8,192 are the most: ids stay below 2^53."""
        Decisions(8_192)
        with pytest.raises(ValueError, match="8192"):
            Decisions(8_193)


class TestForgetting:
    """What is let go of."""

    def test_what_ended_goes_and_what_stands_stays(self) -> None:
        """A block said long ago that still stands is known; one that ended before is not, nor where it was."""
        log = Log()
        log.say(0, IP, block(IP, 100))
        log.say(0, "ip:203.0.113.8", block("ip:203.0.113.8", 10))
        decisions = log.read()
        decisions.forget(at(10) + 1)
        assert len(decisions) == 1
        assert values(decisions.startup(VIEW, at(20)).new) == ["203.0.113.7"]
        assert list(decisions.containing(asked_network("203.0.113.8"), VIEW, at(5))) == []
        decisions.forget(at(100))
        assert len(decisions) == 1
        decisions.forget(at(100) + 1)
        assert len(decisions) == 0

    def test_who_comes_back(self) -> None:
        """Forgotten and blocked anew, an address is found, once."""
        log = Log()
        log.say(0, IP, block(IP, 10))
        decisions = log.read()
        decisions.forget(at(20))
        log.say(30, IP, block(IP, 60))
        log.into(decisions)
        assert values(list(decisions.containing(asked_network("203.0.113.7"), VIEW, at(31)))) == ["203.0.113.7"]

    def test_what_was_taken_back_does_not_stand_again(self) -> None:
        """A tombstone goes no sooner than the block that it ended, however long that would have lasted."""
        log = Log()
        log.say(0, IP, block(IP, 3600))
        log.say(10, IP, None)
        decisions = log.read()
        for before_s in (5, 10, 11, 20):
            decisions.forget(at(before_s))
            assert decisions.startup(VIEW, at(30)).new == []
        assert len(decisions) == 0

    def test_what_was_taken_back_lately_is_told(self) -> None:
        """Though the block itself was said before what is kept."""
        log = Log()
        log.say(0, IP, block(IP, 100))
        log.say(60, IP, None)
        decisions = log.read()
        decisions.forget(at(50))
        assert values(decisions.since(told_at(55, 1), VIEW, at(65)).deleted) == ["203.0.113.7"]

    def test_an_end_that_lies_ahead_is_remembered(self) -> None:
        """A superseded block's end makes the one after it be told again, though it was said long ago."""
        log = Log()
        log.say(0, IP, block(IP, 100))
        log.say(10, IP, block(IP, 200))
        decisions = log.read()
        decisions.forget(at(50))
        assert values(decisions.since(told_at(95, 2), VIEW, at(105)).new) == ["203.0.113.7"]

    @pytest.mark.parametrize(("positions", "told"), [((1,), True), ((2,), False), ((3,), True)])
    def test_a_cursor_outside_of_what_is_known(self, positions: tuple[int, ...], told: bool) -> None:
        """Before what was forgotten, or behind what was read: everything is told."""
        log = Log()
        log.say(0, "ip:203.0.113.8", block("ip:203.0.113.8", 10))
        log.say(0, IP, block(IP, 100))
        decisions = log.read()
        decisions.forget(at(20))
        assert bool(decisions.since(Cursor(positions, at(25)), VIEW, at(30)).new) == told

    @pytest.mark.parametrize(("late_us", "told"), [(0, 0), (1, 1)])
    def test_a_cursor_older_than_a_day(self, late_us: int, told: int) -> None:
        """A day is kept: at its end a cursor still counts, behind it everything is told."""
        log = Log()
        log.say(0, IP, block(IP, 10 * 86_400))
        answer = log.read().since(Cursor((1,), T0_US), VIEW, T0_US + KEPT_US + late_us)
        assert len(answer.new) == told

    @pytest.mark.parametrize(("late_us", "told"), [(-1, 1), (0, 0)])
    def test_starting_enforcers_hear_of_a_day(self, late_us: int, told: int) -> None:
        """So that one that was away cleans up; what ended before is nobody's any more."""
        log = Log()
        log.say(0, IP, block(IP, 60))
        assert len(log.read().startup(VIEW, at(60) + KEPT_US + late_us).deleted) == told
