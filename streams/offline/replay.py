"""Recorded requests through the real pipeline, offline, in event time."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from msgspec.structs import replace

from schemas.alert import Alert
from schemas.block import Block
from schemas.errors import UsageError
from schemas.incident import Incident
from schemas.mode import Mode
from streams import config
from streams.offline.reading import Recording, open_all, read_all
from streams.offline.report import Report
from streams.offline.truth import Truth
from streams.pipeline.assess.assessor import Outcome
from streams.pipeline.assess.enforcement import Enforcement, principals
from streams.pipeline.model.summary import Summary, summarise
from streams.pipeline.pipeline import Pipeline
from streams.pipeline.rows import Rows
from streams.settings import Settings

Progress = Callable[[int, int], None]
"""Told of the bytes read and of all there are."""
Watch = Callable[[Alert | Block], None]
"""Told of each alert and block as it is decided."""


@dataclass(slots=True)
class Replay:
    """All that one replay gave."""

    report: Report
    alerts: list[Alert] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    incidents: list[Incident] = field(default_factory=list)
    learned: Summary | None = None
    """The model at the end."""


def replay(
    paths: Sequence[Path],
    settings: Settings,
    *,
    mode: Mode | None = None,
    enforce: bool = True,
    truth: Truth | None = None,
    progress: Progress | None = None,
    watch: Watch | None = None,
) -> Replay:
    """Judge all requests of ``paths`` (see `reading.open_all`).

    ``mode`` replaces that of every detector. With ``enforce`` later requests of a blocked actor are denied. Each
    decision is dated by its event, so the same files and settings give the same bytes.
    """
    return _Run(paths, settings, mode, enforce, truth, watch).run(progress)


class _Run:
    def __init__(
        self,
        paths: Sequence[Path],
        settings: Settings,
        mode: Mode | None,
        enforce: bool,
        truth: Truth | None,
        watch: Watch | None,
    ) -> None:
        revision = config.revision(settings, mode)
        self._recordings = open_all(paths)
        self._settings, self._detectors = settings, config.detectors(settings, mode)
        self._truth = truth
        self._watch = watch
        self._pipeline = Pipeline(
            settings,
            self._detectors,
            revision,
            sources=len(self._recordings),
            judge=Enforcement(self._seen, enforce=enforce),
        )
        self._replay = Replay(Report(config=revision, model="none"))
        self._first_us, self._last_us = -1, -1

    def run(self, progress: Progress | None) -> Replay:
        """Read to the end."""
        report, started = self._replay.report, time.perf_counter()
        total = sum(recording.size for recording in self._recordings)
        for recording, batch in read_all(self._recordings):
            observed, outcomes = self._pipeline.feed(batch, _undated)
            report.count(observed.counts)
            self._move(recording, observed.watermark_us)
            self._take(outcomes)
            if progress is not None:
                progress(sum(r.bytes_read for r in self._recordings), total)
        self._finish()
        report.wall_s = time.perf_counter() - started
        report.events_per_s = report.events / max(report.wall_s, 1e-9)
        return self._replay

    def _move(self, recording: Recording, watermark_us: int) -> None:
        recording.watermark_us = max(recording.watermark_us, watermark_us)
        if recording.done:
            self._pipeline.idle(*recording.position)
            self._take(self._pipeline.advance(_undated))

    def _seen(self, rows: Rows, allowed: bool) -> None:
        if not len(rows):
            return
        if self._first_us < 0:
            self._first_us = int(rows.time_us[0])
        self._last_us = max(self._last_us, int(rows.time_us[-1]))
        if not allowed:
            own = principals(rows)
            self._replay.report.requests_denied += len(set(zip(own.source.tolist(), own.offset.tolist(), strict=True)))
        if self._truth is not None:
            self._truth.seen(rows, allowed)

    def _take(self, outcomes: Iterable[Outcome]) -> None:
        for outcome in outcomes:
            self._replay.incidents += outcome.incidents
            for decision in outcome.decisions:
                if isinstance(decision, Alert | Block):
                    self._keep(replace(decision, decided_at=decision.event_time))

    def _keep(self, decision: Alert | Block) -> None:
        if isinstance(decision, Alert):
            self._replay.alerts.append(decision)
        else:
            self._replay.blocks.append(decision)
        if self._truth is not None:
            self._truth.decided(decision)
        if self._watch is not None:
            self._watch(decision)

    def _finish(self) -> None:
        done, report, assessor = self._replay, self._replay.report, self._pipeline.assessors[0]
        done.incidents += assessor.decider.going_on()
        done.incidents.sort(key=lambda incident: (incident.opened, incident.id))
        report.decided(done.alerts, done.blocks)
        report.model = self._pipeline.models.label
        done.learned = summarise(self._pipeline.models, self._settings, self._detectors)
        report.blind = done.learned.blind
        report.actors = len(assessor.actors)
        report.memory = assessor.bounds.counts()
        report.late = assessor.release.late
        report.warn(assessor.caution())
        report.incidents = len(done.incidents)
        before = [i.exposure_before_block.profiles for i in done.incidents if i.exposure_before_block]
        report.exposure_before_block = sum(before)
        if self._first_us >= 0:
            report.span(self._first_us, self._last_us)
        if self._truth is not None:
            report.scrapers, report.people = self._truth.scrapers(), self._truth.people


def _undated() -> int:
    """A replay dates its decisions by their events, once they are made."""
    return 0


def write(done: Replay, out: Path) -> None:
    """Write ``alerts``, ``blocks`` and ``incidents.ndjson``, ``report.json`` and ``model.json`` into ``out``.

    Raises:
        UsageError: they cannot be written there.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, records in (("alerts", done.alerts), ("blocks", done.blocks), ("incidents", done.incidents)):
            (out / f"{name}.ndjson").write_bytes(msgspec.json.Encoder().encode_lines(records))
        (out / "report.json").write_bytes(msgspec.json.format(msgspec.json.encode(done.report)) + b"\n")
        if done.learned is not None:
            (out / "model.json").write_bytes(msgspec.json.format(msgspec.json.encode(done.learned)) + b"\n")
    except OSError as error:
        raise UsageError(f"{out}: {error.strerror or error}") from error
