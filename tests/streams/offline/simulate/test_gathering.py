from dataclasses import replace

import numpy as np

from streams.offline.simulate.gathering import gatherings
from streams.offline.simulate.plan import DAY_MS, HOUR_MS, MINUTE_MS, PRESETS
from streams.offline.simulate.traffic import Traffic, What
from streams.offline.simulate.visit import Part
from streams.offline.simulate.world import World


def views(parts: list[Part], kind: str) -> list[Traffic]:
    """Views of people of one kind."""
    return [part.traffic for part in parts if part.kind == kind and part.traffic.what[0] == What.VIEW]


def test_a_celebritys_evening(world: World) -> None:
    """A fifth of people and visitors look at one little-known profile, all on the last evening."""
    parts = gatherings(world)
    (regular,), (anonymous,) = views(parts, "regular"), views(parts, "anonymous")
    assert len({*regular.subject.tolist(), *anonymous.subject.tolist()}) == 1
    rank = world.members.ids[world.members.ranked].tolist().index(regular.subject[0])
    assert rank > len(world.members.ids) * 0.3
    assert regular.time_ms.min() >= DAY_MS + 19 * HOUR_MS
    crowd = len(world.crowds[0])
    assert 0.1 < len(np.unique(regular.origin)) / crowd < 0.3


def test_a_class_on_one_page(world: World) -> None:
    """Each morning every pupil sees the page of the day, from the school's address, within one lesson."""
    lessons = views(gatherings(world), "class")
    assert len(lessons) == 2
    school = world.internet.addresses[world.internet.school]
    for day, lesson in enumerate(lessons):
        begin = day * DAY_MS + 9 * HOUR_MS
        assert len(np.unique(lesson.subject)) == 1
        assert {origin.address for origin in lesson.origins} == {school}
        assert len(np.unique(lesson.origin)) == len(lesson.origins) == 8
        assert begin <= lesson.time_ms.min()
        assert lesson.time_ms.max() < begin + 40 * MINUTE_MS


def test_no_lesson_on_a_weekend(world: World) -> None:
    """Of the seven days from a Tuesday on, pupils come to five lessons."""
    week = World.of(replace(PRESETS["small"], quiet_days=6))
    days = [int(lesson.time_ms.min() // DAY_MS) for lesson in views(gatherings(week), "class")]
    assert days == [0, 1, 2, 3, 6]


def test_gatherings_bring_the_robots(world: World) -> None:
    """What welcome programs do is part of what looks like an attack and is none."""
    assert "monitor" in {part.kind for part in gatherings(world)}


def test_no_visitors() -> None:
    """A plan without visitors has its celebrity all the same."""
    parts = gatherings(World.of(replace(PRESETS["small"], anonymous=0)))
    assert len(views(parts, "regular")) == 1
