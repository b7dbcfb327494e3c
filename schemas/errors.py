"""Every error that Weir raises on purpose, as one tree.

::

    WeirError
    ├── OperatorError           the asker can put it right; nothing was processed; exit status 2
    │   ├── UsageError          the command line
    │   ├── ConfigError         the configuration: file, line, reason
    │   ├── InputError          a file, topic or record of learned state as a whole
    │   └── TransportError      the broker: unreachable, refused, or a topic that is missing or set wrongly
    ├── RecordError             one record; it goes to the dead letters and its neighbours go on
    └── StopError               going on would lose or double something; the process ends before it acknowledges
        ├── GapError            a message of sightings is missing
        ├── CheckpointError     a checkpoint of state is damaged, or does not fit what runs now
        ├── FloodError          so much of a source cannot be read that something else must be wrong
        └── ModelError          the learned model is missing, damaged or of another version

Whatever is raised and is no `WeirError` is a bug. It too ends the process before the acknowledgement, so that a restart
reads the same records again. Every class says in its ``Operator:`` line what the person who meets it should do.
"""

from typing import ClassVar, Final

BUG_EXIT_STATUS: Final = 70
"""Exit status of a process that a bug has ended: EX_SOFTWARE of sysexits.h."""


class WeirError(Exception):
    """Root of the tree; never raised itself.

    Operator: the text is one line that names the place; act on the line of the class below it.
    """

    exit_status: ClassVar[int] = 2
    """Exit status of a process that this error ends."""


class OperatorError(WeirError):
    """What was asked for cannot be begun; nothing was processed.

    Operator: correct what the line names and ask again.
    """


class UsageError(OperatorError):
    """The command line asks for something that does not exist or does not go together.

    Operator: see ``--help`` of the command.
    """


class ConfigError(OperatorError):
    """A key of the configuration is unknown, has a wrong type or lies out of range.

    Operator: correct the named line, then run ``weir config check``; a running worker keeps its last good revision.
    """

    def __init__(self, file: str, line: int | None, reason: str) -> None:
        """``line`` counts from 1, and is None where the mistake has none (an environment variable, say)."""
        self.file = file
        self.line = line
        self.reason = reason
        super().__init__(f"{file}: {reason}" if line is None else f"{file}:{line}: {reason}")


class InputError(OperatorError):
    """Input that cannot be read at all: no such file, no such format, a file of labels that is none.

    Operator: check the named place. Single bad records never cause this; they become dead letters.
    """

    def __init__(self, place: str, reason: str) -> None:
        """``place`` is a path, perhaps with ``:line``, or ``kafka://topic``."""
        self.place = place
        self.reason = reason
        super().__init__(f"{place}: {reason}")


class TransportError(OperatorError):
    """The broker cannot be reached, refuses, or holds a topic that Weir cannot work with.

    Operator: check ``kafka.bootstrap`` and the rights of its user, then run ``weir topics check``. Nothing is lost:
    what was not acknowledged is read again.
    """


class RecordError(WeirError):
    """One record is not what it should be and never will be.

    Operator: nothing at once. The record is in the dead letters with place and reason; when their number grows, correct
    the shipper, then send them again with ``weir deadletters replay``.
    """

    def __init__(self, where: str, reason: str) -> None:
        """``where`` is a JSON path (``$.url.path``) or ``byte N``, counted from 0, at the mistake or one behind it.

        ``reason`` holds no value of the record, so that no personal data gets into headers and logs.
        """
        self.where = where
        self.reason = reason
        super().__init__(f"{where}: {reason}")


class StopError(WeirError):
    """Going on would lose or double something, so the process ends before it acknowledges.

    Operator: a restart is safe; when the same line comes again, act on the line of the class below it.
    """


class GapError(StopError):
    """Sightings of a source partition do not follow on the ones before: a message was lost on the way.

    Operator: see whether retention of ``weir.activity.v1`` has deleted what was not read yet, or somebody has deleted
    records; state must be rebuilt from the request log.
    """

    def __init__(self, topic: str, partition: int, expected: int, found: int) -> None:
        """``[expected, found)`` are the missing offsets of the source's partition (not of the activity topic's)."""
        self.topic = topic
        self.partition = partition
        self.expected = expected
        self.found = found
        super().__init__(f"{topic}[{partition}]: sightings of offsets {expected} to {found - 1} are missing")


class CheckpointError(StopError):
    """A checkpoint of a partition's state is damaged or incomplete, or of another version, detectors or layout.

    Operator: after a change of version or of the detectors that are on, nothing: the state is rebuilt from
    ``weir.activity.v1``. Otherwise see whether somebody has deleted records of ``weir.state.v1``.
    """

    def __init__(self, place: str, reason: str) -> None:
        """``place`` is the name of the part of the checkpoint, ``reason`` what about it does not fit."""
        self.place = place
        self.reason = reason
        super().__init__(f"checkpoint, {place}: {reason}")


class FloodError(StopError):
    """More records of a source partition cannot be read than single mistakes explain.

    Operator: the error says what is wrong with one of them; correct the shipper. What has come already
    can only go to the dead letters: raise ``dead_letters.share_max`` to 1 until the worker is past it. To read it after
    all, change the configuration that it does not fit.
    """

    def __init__(
        self, topic: str, partition: int, offset: int, share_max: float, window_records: int, why: str
    ) -> None:
        """``offset`` is that of the first record too many, ``why`` what is wrong with one of them."""
        self.topic = topic
        self.partition = partition
        self.offset = offset
        limit = f"more than {share_max:g} of {window_records} records (dead_letters.share_max)"
        super().__init__(f"{topic}[{partition}]: {limit} cannot be read, up to offset {offset}; one of them: {why}")


class ModelError(StopError):
    """A learned model or a delta of one is damaged, or was written by another version.

    Operator: run the same version of Weir on every worker; see ``weir model show``.
    """
