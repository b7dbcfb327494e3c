"""Recorded requests through the real pipeline, offline, in event time."""

import time
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from schemas.alert import ALERTS_FILE, Alert
from schemas.block import BLOCKS_FILE, Block, BlockStatus
from schemas.errors import UsageError
from schemas.incident import Incident
from schemas.mode import Mode
from schemas.override import Override
from streams.enrichment import enrichment_of
from streams.offline.apart import observed_apart, worth_apart
from streams.offline.kept import pieces_of
from streams.offline.observing import Piece, observe_all
from streams.offline.reading import Source, sources_of
from streams.offline.report import Report
from streams.offline.truth import Truth
from streams.pipeline.assess.enforcement import Enforcement, principals
from streams.pipeline.assess.outcome import Outcome
from streams.pipeline.assess.timeline import Timeline
from streams.pipeline.model.summary import Summary, summarise
from streams.pipeline.pipeline import Pipeline
from streams.pipeline.policy.brake import told
from streams.pipeline.policy.overrides import Overrides
from streams.pipeline.rows import Rows
from streams.publication import Publication, timeline_of
from streams.robots import RobotLists
from streams.settings import Settings

Progress = Callable[[int, int], None]
"""Told of the bytes read and of all there are."""
INCIDENTS_FILE: Final = "incidents.ndjson"
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
    bad: list[str] = field(default_factory=list)
    """The first lines that could not be read: where, why, and how they begin."""
    cut: list[str] = field(default_factory=list)
    """Inputs that could not be read to their end, and why."""


def replay(
    inputs: Sequence[Path | Source],
    settings: Settings,
    *,
    mode: Mode | None = None,
    enforce: bool = True,
    truth: Truth | None = None,
    progress: Progress | None = None,
    watch: Watch | None = None,
    show_bad: int = 0,
    overrides: Sequence[Override] = (),
    configs: Sequence[Publication] = (),
    apart: bool | None = None,
    kept: Path | None = None,
) -> Replay:
    """Judge all requests of ``inputs`` (see `reading.sources_of`).

    ``mode`` replaces that of every detector. With ``enforce`` later requests of a blocked actor are denied. Each
    decision is dated by its event, so the same files and settings give the same bytes. Each of ``configs`` comes into
    force at its point, as it did live. Whether a second process reads and observes, ``apart``, shows in nothing but the
    time that it takes; None leaves it to `worth_apart`. What is no file is read by this one. Where ``kept`` is what
    `kept.kept` made of the same files under settings by which they are observed alike, that is judged.

    Raises:
        InputError: a file cannot be read.
        UsageError: the second process was killed.
    """
    lists = RobotLists(settings.bots)
    timeline = timeline_of(replace(settings, bots=lists.bots), configs, mode)
    run = _Run(inputs, timeline, enforce, truth, watch, overrides)
    files = [one for one in inputs if isinstance(one, Path)]
    apart = len(files) == len(inputs) and (worth_apart(files) if apart is None else apart)
    with closing(run.pieces(files if apart else (), kept, show_bad)) as pieces:
        done = run.run(pieces, progress)
    done.report.databases |= lists.labels
    return done


class _Run:
    def __init__(
        self,
        inputs: Sequence[Path | Source],
        timeline: Timeline,
        enforce: bool,
        truth: Truth | None,
        watch: Watch | None,
        overrides: Sequence[Override],
    ) -> None:
        first = timeline.first
        enrichment = enrichment_of(first.settings.enrich)
        self._recordings = sources_of(inputs)
        self._settings, self._detectors = first.settings, first.detectors
        self._truth = truth
        self._watch = watch
        self._pipeline = Pipeline(
            first.settings,
            first.detectors,
            first.revision,
            sources=len(self._recordings),
            judge=Enforcement(self._seen, enforce=enforce),
            timeline=timeline,
            overrides=Overrides(overrides),
            origins=enrichment,
        )
        databases = enrichment.labels if enrichment is not None else {}
        self._replay = Replay(Report(config=first.revision, model="none", databases=databases))
        self._first_us, self._last_us = -1, -1

    def pieces(self, apart: Sequence[Path], kept: Path | None, show_bad: int) -> Generator[Piece]:
        """All of the inputs: as they were kept, as another process observes files ``apart``, or as this one does."""
        if kept is None and not apart:
            return observe_all(self._recordings, self._pipeline.observer, show_bad)
        for recording in self._recordings:
            recording.close()
        return observed_apart(apart, self._settings, show_bad) if kept is None else pieces_of(kept)

    def run(self, pieces: Iterable[Piece], progress: Progress | None) -> Replay:
        """Judge to the end."""
        report, started = self._replay.report, time.perf_counter()
        total = sum(recording.size for recording in self._recordings)
        for piece in pieces:
            report.count(piece.counts)
            report.read_as(piece.formats)
            self._replay.bad += piece.bad
            self._replay.cut += [piece.cut] if piece.cut else []
            self._take(self._pipeline.take(piece.messages, _undated))
            if piece.ended is not None:
                self._pipeline.idle(*piece.ended)
                self._take(self._pipeline.advance(_undated))
            if progress is not None:
                progress(piece.bytes_read, total)
        self._finish()
        report.wall_s = time.perf_counter() - started
        report.events_per_s = report.events / max(report.wall_s, 1e-9)
        return self._replay

    def _seen(self, rows: Rows, allowed: bool) -> None:
        if not len(rows):
            return
        if self._first_us < 0:
            self._first_us = int(rows.time_us[0])
        self._last_us = max(self._last_us, int(rows.time_us[-1]))
        if not allowed:
            own = principals(rows)
            columns = (own.source, own.offset, own.time_us, own.principal)
            self._replay.report.requests_denied += len(set(zip(*(column.tolist() for column in columns), strict=True)))
        if self._truth is not None:
            self._truth.seen(rows, allowed)

    def _take(self, outcomes: Iterable[Outcome]) -> None:
        for outcome in outcomes:
            self._replay.incidents += outcome.incidents
            self._replay.report.brakes += [told(braking) for braking in outcome.brakes]
            for decision in outcome.decisions:
                if isinstance(decision, Block) and decision.status is not BlockStatus.ACTIVE:
                    self._replay.blocks.append(decision)
                elif isinstance(decision, Alert | Block):
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
        report.warn({"files_cut": len(done.cut)} if done.cut else {})
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
        files = (ALERTS_FILE, done.alerts), (BLOCKS_FILE, done.blocks), (INCIDENTS_FILE, done.incidents)
        for name, records in files:
            (out / name).write_bytes(msgspec.json.Encoder().encode_lines(records))
        (out / "report.json").write_bytes(msgspec.json.format(msgspec.json.encode(done.report)) + b"\n")
        if done.learned is not None:
            (out / "model.json").write_bytes(msgspec.json.format(msgspec.json.encode(done.learned)) + b"\n")
    except OSError as error:
        raise UsageError(f"{out}: {error.strerror or error}") from error
