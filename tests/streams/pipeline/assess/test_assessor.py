"""One partition: epochs, waiting for models, accounts' tiers, and what comes late."""

from typing import Final

import pytest
from msgspec.structs import replace

from schemas.alert import Alert
from schemas.errors import GapError
from schemas.mode import Mode
from streams import config
from streams.pipeline.assess.assessor import Assessor
from streams.pipeline.assess.outcome import Outcome
from streams.pipeline.batch import Batch
from streams.pipeline.model.models import Models
from streams.pipeline.observe import Observer, idle_progress
from streams.pipeline.sightings import decode
from streams.settings import Settings
from tests import days
from tests.low import low
from tests.requests import START_S, request_of, views

HOUR_S: Final = 3_600
EPOCH: Final = START_S // HOUR_S
PLAIN: Final = low(
    "[model]\nepoch_s = 3600\n"
    "[detectors.profile_rate.account]\nhour = 5\n[detectors.profile_rate.tiers.recruiter]\nhour = 9\n"
)


class Partition:
    """An assessor beside others of its kind, which share the models."""

    def __init__(self, partitions: int = 1, settings: Settings = PLAIN) -> None:
        self.models = Models(settings.model, partitions)
        chosen = [(one, mode) for one, mode in config.detectors(settings, Mode.ALERT) if one.name == "profile_rate"]
        self.assessor = Assessor(settings, chosen, self.models, "sha256:test", 0, 1)
        self._observer = Observer(settings.input, settings.surfaces, 1)
        self.next = 0

    def feed(self, *values: bytes, share: bool = True, impatient: bool = False) -> Outcome:
        """Take a batch; ``share`` adds what was learned to the models."""
        observed = self._observer.observe(Batch(days.TOPIC, 0, self.next, self.next + len(values), values))
        self.next += len(values)
        self.assessor.accept(decode(observed.messages[0] or observed.progress()))
        return self.advance(share=share, impatient=impatient)

    def end(self) -> Outcome:
        """Say that there is nothing more."""
        self.assessor.accept(decode(idle_progress(days.TOPIC, 0, self.next)))
        return self.advance()

    def advance(self, *, share: bool = True, impatient: bool = False) -> Outcome:
        """Judge what can be judged, and go on as long as that teaches something."""
        whole = Outcome()
        while True:
            latest = self.assessor.advance(lambda: 0, impatient=impatient)
            whole.decisions += latest.decisions
            whole.deltas += latest.deltas
            whole.incidents += latest.incidents
            whole.settled = latest.settled
            for delta in latest.deltas if share else ():
                self.models.add(delta)
            if latest.settled or not latest.deltas or not share:
                return whole


def at(hours: float, profile: str, account: str = "u1") -> bytes:
    """A view so many hours after the start."""
    return request_of(START_S + hours * HOUR_S, profile, account=account)


