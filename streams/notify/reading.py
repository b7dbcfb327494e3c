"""Records as alerts and entries of the audit, as far as they are for one receiver."""

import logging
from collections.abc import Iterable, Iterator

from schemas.alert import ALERT_CODEC, Alert, AlertMode
from schemas.audit import AUDIT_CODEC, Audit
from schemas.errors import RecordError
from streams.notify.setting import Receiver
from streams.notify.source import Read
from streams.notify.told import UNREADABLE, Told

log = logging.getLogger(__name__)


def decoded(reads: Iterable[Read], alerts: str, told: Told) -> Iterator[tuple[Read, Alert | Audit]]:
    """What was read, decoded: alerts from the topic called ``alerts``, audit from any other.

    What is neither is counted and said in the log, and passed over: it would be no better the next time.
    """
    for read in reads:
        try:
            codec = ALERT_CODEC if read.topic == alerts else AUDIT_CODEC
            yield read, codec.decode(read.value or b"")
        except RecordError as error:
            told.counts[UNREADABLE] += 1
            log.warning("%s: %s passed over, it cannot be read: %s", told.receiver, read.place, error)


def wanted(record: Alert | Audit, receiver: Receiver) -> bool:
    """Whether the receiver is told of it; of the audit always, though not every entry makes an alert."""
    if isinstance(record, Audit):
        return True
    modes = list(AlertMode)
    return record.severity.rank >= receiver.severity_min.rank and modes.index(record.mode) >= modes.index(
        receiver.mode_min
    )
