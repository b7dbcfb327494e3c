"""Which sections are hot, cold or a process's own, and what is said to differ."""

import pytest

from schemas.mode import Mode
from streams.config import detectors, parse, revision
from streams.section import DECIDING, HOT, OWN, changed, mode_of, same_hot, turned_off, turned_on, with_hot
from streams.settings import Settings

ENTRY = "owner = 'sre'\nreason = 'probes'\nexpires = 2027-01-31\n"
ALLOW = "[[allow]]\nactor = 'net:192.0.2.0/24'\n" + ENTRY
OTHER = "[[allow]]\nactor = 'account:7'\n" + ENTRY
COLD = {"surfaces", "surface_sets", "bots", "groups", "input", "enrich", "model", "memory"}


def test_every_section_is_of_one_kind() -> None:
    """A new section has to be put somewhere: published and hot, restarted for, or a process's own."""
    assert sorted([*HOT, *OWN, *COLD]) == sorted(Settings.__struct_fields__)
    assert set(DECIDING) == {*HOT, *COLD}


@pytest.mark.parametrize("text", ["[kafka]\nbootstrap = 'b:1'\n", "[log]\nformat = 'json'\n"])
def test_what_is_a_process_s_own_is_no_part_of_a_revision(text: str) -> None:
    """It changes the settings and no decision."""
    assert parse(text) != parse("")
    assert revision(parse(text)) == revision(parse(""))


@pytest.mark.parametrize("text", ["[policy]\nblock_s = 7\n", "[memory]\nactors_max = 7\n", ALLOW])
def test_all_else_is(text: str) -> None:
    """Hot or cold."""
    assert revision(parse(text)) != revision(parse(""))


def test_nothing_differs() -> None:
    """The same text twice."""
    assert changed(parse(ALLOW), parse(ALLOW)) == []


def test_what_differs() -> None:
    """Keys in their order with both values; own and cold ones take a restart, hot ones do not."""
    found = changed(parse("[policy]\nblock_s = 60\n"), parse("[memory]\nactors_max = 7\n[kafka]\nbootstrap = 'b:1'\n"))
    assert [(one.key, one.before, one.after, one.restart, one.own) for one in found] == [
        ("kafka.bootstrap", '"localhost:9092"', '"b:1"', True, True),
        ("policy.block_s", "60", "3600", False, False),
        ("memory.actors_max", "2000000", "7", True, False),
    ]
    assert str(found[1]) == "policy.block_s: 60 -> 3600"


def test_a_key_that_was_not_there() -> None:
    """Of a tier, or an absent mode: before or after is empty."""
    tier = "[detectors.profile_rate.tiers.recruiter]\nday = 2000\n"
    found = changed(parse(""), parse(tier + "[detectors.metronome]\nmode = 'alert'\n"))
    keys = {one.key: (one.before, one.after) for one in found}
    assert keys["detectors.metronome.mode"] == ("", '"alert"')
    assert keys["detectors.profile_rate.tiers.recruiter.day"] == ("", "2000")


def test_no_limit_at_all() -> None:
    """Is spelled as a file would have it, not as JSON, which has no such number."""
    after = parse("[detectors.canary]\ncap = 7.0\n")
    (found,) = changed(Settings(detectors=parse("").detectors), after)
    assert (found.key, found.before, found.after) == ("detectors.canary.cap", "inf", "7.0")


def test_entries_of_a_list() -> None:
    """One that comes, goes or moves is told as a whole, wherever it stands."""
    (come,) = changed(parse(OTHER), parse(ALLOW + OTHER))
    assert (come.key, come.before, "192.0.2.0/24" in come.after, come.restart) == ("allow", "", True, False)
    (gone,) = changed(parse(ALLOW + OTHER), parse(ALLOW))
    assert ("account:7" in gone.before, gone.after) == (True, "")
    (moved,) = changed(parse(ALLOW + OTHER), parse(OTHER + ALLOW))
    assert "another order" in moved.after
    (twice,) = changed(parse(OTHER), parse(OTHER + OTHER))
    assert (twice.before, "account:7" in twice.after) == ("", True)


class TestModes:
    """A detector that is turned on needs state."""

    @pytest.mark.parametrize(
        ("before", "after", "woken"),
        [
            ("[detectors.canary]\nmode = 'off'\n", "", ["canary"]),
            ("", "[detectors.canary]\nmode = 'off'\n", []),
            ("[detectors.canary]\nmode = 'off'\n", "[detectors.canary]\nmode = 'off'\nlimit = 20\n", []),
            ("[detectors.canary]\nmode = 'off'\n", "[mode]\nceiling = 'off'\n", []),
            ("[detectors.canary]\nmode = 'shadow'\n", "[detectors.canary]\nmode = 'enforce'\n", []),
        ],
    )
    def test_turned_on(self, before: str, after: str, woken: list[str]) -> None:
        """From off to any other mode, under the ceiling."""
        assert turned_on(parse(before), parse(after)) == woken

    def test_it_takes_a_restart(self) -> None:
        """By its own key, by the default or by the ceiling; turning it off does not."""
        off, on = "[detectors.canary]\nmode = 'off'\n", "[detectors.canary]\nmode = 'alert'\n"
        for before, after, restart in (
            (off, on, True),
            (on, off, False),
            ("[mode]\ndefault = 'off'\n", "", True),
            ("[mode]\nceiling = 'off'\n", "", True),
            ("", "[mode]\nceiling = 'off'\n", False),
        ):
            assert [one.restart for one in changed(parse(before), parse(after))] == [restart]

    def test_mode_in_force(self) -> None:
        """The detector's own, else the default, never above the ceiling; one asked for replaces both."""
        settings = parse("[mode]\nceiling = 'alert'\n[detectors.canary]\nmode = 'enforce'\n")
        assert mode_of(settings, "canary") is Mode.ALERT
        assert mode_of(settings, "pacing") is Mode.SHADOW
        assert mode_of(settings, "pacing", Mode.ENFORCE) is Mode.ALERT
        assert {one.name: mode for one, mode in detectors(settings)}["canary"] is Mode.ALERT

    def test_turned_off(self) -> None:
        """The rest of the section stays."""
        settings = turned_off(parse("[detectors.canary]\nlimit = 20\n"), ["canary"])
        assert settings == parse("[detectors.canary]\nlimit = 20\nmode = 'off'\n")


def test_hot_sections_of_another() -> None:
    """They replace one's own, and nothing else does."""
    one, other = parse("[memory]\nactors_max = 7\n"), parse("[memory]\nactors_max = 8\n[policy]\nblock_s = 9\n" + ALLOW)
    assert with_hot(one, other) == parse("[memory]\nactors_max = 7\n[policy]\nblock_s = 9\n" + ALLOW)
    assert same_hot(with_hot(one, other), other)
    assert not same_hot(one, other)
