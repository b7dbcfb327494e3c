"""What-if: the same recorded requests judged under several settings, a row for each.

They are observed once for all cases that observe alike, and judged for every row in a process of its own, since that
keeps one core busy from begin to end. The rows come in the order of their cases, whichever process is done first.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from ctypes import Array, c_double
from dataclasses import dataclass
from itertools import product
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from statistics import median
from typing import Final, TypeAlias, cast

import msgspec

from schemas.actor import Scope
from schemas.block import Block
from schemas.errors import UsageError
from schemas.event_time import parse_time_us
from schemas.mode import Mode
from streams.config import revision
from streams.offline.kept import kept, observed_by
from streams.offline.processes import CONTEXT, begin, failure_of, received
from streams.offline.replay import Progress, Replay, replay
from streams.offline.truth import Truth, read_labels
from streams.pipeline.assess.enforcement import begins_block
from streams.settings import Settings

ROWS_MAX: Final = 200
POLL_S: Final = 0.2
"""How often the progress of other processes is looked at."""

Changes = Mapping[str, object]
"""Values by dotted key."""
Shares: TypeAlias = "Array[c_double]"
"""How far each replay is, in [0, 1]; all processes see it."""
Told = Callable[[float], None]
"""Told of the share of all replays that is done, in [0, 1]."""


class LabelledRow(msgspec.Struct, frozen=True):
    """What only labels can tell."""

    people_alerted: int
    people_hurt: int
    """People blocked, or denied a request."""
    leaked: int
    """Distinct profiles disclosed to scrapers, summed over them."""
    scrapers: int
    found: int
    blocked: int


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One replay in figures."""

    set: dict[str, object]
    """What differs from the configuration; empty for the configuration as it stands."""
    config: str
    alerts: int
    incidents: int
    blocks: int
    """Decisions that deny requests, extensions too."""
    accounts_blocked: int
    addresses_blocked: int
    requests_denied: int
    exposure_before_block: int
    """Profiles disclosed to blocked actors when their first block was decided."""
    labelled: LabelledRow | None = None
    time_to_alert_s: float | None = None
    """Median over what was found: scrapers from their first profile on with labels, else incidents."""
    time_to_block_s: float | None = None
    """Likewise over what was blocked."""


@dataclass(frozen=True, slots=True)
class Case:
    """What to judge by: the settings, and in which keys they differ from those that stand."""

    changes: Changes
    settings: Settings


@dataclass(frozen=True, slots=True)
class Task:
    """What all rows have in common; `labels` is a file of them, which every replay reads for itself."""

    paths: tuple[Path, ...]
    mode: Mode | None = None
    labels: Path | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """One row that is to be made."""

    task: Task
    case: Case
    kept: Path | None = None
    """What was observed for it, see `kept.kept`; None where that is still to be done."""


def combinations(choices: Mapping[str, Sequence[object]]) -> list[Changes]:
    """Nothing changed, then every combination of the values of each key; the last key moves fastest.

    Raises:
        UsageError: there are more than `ROWS_MAX`.
    """
    count = 1
    for values in choices.values():
        count *= len(values)
    if count > ROWS_MAX:
        raise UsageError(f"--set: {count:,} combinations; more than {ROWS_MAX} are refused")
    return [{}, *(dict(zip(choices, values, strict=True)) for values in product(*choices.values()))]


def tune(task: Task, cases: Sequence[Case], *, jobs: int = 1, told: Told | None = None) -> list[Row]:
    """A row a case, in their order. Cases of the same revision are replayed once.

    Args:
        task: What to replay; the files are read once for all cases that observe alike, see `kept.kept`.
        cases: At least one.
        jobs: Processes at most; with 1 everything happens in this one.
        told: See `Told`.

    Raises:
        InputError: a file cannot be read, or its labels are none.
        UsageError: a replay's process was killed.
    """
    revisions = [revision(case.settings, task.mode) for case in cases]
    distinct = dict(zip(revisions, cases, strict=True))
    with _observed(task, list(distinct.values()), told) as (turns, judged):
        rows = _shared(turns, jobs, judged) if jobs > 1 and len(turns) > 1 else _alone(turns, jobs, judged)
    found = dict(zip(distinct, rows, strict=True))
    return [
        msgspec.structs.replace(found[each], set=dict(case.changes))
        for each, case in zip(revisions, cases, strict=True)
    ]


@contextmanager
def _observed(task: Task, cases: Sequence[Case], told: Told | None) -> Iterator[tuple[list[Turn], Told | None]]:
    """What is left to do for each case, once is done what several of them share; and who is told of that."""
    alike = [observed_by(case.settings) for case in cases]
    shared = {key: cases[alike.index(key)].settings for key, count in Counter(alike).items() if count > 1}
    steps = len(shared) + len(cases)
    with ExitStack() as opened:
        found = {
            key: opened.enter_context(kept(task.paths, settings, _share_of(place, steps, told)))
            for place, (key, settings) in enumerate(shared.items())
        }
        judged = None if told is None else lambda share: told((len(shared) + share * len(cases)) / steps)
        yield [Turn(task, case, found.get(key)) for case, key in zip(cases, alike, strict=True)], judged


