"""Why a broker does not let Weir in: one connection, made to hear the reason.

kafka-python tries again until its time is up, whatever the reason, and then says that there was no answer. A wrong
password is no better after eight seconds, and whoever runs Weir should read what is wrong, not that something is.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Final

from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import (
    IllegalSaslStateError,
    KafkaConnectionError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)

from streams.live.connection import for_aiokafka
from streams.settings import KafkaSettings, SecuritySettings

TIMEOUT_S: Final = 4.0
CLOSE_S: Final = 1.0
ALERTS: Final = {"certificate unknown": "it has expired, or is of an authority that the broker does not trust"}
"""What Java means by some of TLS's alerts."""


def refusal(kafka: KafkaSettings, known: Mapping[str, Any] | None = None) -> str | None:
    """What each address has against Weir, in words; None when one lets it in or none can be reached.

    ``known`` are what `for_aiokafka` gave before: the credentials of then are tried, not those of now.

    Raises:
        ConfigError: a file of the credentials is not what it should be.
    """
    arguments = dict(for_aiokafka(kafka) if known is None else known)
    reasons = set[str]()
    # A thread of its own has no event loop yet, whoever calls.
    with ThreadPoolExecutor(1) as thread:
        for address in arguments.pop("bootstrap_servers"):
            host, _, port = address.rpartition(":")
            if not port.isdigit():
                return None
            error = thread.submit(asyncio.run, _try(host.strip("[]"), int(port), arguments)).result()
            reason = None if error is None else _reason(error, host.strip("[]"), int(port), kafka.security, arguments)
            if reason is None:
                return None
            reasons.add(reason)
    return "; ".join(sorted(reasons))


async def _try(host: str, port: int, arguments: dict[str, Any]) -> Exception | None:
    connection = AIOKafkaConnection(host, port, request_timeout_ms=int(TIMEOUT_S * 1000), **arguments)
    try:
        await connection.connect()
    except Exception as error:  # noqa: BLE001 - what it is decides what is said, and an unknown one says nothing
        return error
    finally:
        closed = connection.close()
        if closed is not None:
            await asyncio.wait([closed], timeout=CLOSE_S)
    return None


def _reason(
    error: Exception, host: str, port: int, security: SecuritySettings, arguments: dict[str, Any]
) -> str | None:
    """In words; None for what may pass, such as a broker that is starting."""
    for kind, say in REASONS.items():
        if isinstance(error, kind):
            return say(error, security)
    if security.tls and isinstance(error, KafkaConnectionError | ConnectionResetError):
        return _alert(host, port, arguments["ssl_context"], security)
    return None


def _untrusted(error: Exception, security: SecuritySettings) -> str:
    text = getattr(error, "verify_message", str(error))
    trusted = f"kafka.security.ca_file {security.ca_file}" if security.ca_file else "what the system trusts"
    return f"the broker's certificate does not hold before {trusted}: {text}"


def _no_login(error: Exception, security: SecuritySettings) -> str:
    said = error.args[0] if error.args else error
    return f"user {security.username} was not let in: {said}"


def _no_mechanism(_: Exception, security: SecuritySettings) -> str:
    return f"the broker does not take {security.mechanism} (kafka.security.mechanism)"


def _no_sasl(_: Exception, security: SecuritySettings) -> str:
    return f"this listener asks for no name; {security.protocol} is wrong (kafka.security.protocol)"


def _no_tls(_: Exception, security: SecuritySettings) -> str:
    return f"this listener speaks no TLS; {security.protocol} is wrong (kafka.security.protocol)"


REASONS: Final[dict[type[Exception], Callable[[Exception, SecuritySettings], str]]] = {
    ssl.SSLCertVerificationError: _untrusted,
    ssl.SSLError: _no_tls,
    SaslAuthenticationFailed: _no_login,
    UnsupportedSaslMechanismError: _no_mechanism,
    IllegalSaslStateError: _no_sasl,
}
"""The first that fits."""


def _alert(host: str, port: int, context: ssl.SSLContext, security: SecuritySettings) -> str | None:
    """What the broker says of our certificate: with TLS 1.3 that comes after the handshake, and aiokafka drops it."""
    shown = security.certificate_file
    what = f"the certificate {shown} (kafka.security.certificate_file)" if shown else "a connection without certificate"
    try:
        with (
            socket.create_connection((host, port), TIMEOUT_S) as plain,
            context.wrap_socket(plain, server_hostname=host) as wrapped,
        ):
            wrapped.recv(1)
    except ssl.SSLError as error:
        if "ALERT" not in (error.reason or ""):
            return _no_tls(error, security)
        said = (error.reason or "").partition("ALERT_")[2].replace("_", " ").lower()
        return f"the broker refuses {what}: {ALERTS.get(said, said)}"
    except ConnectionResetError:
        return _no_tls(ConnectionResetError(), security)
    except OSError:
        return None
    return None


def listens(kafka: KafkaSettings) -> bool:
    """Whether somebody takes connections at one of the addresses."""
    for address in kafka.bootstrap.split(","):
        host, _, port = address.rpartition(":")
        with suppress(OSError, ValueError), socket.create_connection((host.strip("[]"), int(port)), 1.0):
            return True
    return False
