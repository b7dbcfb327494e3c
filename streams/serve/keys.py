"""Who may ask: keys of enforcers, in a file that holds only their digests.

A key is 256 random bits, so that a plain digest is enough: there is nothing to guess, and no salt to add. It is shown
once, when it is made.
"""

import fcntl
import json
import logging
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Final

import msgspec

from schemas.codec import DECODE_ERRORS
from schemas.errors import ConfigError, UsageError
from schemas.event_time import Time, format_time
from streams.pipeline.enforce.target import IP, RANGE
from streams.pipeline.enforce.word import BAN, CAPTCHA

PREFIX: Final = "weir_"
"""So that whoever looks for secrets in a repository finds one."""
KEY_BYTES: Final = 32
PRESENTED_MAX: Final = 200
"""Characters; a longer key is none of ours, and need not be digested."""
PLACE: Final = "serve.keys_file"
TOLD_EACH_S: Final = 60.0
"""So that a stranger fills no disk."""

log = logging.getLogger(__name__)

Name = Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=64)]


class Bouncer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One enforcer, or several that share a key and come from addresses of their own."""

    name: Name
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    """Of the key."""
    added: Time
    scopes: tuple[str, ...] = (IP, RANGE)
    """The most that it may see, as decisions spell them."""
    types: tuple[str, ...] = (BAN, CAPTCHA)
    """Likewise; some take a type that they do not know for a ban."""


class KeysFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What stands in the file."""

    bouncers: tuple[Bouncer, ...] = ()


def digest(key: str) -> str:
    """What stands in the file for a key."""
    return sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def read(path: Path) -> KeysFile:
    """All that stands in a file.

    Raises:
        ConfigError: it cannot be read, or is no file of keys.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=KeysFile)
    except FileNotFoundError as error:
        raise ConfigError(PLACE, None, f"{path}: no such file; `weir bouncers add` makes it") from error
    except OSError as error:
        raise ConfigError(PLACE, None, f"{path}: {error.strerror or type(error).__name__}") from error
    except DECODE_ERRORS as error:
        raise ConfigError(PLACE, None, f"{path}: {error}") from error


def add(path: Path, name: str, scopes: tuple[str, ...], types: tuple[str, ...], at_us: int) -> str:
    """Make a key and keep its digest; returns the key, which nothing else knows.

    Raises:
        UsageError: there is a bouncer of that name, or it is no name.
        ConfigError: see `read`; or the file cannot be written.
    """
    key = PREFIX + secrets.token_urlsafe(KEY_BYTES)
    entry = {"name": name, "sha256": digest(key), "added": format_time(at_us), "scopes": scopes, "types": types}
    try:
        bouncer = msgspec.convert(entry, Bouncer)
    except msgspec.ValidationError as error:
        raise UsageError(f"{name!r} is no name for a bouncer: {error}") from error
    with _changed(path) as (found, write):
        if any(each.name == name for each in found.bouncers):
            raise UsageError(f"there is a bouncer {name} already; remove it to give it a new key")
        write(KeysFile((*found.bouncers, bouncer)))
    return key


def remove(path: Path, name: str) -> None:
    """Forget a key; who serves takes notice within a second.

    Raises:
        UsageError: there is no bouncer of that name.
        ConfigError: see `read`; or the file cannot be written.
    """
    with _changed(path) as (found, write):
        rest = tuple(each for each in found.bouncers if each.name != name)
        if len(rest) == len(found.bouncers):
            raise UsageError(f"there is no bouncer {name}; `weir bouncers list` names them")
        write(KeysFile(rest))


@contextmanager
def _changed(path: Path) -> Iterator[tuple[KeysFile, Callable[[KeysFile], None]]]:
    """The file and a way to replace it whole, while nobody else does."""
    try:
        with path.with_name(path.name + ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            found = read(path) if path.exists() else KeysFile()
            yield found, lambda new: _replace(path, new)
    except OSError as error:
        raise ConfigError(PLACE, None, f"{path}: {error.strerror or type(error).__name__}") from error


def _replace(path: Path, new: KeysFile) -> None:
    # Whoever reads it meets the old file or the new one, never half of one.
    text = json.dumps(msgspec.to_builtins(new), indent=2) + "\n"
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        with suppress(FileNotFoundError):
            beside.unlink()


@dataclass(slots=True)
class Keys:
    """The file as it was last found right; a change of it is seen at the next look."""

    path: Path
    problem: str = ""
    """Why the file as it stands now is not in force; empty when it is."""
    _seen: tuple[int, int, int] = (0, 0, 0)
    _by_digest: dict[str, Bouncer] | None = None

    def look(self) -> None:
        """Read the file again if it has changed.

        Raises:
            ConfigError: there is no state of it yet that is right.
        """
        try:
            stat = self.path.stat()
            seen = stat.st_mtime_ns, stat.st_ino, stat.st_size
        except OSError:
            seen = (0, 0, 0)
        if self._by_digest is not None and seen == self._seen:
            return
        try:
            self._by_digest = {each.sha256: each for each in read(self.path).bouncers}
            self.problem = ""
        except ConfigError as error:
            self.problem = str(error)
            if self._by_digest is None:
                raise
        self._seen = seen

    def whose(self, key: str) -> Bouncer | None:
        """The enforcer with this key; None for a wrong one."""
        if not self._by_digest or not 0 < len(key) <= PRESENTED_MAX:
            return None
        # What is compared is a digest, from which nobody can go on to the key, however long it took.
        return self._by_digest.get(digest(key))


class Refused:
    """Tells the log of what strangers ask: the first at once, then how many they were, once a minute."""

    def __init__(self, what: str) -> None:
        """There were none; ``what`` names them."""
        self._what = what
        self._count = 0
        self._told_s: float | None = None

    def note(self, address: str, now_s: float) -> None:
        """One more at ``now_s`` of a clock that never goes back; its address is told at debug only."""
        log.debug("refused %s: %s", address, self._what)
        self._count += 1
        if self._told_s is None or now_s - self._told_s >= TOLD_EACH_S:
            log.warning("refused %d %s (their addresses: debug)", self._count, self._what)
            self._count, self._told_s = 0, now_s