def judge(turn: Turn, progress: Progress | None = None, *, apart: bool | None = None) -> Row:
    """One replay under the settings of a case; blocks are enforced. See `replay` for ``apart``."""
    task, case = turn.task, turn.case
    truth = None if task.labels is None else Truth(read_labels(task.labels))
    done = replay(
        task.paths, case.settings, mode=task.mode, truth=truth, progress=progress, apart=apart, kept=turn.kept
    )
    return row_of(case.changes, done, labelled=truth is not None)


def row_of(changes: Changes, done: Replay, *, labelled: bool) -> Row:
    """The figures of a replay; ``labelled``: it had labels."""
    report, blocks = done.report, [block for block in done.blocks if begins_block(block)]
    blocked = {block.actor.key: block.actor.scope for block in blocks}
    to_alert, to_block = _times_of_scrapers(done) if labelled else _times_of_incidents(done, blocks)
    return Row(
        set=dict(changes),
        config=report.config,
        alerts=sum(report.alerts.values()),
        incidents=report.incidents,
        blocks=len(blocks),
        accounts_blocked=sum(scope == Scope.ACCOUNT.label for scope in blocked.values()),
        addresses_blocked=sum(scope == Scope.IP.label for scope in blocked.values()),
        requests_denied=report.requests_denied,
        exposure_before_block=report.exposure_before_block,
        labelled=_labelled(done) if labelled else None,
        time_to_alert_s=median(to_alert) if to_alert else None,
        time_to_block_s=median(to_block) if to_block else None,
    )


def _labelled(done: Replay) -> LabelledRow:
    scrapers = done.report.scrapers
    return LabelledRow(
        people_alerted=done.report.people_alerted,
        people_hurt=done.report.people_hurt,
        leaked=sum(scraper.leaked for scraper in scrapers),
        scrapers=len(scrapers),
        found=sum(scraper.found for scraper in scrapers),
        blocked=sum(scraper.blocked for scraper in scrapers),
    )


def _times_of_scrapers(done: Replay) -> tuple[list[float], list[float]]:
    scrapers = done.report.scrapers
    to_alert = [scraper.time_to_alert_s for scraper in scrapers if scraper.time_to_alert_s is not None]
    return to_alert, [scraper.time_to_block_s for scraper in scrapers if scraper.time_to_block_s is not None]


def _times_of_incidents(done: Replay, blocks: Iterable[Block]) -> tuple[list[float], list[float]]:
    begun = {incident.id: parse_time_us(incident.first_seen) for incident in done.incidents}
    first: dict[str, int] = {}
    for block in blocks:
        first.setdefault(block.incident, parse_time_us(block.event_time))
    to_alert = [(parse_time_us(incident.opened) - begun[incident.id]) / 1e6 for incident in done.incidents]
    return to_alert, [(at_us - begun[incident]) / 1e6 for incident, at_us in first.items()]


def _alone(turns: Sequence[Turn], jobs: int, told: Told | None) -> list[Row]:
    apart = None if jobs > 1 else False
    return [judge(turn, _share_of(place, len(turns), told), apart=apart) for place, turn in enumerate(turns)]


def _share_of(place: int, count: int, told: Told | None) -> Progress | None:
    return None if told is None else lambda read, total: told((place + read / max(total, 1)) / count)


def _shared(turns: Sequence[Turn], jobs: int, told: Told | None) -> list[Row]:
    shares: Shares = CONTEXT.RawArray("d", len(turns))
    waiting, found = deque(enumerate(turns)), dict[int, Row]()
    running: dict[Connection, tuple[int, SpawnProcess]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                place, turn = waiting.popleft()
                receiver, process = begin(_work, turn, shares, place)
                running[receiver] = place, process
            for receiver in cast("list[Connection]", wait(list(running), POLL_S)):
                found[running[receiver][0]] = _received(receiver)
                running.pop(receiver)[1].join()
            if told is not None:
                told(sum(shares) / len(turns))
    finally:
        for _, process in running.values():
            process.terminate()
            process.join()
    return [found[place] for place in range(len(turns))]


def _work(turn: Turn, shares: Shares, place: int, sender: Connection) -> None:
    def progress(read: int, total: int) -> None:
        shares[place] = read / max(total, 1)

    try:
        sender.send(judge(turn, progress))
    except Exception as error:  # noqa: BLE001 - a bug is told where the command ends, with its trace
        sender.send(failure_of(error))


def _received(receiver: Connection) -> Row:
    with receiver:
        return cast("Row", received(receiver))