class TestEpochs:
    """What is learned goes out with the end of its epoch."""

    def test_deltas(self) -> None:
        """The first delta says that there is nothing before; each epoch's follows when the watermark has passed it."""
        one = Partition()
        assert [delta.epoch for delta in one.feed(at(0, "a"), at(0.5, "b"), at(0.9, "c")).deltas] == [EPOCH - 1]
        outcome = one.feed(at(1.1, "d"))
        assert [(delta.epoch, len(delta.profiles) // 8) for delta in outcome.deltas] == [(EPOCH, 3)]

    def test_long_gap(self) -> None:
        """A silence of days is told by one delta, and the model of what comes after is the due one."""
        one = Partition()
        one.feed(at(0, "a"), at(0.5, "b"))
        outcome = one.feed(at(100, "c"), at(100.5, "d"))
        assert [delta.epoch for delta in outcome.deltas] == [EPOCH, EPOCH + 99]
        assert outcome.settled
        assert one.models.complete_for(EPOCH + 101)

    @pytest.mark.parametrize("steps", [[0, 30], [0, 10, 30], [0, 0.9, 1, 1.1, 17, 29, 30]])
    def test_gaps_in_any_steps(self, steps: list[float]) -> None:
        """However often the watermark moved during a silence, the model is the same."""
        one = Partition()
        one.feed(at(0, "a"), at(0, "b", "u2"), at(0.1, "a", "u3"))
        for hours in steps:
            one.feed(request_of(START_S + hours * HOUR_S, "none", account="u9", status=500))
        one.feed(at(30.1, "c"))
        one.end()
        model = one.models.serve(EPOCH + 30).popularity
        assert model.label == "2027-01-15T08"
        assert sorted(model.bins[model.bins > 0].tolist()) == [1, 2]

    def test_at_the_edge(self) -> None:
        """An event at the full hour belongs to the hour that begins."""
        one = Partition()
        one.feed(at(0.5, "a"), at(1, "b"))
        deltas = [*one.feed(at(1.5, "c")).deltas, *one.feed(at(2.5, "d")).deltas]
        assert [(delta.epoch, len(delta.profiles) // 8) for delta in deltas] == [(EPOCH, 1), (EPOCH + 1, 2)]


class TestWaiting:
    """For the models of others."""

    VALUES: Final = tuple(views(START_S + 3 * HOUR_S, 6, account="u1"))

    def waiting(self) -> tuple[Partition, Outcome]:
        """A partition whose neighbour is behind; six views wait."""
        one = Partition(partitions=2)
        for delta in Partition(partitions=2).feed(at(0, "z"), at(0.5, "y")).deltas:
            one.models.add(replace(delta, partition=1))
        one.feed(at(0, "a"), at(1, "b"))
        return one, one.feed(*self.VALUES, at(3.9, "end"))

    def test_not_settled(self) -> None:
        """What the watermark has passed waits while the model that is due is incomplete, and the outcome says so."""
        one, outcome = self.waiting()
        assert not outcome.settled
        assert outcome.decisions == []
        assert one.assessor.release.held > 0

    def test_settles_with_the_model(self) -> None:
        """When it comes, all that waited is judged by it, and the decision says that nothing was missing."""
        one, _ = self.waiting()
        neighbour = Partition(partitions=2)
        for delta in neighbour.assessor.learner.finish(EPOCH + 9):
            one.models.add(replace(delta, partition=1))
        outcome = one.advance()
        assert outcome.settled
        assert [decision.complete for decision in outcome.decisions if isinstance(decision, Alert)] == [True]

    def test_impatient(self) -> None:
        """Out of patience it judges by the newest complete model, and the decision says so."""
        one, _ = self.waiting()
        outcome = one.advance(impatient=True)
        assert [decision.complete for decision in outcome.decisions if isinstance(decision, Alert)] == [False]
        assert outcome.settled


class TestTiers:
    """Names of tiers, in whatever order they come."""

    def test_a_tier_has_its_limit(self) -> None:
        """A tier that comes late, behind others, in another batch, is still the configured one."""
        one = Partition()
        one.feed(*[request_of(START_S + n / 10, "x", account=f"t{n}", tier=f"tier{n}") for n in range(20)])
        one.feed(*views(START_S + 10, 9, account="u1", tier="recruiter"))
        decided = [decision for decision in one.end().decisions if isinstance(decision, Alert)]
        assert [finding.evidence["limit"] for alert in decided for finding in alert.findings] == [9]

    def test_too_many(self) -> None:
        """Beyond 255 named tiers further ones are the unnamed one; nothing breaks."""
        one = Partition()
        for n in range(300):
            one.feed(request_of(START_S + n / 100, "x", account=f"t{n}", tier=f"tier{n}"))
        made = one.feed(*views(START_S + 10, 9, account="u1", tier="recruiter")).decisions
        decided = [decision for decision in made if isinstance(decision, Alert)]
        assert {finding.evidence["limit"] for alert in decided for finding in alert.findings} == {5}


class TestLate:
    """Behind the bound."""

    def test_judged_at_once(self) -> None:
        """What comes late is counted, judged with the next, and no window goes back for it."""
        one = Partition()
        one.feed(*views(START_S + 100, 4, account="u1"))
        one.feed(request_of(START_S + 200, "else", account="u2"))
        late = one.feed(request_of(START_S + 50, "late", account="u1"))
        assert one.assessor.release.late == 3  # sightings: of the account, its address and its network
        assert [decision.actor.key for decision in late.decisions if isinstance(decision, Alert)] == ["account:u1"]

    def test_gap(self) -> None:
        """A lost message of sightings stops the partition, with the place."""
        one = Partition()
        one.feed(*views(START_S, 4))
        one.next += 3
        with pytest.raises(GapError, match=r"^http\.requests\[0\]: sightings of offsets 4 to 6 are missing$"):
            one.feed(*views(START_S + 10, 4))


def test_nothing_at_all() -> None:
    """Without an event there is nothing to judge, decide or learn."""
    one = Partition()
    outcome = one.end()
    assert (outcome.decisions, outcome.deltas, outcome.incidents, outcome.settled) == ([], [], [], True)
    assert one.feed(b"{}", b"not json").settled
