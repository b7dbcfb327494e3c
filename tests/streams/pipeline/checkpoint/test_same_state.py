"""A checkpoint changes nothing: who goes on from one says and knows the same as who never stopped."""

from dataclasses import fields

import numpy as np
import pytest
from msgspec.structs import replace

from schemas.alert import Alert
from schemas.block import Block
from schemas.mode import Mode
from schemas.model import ModelDelta
from streams import config
from streams.pipeline.assess.assessor import Assessor
from streams.pipeline.assess.release import Source
from streams.pipeline.checkpoint import written
from streams.pipeline.checkpoint.snapshot import encode, take
from streams.pipeline.model.models import Models
from streams.pipeline.policy.episode import Episode, EpisodeState
from streams.pipeline.sightings import decode
from tests import days
from tests.streams.pipeline.checkpoint.picture import GIVEN, KEPT, picture, unlike
from tests.streams.pipeline.checkpoint.stretch import PLAIN, SPREAD, TIGHT, Kept, Run, Stretch, expected, steps

EVERY = pytest.mark.parametrize(
    ("stretch", "seed"), [(PLAIN, 1), (SPREAD, 1), (TIGHT, 1), (TIGHT, 2)], ids=["plain", "spread", "tight", "tight 2"]
)


@pytest.fixture(autouse=True)
def _small_buckets(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that they grow several times within the stretch."""
    monkeypatch.setattr(written, "ACTORS_A_BUCKET", 20)
    monkeypatch.setattr(written, "MET", 500)


class TestTheStretches:
    """What the rest compares holds what it is to show."""

    def test_hold_everything(self) -> None:
        """Alerts and blocks, rows that wait for others and for models, sleepers that wake, forgotten ones."""
        plain, spread, tight = Run(PLAIN), Run(SPREAD), Run(TIGHT)
        waited = 0
        while spread.at < 25:
            spread.step()
            waited += sum(one.release.held for one in spread.assessors)
        for run in (plain, spread, tight):
            run.end()
        assert sum(isinstance(one, Alert) for one in plain.said[0]) > 50
        assert sum(isinstance(one, Block) for one in plain.said[0]) > 10
        assert waited > 1_000
        assert all(sum(isinstance(one, Alert) for one in said) > 10 for said in spread.said)
        assert spread.settled.count(False) > 5
        turnover = tight.assessors[0].bounds.turnover
        assert min(turnover.put_to_sleep, turnover.woken, turnover.evicted) > 20


@EVERY
def test_goes_on_as_if_nothing_had_happened(stretch: Stretch, seed: int) -> None:
    """Checkpoints and restores at random points: the same records to the last field, and the same state."""
    rng = np.random.default_rng(seed)
    run, kept = Run(stretch), [Kept() for _ in range(stretch.partitions)]
    restored = 0
    for _ in range(len(steps(stretch))):
        run.step()
        for partition, one in enumerate(kept):
            if rng.random() < 0.7:
                one.write(run.assessors[partition], everything=rng.random() < 0.05)
                if rng.random() < 0.3:
                    before = picture(run.assessors[partition])
                    run.assessors[partition] = one.read(run.fresh(partition))
                    assert unlike(picture(run.assessors[partition]), before) == set()
                    restored += 1
    assert restored > 2
    assert run.said == expected(stretch)


def test_many_in_a_row() -> None:
    """After any number of checkpoints that each wrote a part, the parts together are the whole state."""
    run, kept = Run(TIGHT), Kept()
    for number in range(len(steps(TIGHT))):
        run.step()
        kept.write(run.assessors[0])
        if number % 4 == 3:
            assert unlike(picture(kept.read(run.fresh(0))), picture(run.assessors[0])) == set()


def test_a_crash() -> None:
    """Who takes over reads the last checkpoint, then the log behind it, and says the rest once more."""
    run, kept, at, told = Run(PLAIN), Kept(), 0, 0
    while run.at < 17:
        run.step()
        if run.at in (9, 13):
            kept.write(run.assessors[0])
            at, told = run.at, len(run.said[0])
    sent = days.said(run.said[0])
    run.assessors[0] = kept.read(run.fresh(0))
    del run.said[0][told:]
    for step in range(at, run.at):
        run.hear(0, steps(PLAIN)[step][0])
    again = days.said(run.said[0])
    assert len(sent) > len(days.said(run.said[0][:told]))
    # The models are there already, so some rows need not wait for theirs the second time.
    assert {record.id for record in sent} <= {record.id for record in again}
    assert days.said(run.end()[0]) == days.said(expected(PLAIN)[0])


@pytest.mark.parametrize("epoch_s", [300, 3_600])
def test_under_another_length_of_epochs(epoch_s: int) -> None:
    """What has not been told yet is told, and no epoch waits for one that nobody tells any more."""
    run, kept = Run(PLAIN), Kept()
    while run.at < 12:
        run.step()
    run.assessors[0].learner.suspect(np.array([7], np.uint64))
    kept.write(run.assessors[0], everything=True)
    settings = replace(days.QUICK, model=replace(days.QUICK.model, epoch_s=epoch_s))
    models = Models(settings.model, 1)
    for one in run.said[0]:
        if isinstance(one, ModelDelta):
            models.add(one)
    taught = run.assessors[0].learner.met
    assessor = Assessor(settings, config.detectors(settings, Mode.ENFORCE), models, "sha256:test", 0, 1)
    kept.read(assessor)
    assert taught > 0
    assert assessor.learner.met == taught
    told = list[ModelDelta]()
    for messages in steps(PLAIN)[12:]:
        assessor.accept(decode(messages[0]))
        while (outcome := assessor.advance(lambda: 0)).deltas:
            # As `weir worker` sends them: those that are not there yet.
            told += [one for one in outcome.deltas if not models.has(one.epoch, 0)]
            for delta in outcome.deltas:
                models.add(delta)
        assert outcome.settled
    assert {one.epoch_s for one in told} == {epoch_s}
    assert min(one.end_s for one in told) >= max(one.end_s for one in run.said[0] if isinstance(one, ModelDelta))
    assert sum(int(np.frombuffer(one.counts, "<u4").sum()) for one in told) > taught
    assert 7 in np.concatenate([np.frombuffer(one.suspects, "<u8") for one in told])


def test_the_assessor_goes_on_meanwhile() -> None:
    """What is encoded is what stood at the point, however far the assessor has gone on."""
    run = Run(PLAIN)
    while run.at < 12:
        run.step()
    first = take(run.assessors[0], everything=True)
    at_once = dict(encode(first))
    run.end()
    assert dict(encode(first)) == at_once
    assert dict(encode(take(run.assessors[0], everything=True))) != at_once


def test_lent_columns_are_the_same() -> None:
    """To the last byte, in whole checkpoints and in parts, where actors have gone and where they have come back."""
    copied, lent = Run(TIGHT), Run(TIGHT)
    partial, whole = 0, 0
    for _ in range(len(steps(TIGHT))):
        for run in (copied, lent):
            run.step()
        wanted = take(copied.assessors[0], everything=False)
        found = take(lent.assessors[0], everything=False, lent=True)
        partial, whole = partial + (wanted.recent is not None), whole + wanted.plan.whole
        assert dict(encode(found)) == dict(encode(wanted))
    assert min(partial, whole) > 2


def test_no_attribute_is_forgotten() -> None:
    """Whoever gives one of these classes another attribute says here whether a checkpoint must keep it."""
    assessor = Run(PLAIN).assessors[0]
    objects = (
        assessor, assessor.actors, assessor.release, assessor.decider, assessor.learner, assessor.roster,
        assessor.bounds, assessor.bounds.sleepers, assessor.decider._brakes,
    )  # fmt: skip
    for one in objects:
        name = type(one).__name__
        assert vars(one).keys() == KEPT[name] | GIVEN.get(name, set())
    assert {each.name for each in fields(Source)} == {"applied", "watermark_us", "idle", "held"}
    assert {each.name for each in fields(Episode)} - {"slot"} == set(EpisodeState.__struct_fields__) - {"key"}
