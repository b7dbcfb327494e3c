"""Posts to a receiver over HTTP: secrets, certificates, time-outs, and what an answer means for the message.

Secrets are read from their files for every message, so that a changed one serves the next, and stand in no log: nor
does a URL, which may be a secret itself.
"""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

import aiohttp

from schemas.errors import ConfigError
from streams.notify.setting import Receiver, refusal

REFUSES_MESSAGE: Final = frozenset({400, 409, 413, 422, 431})
"""Statuses that say that this message is wrong, and would be for ever. Any other, 401 and 404 too, is about the
receiver as a whole, which somebody will put right: the message is sent again."""
AFTER_MAX_S: Final = 300.0
"""The longest that a receiver may ask for patience."""
ANSWER_BYTES: Final = 65_536


class Fate(Enum):
    """What became of a message."""

    TAKEN = "taken"
    REFUSED = "refused"
    FAILED = "failed"
    """It is to be sent again."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of it, and why."""

    fate: Fate
    why: str = ""
    after_s: float = 0.0
    """How long the receiver asks to be left alone."""


class Poster:
    """One URL of one receiver."""

    def __init__(self, receiver: Receiver, number: int, path: str = "") -> None:
        """The URL of that ``number``, from 0, with ``path`` behind it.

        Raises:
            ConfigError: a file cannot be read, or is not what it should be.
        """
        self._receiver, self._number, self._path = receiver, number, path
        self._tls = trusted(receiver)
        self._session: aiohttp.ClientSession | None = None
        self._url(), self.secret(), self._authorization()

    async def post(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send once; nothing that a receiver does is raised."""
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=self._receiver.timeout_s)
            self._session = aiohttp.ClientSession(timeout=timeout)
        try:
            sent = {"Content-Type": "application/json", **headers, **self._authorization()}
            async with self._session.post(
                self._url(), data=body, headers=sent, ssl=self._tls, allow_redirects=False
            ) as got:
                await got.content.read(ANSWER_BYTES)
                return meaning(got.status, got.headers.get("Retry-After", ""))
        except TimeoutError:
            return Answer(Fate.FAILED, f"no answer within {self._receiver.timeout_s:g} s")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Answer(Fate.FAILED, reason(error))
        except ConfigError as error:
            return Answer(Fate.FAILED, str(error))

    async def end(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            # The transport under TLS closes a step of the loop later, and would complain of a loop that has ended.
            await asyncio.sleep(0)

    def _url(self) -> str:
        file = self._receiver.url_file
        found = first_line(self._receiver, "url_file", file) if file else self._receiver.urls[self._number]
        wrong = refusal(found)
        if wrong:
            raise _refused(self._receiver, "url_file", file, wrong)
        return found.rstrip("/") + self._path if self._path else found

    def secret(self) -> str:
        """What signs; empty for nothing.

        Raises:
            ConfigError: the file cannot be read.
        """
        file = self._receiver.secret_file
        return first_line(self._receiver, "secret_file", file) if file else ""

    def _authorization(self) -> dict[str, str]:
        file = self._receiver.authorization_file
        return {"Authorization": first_line(self._receiver, "authorization_file", file)} if file else {}


def meaning(status: int, retry_after: str) -> Answer:
    """What a status says of the message."""
    if 200 <= status < 300:
        return Answer(Fate.TAKEN)
    if status in REFUSES_MESSAGE:
        return Answer(Fate.REFUSED, f"status {status}")
    after_s = min(float(retry_after), AFTER_MAX_S) if retry_after.isascii() and retry_after.isdecimal() else 0.0
    return Answer(Fate.FAILED, f"status {status}", after_s)


def reason(error: Exception) -> str:
    """Why there was no answer, without the URL."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "its certificate is not trusted"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"cannot be reached: {error.os_error.strerror or type(error.os_error).__name__}"
    return type(error).__name__


def trusted(receiver: Receiver) -> ssl.SSLContext:
    """Whom to trust, and what to show.

    Raises:
        ConfigError: a file cannot be read, or does not hold what it should.
    """
    try:
        context = ssl.create_default_context(cafile=receiver.ca_file or None)
    except OSError as error:
        raise _refused(receiver, "ca_file", receiver.ca_file, _why(error)) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if receiver.certificate_file:
        try:
            # Without a function OpenSSL would ask for the password of an encrypted key at the terminal.
            context.load_cert_chain(receiver.certificate_file, receiver.key_file or None, lambda: "")
        except OSError as error:
            raise _refused(receiver, "certificate_file", receiver.certificate_file, _why(error)) from error
    return context


def first_line(receiver: Receiver, key: str, file: str) -> str:
    """What a file of a secret holds.

    Raises:
        ConfigError: it cannot be read, or its first line is empty or no ASCII.
    """
    try:
        line = Path(file).read_text(encoding="ascii").partition("\n")[0].strip()
    except OSError as error:
        raise _refused(receiver, key, file, _why(error)) from error
    except UnicodeDecodeError as error:
        raise _refused(receiver, key, file, "its first line is not ASCII") from error
    if not line:
        raise _refused(receiver, key, file, "its first line is empty")
    return line


def _why(error: OSError) -> str:
    return "no PEM with what it should hold" if isinstance(error, ssl.SSLError) else error.strerror or str(error)


def _refused(receiver: Receiver, key: str, file: str, why: str) -> ConfigError:
    return ConfigError(f"notify.receivers.{receiver.name}.{key}", None, f"{file}: {why}")
