"""Alerts and blocks as they were told, by incident; from a directory that `weir replay` or `weir watch` wrote, too."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from schemas.alert import ALERT_CODEC, ALERTS_FILE, Alert, AlertStatus
from schemas.block import BLOCK_CODEC, BLOCKS_FILE, Block, BlockMode, BlockStatus
from schemas.codec import JsonCodec
from schemas.errors import InputError, RecordError, UsageError

R = TypeVar("R", Alert, Block)


@dataclass(slots=True)
class Incident:
    """What was told of one incident, in order of decision."""

    alerts: list[Alert] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)

    @property
    def latest(self) -> Alert:
        """The alert that tells its whole state; of a closed one, too."""
        return self.alerts[-1]

    @property
    def open(self) -> bool:
        """Whether it goes on."""
        return self.latest.status is not AlertStatus.CLOSED

    @property
    def standing(self) -> Block | None:
        """The last block or challenge that enforcement was told, if it was not taken back."""
        enforced = [block for block in self.blocks if block.mode is BlockMode.ENFORCE]
        return enforced[-1] if enforced and enforced[-1].status is BlockStatus.ACTIVE else None


class Told:
    """All incidents."""

    def __init__(self, alerts: Iterable[Alert], blocks: Iterable[Block]) -> None:
        """Put records together, in order of event time; the same record twice counts once."""
        self._incidents: dict[str, Incident] = {}
        for alert in sorted({one.id: one for one in alerts}.values(), key=lambda one: (one.event_time, one.decided_at)):
            self._incidents.setdefault(alert.incident, Incident()).alerts.append(alert)
        for block in sorted({one.id: one for one in blocks}.values(), key=lambda one: (one.event_time, one.decided_at)):
            if block.incident in self._incidents:
                self._incidents[block.incident].blocks.append(block)

    def latest(self) -> list[Incident]:
        """All, the one that was told of last at the top."""
        return sorted(self._incidents.values(), key=lambda one: one.latest.event_time, reverse=True)

    def of_actor(self, key: str) -> list[Incident]:
        """Those of an actor, or with a block on it."""
        return [
            one
            for one in self.latest()
            if one.latest.actor.key == key or any(block.actor.key == key for block in one.blocks)
        ]

    def one(self, beginning: str) -> Incident:
        """The incident whose id begins so.

        Raises:
            UsageError: none does, or several do.
        """
        found = [incident for name, incident in self._incidents.items() if name.startswith(beginning)]
        if len(found) != 1:
            raise UsageError(f"{len(found) or 'no'} incidents begin with {beginning}; weir incidents lists them")
        return found[0]


def told_in(directory: Path) -> Told:
    """What a replay or a watch has written.

    Raises:
        InputError: the files are not there, or a line is no record.
    """
    alerts = list(_records(directory / ALERTS_FILE, ALERT_CODEC))
    return Told(alerts, _records(directory / BLOCKS_FILE, BLOCK_CODEC))


def _records(path: Path, codec: JsonCodec[R]) -> Iterator[R]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(str(path), error.strerror or str(error)) from error
    # A last line without an end is being written right now.
    for number, line in enumerate(content[: content.rfind(b"\n") + 1].splitlines(), 1):
        try:
            yield codec.decode(line)
        except RecordError as error:
            raise InputError(f"{path}:{number}", str(error)) from error
