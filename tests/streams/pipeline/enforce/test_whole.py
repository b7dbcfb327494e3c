"""The answer that is kept between those who ask for everything: the same as one that is made anew."""

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.pipeline.enforce.decisions import KEPT_US, US, Decisions, Told
from streams.pipeline.enforce.whole import VIEWS_MAX, Part, Segment, Whole, Wholes
from streams.pipeline.enforce.word import View
from streams.pipeline.enforce.wording import decision
from tests.streams.pipeline.enforce.saying import T0_US, Log, at, block
from tests.streams.pipeline.enforce.test_histories import VIEW, World, histories, step

IP = "ip:203.0.113.7"


def read(pieces: list[bytes]) -> dict[str, list[dict[str, Any]]]:
    """An answer as its enforcer reads it, in one order."""
    found: dict[str, list[dict[str, Any]]] = msgspec.json.decode(b"".join(pieces))
    return {part: sorted(told, key=lambda one: int(one["id"])) for part, told in found.items()}


def spelled(told: list[Told]) -> list[dict[str, Any]]:
    """Decisions, likewise."""
    return sorted((msgspec.to_builtins(decision(one)) for one in told), key=lambda one: int(one["id"]))


def told_alike(kept: list[dict[str, Any]], anew: list[Told]) -> bool:
    """Whether decisions are the same, but for a second more that is left."""
    now = spelled(anew)
    sooner = spelled([one._replace(left_us=one.left_us + US) for one in anew])
    if [one | {"duration": ""} for one in kept] != [one | {"duration": ""} for one in now]:
        return False
    left = [[seconds(one) for one in each] for each in (now, kept, sooner)]
    return all(low <= found <= high for low, found, high in zip(*left, strict=True))


def seconds(told: dict[str, Any]) -> int:
    """What is left of a decision."""
    text = str(told["duration"]).removesuffix("s")
    parts = text.lstrip("-").replace("h", " ").replace("m", " ").split()
    length_s: int = sum(int(part) * 60**place for place, part in enumerate(reversed(parts)))
    return -length_s if text.startswith("-") else length_s


@settings(max_examples=100)
@given(histories, st.sets(st.integers(0, 48), max_size=4), st.sampled_from((1, 2, 3)))
def test_as_if_made_anew(history: list[tuple[object, ...]], moments: set[int], segment: int) -> None:
    """Whatever was said, ended or was forgotten in between, however the segments fall.

    What was taken back a day ago may still be among the deleted, as a replica tells it that has not forgotten yet.
    """
    world, whole = World(), Whole(VIEW, segment)
    for number, action in enumerate(history):
        step(world, action)
        if number in moments:
            # A day less a little: what ended at the beginning goes, the rest a while later.
            world.at_s += KEPT_US / US - 5
            world.replicas[0].forget(world.at_us - KEPT_US)
        kept, (forgetful, other) = read(whole.pieces(world.replicas[0], world.at_us)), world.replicas
        assert told_alike(kept["new"], forgetful.startup(VIEW, world.at_us).new)
        least, most = [each.startup(VIEW, world.at_us).deleted for each in (forgetful, other)]
        ids = {one["id"] for one in kept["deleted"]}
        assert {one.word.place for one in least} <= ids
        assert told_alike(kept["deleted"], [one for one in most if one.word.place in ids])


def test_what_is_left_is_at_most_a_second_old() -> None:
    """Within a second the text is kept, from then on written anew; a clock that goes back is followed at once."""
    log, whole = Log(), Whole(VIEW)
    log.say(0, IP, block(IP, 60))
    known = log.read()
    for now_s, text in ((0, "1m0s"), (0.999, "1m0s"), (1, "59s"), (1.5, "59s"), (0.5, "1m0s")):
        assert read(whole.pieces(known, at(now_s)))["new"][0]["duration"] == text


def test_others_are_kept() -> None:
    """One block more changes one segment: the bytes of the others are the same object, and nothing is written again."""
    log, whole = Log(), Whole(VIEW)
    for n in range(4_500):
        log.records.append((0, n, T0_US, f"ip:10.0.{n // 250}.{n % 250}", block(f"ip:10.0.{n // 250}.{n % 250}", 60)))
    known = log.read()
    before = whole.pieces(known, at(1))
    known.apply(0, 4_500, at(1), IP, block(IP, 60))
    after = whole.pieces(known, at(1.5))
    segments = [[piece for piece in pieces if len(piece) > 100] for pieces in (before, after)]
    assert [one is other for one, other in zip(*segments, strict=True)] == [True, True, False]


def test_segments_are_filled_again() -> None:
    """Twenty thousand blocks that come and go leave no more segments behind than what stands needs."""
    part, known = Part(), Decisions(1)
    known.apply(0, 0, at(0), IP, block(IP, 60))
    one = known.startup(VIEW, at(1)).new[0]
    for n in range(20_000):
        part.put(one._replace(target=one.target._replace(value=str(n))), at(1))
        if n >= 3_000:
            part.drop((one.target._replace(value=str(n - 3_000)), "ban"))
    assert len([piece for piece in part.pieces(at(1)) if piece != b","]) <= 4


def test_views() -> None:
    """Each view has its own answer; only some are kept."""
    log, wholes = Log(), Wholes()
    log.say(0, IP, block(IP, 60))
    known = log.read()
    for types in (frozenset({"ban"}), frozenset({"captcha"}), frozenset({"ban"})):
        told = read(wholes.pieces(View(types=types), known, at(1)))["new"]
        assert len(told) == ("ban" in types)
    for number in range(2 * VIEWS_MAX):
        wholes.pieces(View(containing=(str(number),)), known, at(1))
    assert len(wholes) == VIEWS_MAX


def test_an_empty_segment() -> None:
    """Is nothing."""
    assert Segment().at(at(0)) == b""
