"""What a worker asks of the brokers before it begins: asked again for a while where a connection breaks meanwhile.

Connections break whenever a broker restarts, or a firewall between forgets them. A client that runs tries again by
itself; whoever asks at a start hears of it. To end with the status of a wrong setting would be wrong: nothing is.
"""

import logging
from collections.abc import Callable
from time import sleep
from typing import Final, TypeVar

from aiokafka.errors import KafkaConnectionError as Broken
from kafka.errors import KafkaConnectionError, NodeNotReadyError

from schemas.errors import TransportError

PAUSES_S: Final = (0.5, 1.0, 2.0, 4.0)
"""Before each further try."""
BROKEN: Final = (KafkaConnectionError, NodeNotReadyError, Broken, ConnectionError)
"""A connection that was there broke, or one of several brokers is away. No answer from any is another error."""

T = TypeVar("T")

log = logging.getLogger(__name__)


def asked(ask: Callable[[], T]) -> T:
    """What ``ask`` gives, which is called again where a connection broke.

    Raises:
        TransportError: the broker refuses, or gives no answer at all, each at once; or connections break every time.
    """
    for pause_s in PAUSES_S:
        try:
            return ask()
        except TransportError as error:
            if not isinstance(error.__cause__, BROKEN):
                raise
            log.warning("%s; asking again in %g s", error, pause_s)
            sleep(pause_s)
    return ask()
