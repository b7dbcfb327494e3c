"""What a broker refuses in mid-stream, told as it is told at the start: who may not do what, and with which topic.

That a broker could not do what was asked of it for as long as a worker waits, as with a partition without leader, is
told too. Neither is a bug of Weir's.
"""

from collections.abc import Collection
from contextlib import suppress
from typing import Final

from aiokafka import errors

from schemas.errors import TransportError
from streams.live import access
from streams.settings import Settings

REFUSALS: Final[tuple[type[BaseException], ...]] = (
    errors.TopicAuthorizationFailedError,
    errors.GroupAuthorizationFailedError,
    errors.ClusterAuthorizationFailedError,
)

OUTAGES: Final = (errors.KafkaTimeoutError, errors.RequestTimedOutError, errors.KafkaConnectionError)
"""Beside those that the client itself takes for passing."""


def refused(
    error: BaseException, settings: Settings, stages: Collection[str], *, ends: bool = False
) -> TransportError | None:
    """What the broker has done to a worker of ``stages`` that met ``error``; None where that is something else.

    An outage is told only where it ``ends`` the process anyway: elsewhere it may pass. A refusal names a topic at most
    and no right, so the broker is asked for all rights of the stages, which takes a moment.
    """
    where, refusal = f"kafka {settings.kafka.bootstrap}", _refusal(error)
    if refusal is None:
        outage = ends and isinstance(error, errors.KafkaError) and (error.retriable or isinstance(error, OUTAGES))
        return TransportError(f"{where}: {_said(error)}, for as long as a worker waits") if outage else None
    with suppress(Exception):  # what it refused it may refuse to tell
        try:
            access.require(settings, stages)
        except TransportError as named:
            if "may not" in str(named):
                return named
    return TransportError(f"{where}: {access.principal(settings.kafka)} is refused, {_said(refusal)}")


def _said(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__} {error}".split())


def _refusal(error: BaseException | None) -> BaseException | None:
    """The refusal that ``error`` is or came of."""
    seen = set[int]()
    while error is not None and id(error) not in seen:
        if isinstance(error, REFUSALS):
            return error
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return None
