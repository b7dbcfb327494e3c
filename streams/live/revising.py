"""The configurations that a worker goes by, as they stand on their topic, and telling when one comes into force."""

import logging
from collections.abc import Iterable, Sequence

from schemas import topic
from schemas.audit import Audit
from schemas.event_time import format_time
from streams.clock import Clock
from streams.live.auditing import worker_name
from streams.live.publications import config_entry, read
from streams.live.topic_feed import TopicFeed
from streams.pipeline.assess.outcome import Switch
from streams.pipeline.assess.timeline import Regime, Timeline
from streams.publication import Publication, named
from streams.section import changed, turned_on
from streams.settings import Settings

log = logging.getLogger(__name__)


class Revising:
    """Reads the topic. The worker's own configuration holds until the first point, and its cold sections for ever."""

    def __init__(self, settings: Settings, known: Sequence[Publication], partitions: int, clock: Clock) -> None:
        """Begin with ``settings`` and what is ``known`` of the topic, which has so many ``partitions``."""
        self.timeline = Timeline.of(settings, newest=known[-1].settings if known else None)
        self._last = self.timeline.first
        self.newest = settings
        """The worker's own configuration, or that of the publication which came last."""
        self._known: dict[str, Publication] = {}
        self._told: set[tuple[int, str, bool]] = set()
        self._entries: list[Audit] = []
        self._clock = clock
        name = settings.kafka.prefix + topic.CONFIG.name
        self.feed: TopicFeed[Publication | str] = TopicFeed(settings.kafka, name, partitions, read)
        for one in known:
            regime = self._add(one)
            if regime.from_us <= clock():
                self._told.add((regime.from_us, regime.revision, False))
        self.in_force = self.timeline.at(clock()).revision
        """What is in force in the partition that is farthest ahead."""
        differs = [key for key in changed(settings, self.newest) if not key.own]
        if differs:
            log.warning(
                "revision %s was published last and counts; the configuration file has other values for %s",
                self.revision,
                named(differs),
            )

    @property
    def revision(self) -> str:
        """What decisions name while the publication that came last is in force."""
        return self._last.revision

    @property
    def count(self) -> int:
        """How many publications have come."""
        return len(self._known)

    def since(self, count: int) -> list[Publication]:
        """Those that have come after the first ``count``."""
        return list(self._known.values())[count:]

    def take_in(self) -> None:
        """Let what has come be known; it may be while something is judged."""
        for said in self.feed.take():
            if isinstance(said, str):
                log.error("%s: a record is passed over, what is in force goes on: %s", topic.CONFIG.name, said)
                self._note(topic.CONFIG.name, self.revision, "", f"passed over: {said}")
            elif said.record.key not in self._known:
                self._add(said)
                self._tell_restart(said)

    def _add(self, one: Publication) -> Regime:
        self._known[one.record.key] = one
        self.newest = one.settings
        self._last = self.timeline.add(one.from_us, one.settings)
        return self._last

    def _tell_restart(self, one: Publication) -> None:
        """Say what of a publication this worker cannot take."""
        first = self.timeline.first.settings
        asleep = sorted(set(turned_on(first, one.settings)) - self.timeline.stateful)
        what = [key.key for key in changed(first, one.settings) if key.cold and not key.own]
        what += [f"detectors.{name}, which was off at the start" for name in asleep]
        if what:
            reason = f"a restart is needed for {', '.join(dict.fromkeys(what))}"
            log.warning("revision %s: %s", one.record.revision, reason)
            self._note(one.record.revision, "", self.revision, reason)

    def switched(self, switches: Iterable[Switch]) -> None:
        """Tell of regimes that a partition has come to, each once, and once more where one came late."""
        for switch in switches:
            before, after = switch.before.revision, switch.after.revision
            point = switch.after.from_us, after, switch.late
            if before == after or point in self._told:
                continue
            self._told.add(point)
            self.in_force = after
            since = f"in force from {format_time(switch.after.from_us)}"
            if switch.late:
                since += f", which came late: from {format_time(switch.at_us)} in a partition"
            log.log(logging.WARNING if switch.late else logging.INFO, "revision %s: %s", after, since)
            self._note(after, before, after, since)

    def _note(self, subject: str, before: str, after: str, reason: str) -> None:
        change = subject, before, after, reason
        self._entries.append(config_entry(worker_name(), change, self.revision, self._clock()))

    def entries(self) -> list[Audit]:
        """What the audit has to be told since the last call."""
        entries, self._entries = self._entries, []
        return entries
