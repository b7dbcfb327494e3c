"""A state's directory as operators' commands see it: records in files, in place of topics."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from schemas import topic
from schemas.block import BLOCKS_FILE
from schemas.codec import DECODE_ERRORS
from schemas.errors import UsageError
from schemas.topic import Topic
from streams.outputs.cloudevents import Record
from streams.watch.keeping import MANIFEST
from streams.watch.operators import Operators, Said, said


class Head(msgspec.Struct):
    """What of a record says which it is, and of a block whose."""

    id: str = ""
    actor: dict[str, str] = {}

    @property
    def key(self) -> str:
        """Of the actor."""
        return f"{self.actor.get('scope')}:{self.actor.get('value')}"


class InState:
    """The directory of one `weir watch`, whether it runs or not."""

    def __init__(self, directory: Path) -> None:
        """Raises `UsageError` where no watch has ever kept its state."""
        if not (directory / MANIFEST).exists():
            raise UsageError(f"{directory} holds no state of weir watch")
        self._directory = directory

    def last(self, one: Topic) -> Iterator[tuple[str, bytes]]:
        """The last record of each key, without tombstones: what the watch has said, and operators after it."""
        last: dict[str, bytes | None] = {}
        heard: set[str] = set()
        if one == topic.BLOCKS:
            for head, line in self._blocks():
                last[head.key] = line
                heard.add(head.id)
        for each in Operators(self._directory).read():
            # What a watch has heard stands among its own records, in its place.
            if each.topic == one.name and (each.content is None or _head(each.content).id not in heard):
                last[each.key] = each.content
        return ((key, value) for key, value in last.items() if value is not None)

    def _blocks(self) -> Iterator[tuple[Head, bytes]]:
        try:
            with (self._directory / BLOCKS_FILE).open("rb") as file:
                # Line by line: months of decisions need not fit into memory.
                for line in file:
                    head = _head(line)
                    if head.actor:
                        yield head, line
        except FileNotFoundError:
            return

    def send(self, outgoing: Sequence[Record]) -> None:
        """Say records, in order; a watch that runs heeds them within a second. Raises `UsageError`."""
        Operators(self._directory).append([self._said(one) for one in outgoing])

    @staticmethod
    def _said(one: Record) -> Said:
        return said(one.topic, one.key, one.value)


_HEAD: Final = msgspec.json.Decoder(Head)


def _head(value: bytes) -> Head:
    try:
        return _HEAD.decode(value)
    except DECODE_ERRORS:
        return Head()
