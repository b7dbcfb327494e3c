"""Carries out in nginx or HAProxy what CrowdSec's custom bouncer is told: by a file for nginx, by a map of HAProxy.

The bouncer starts this program once (``feed_via_stdin: true``) and writes a decision a line. Python 3.9 and nothing
else is needed, so the file can be copied to where the proxy runs. deploy/enforcers/README.md has both recipes.

What was blocked is let go when its time has come, whether the bouncer says so or not, and all of it when the bouncer
ends or this program is told to: nothing may stay blocked because something else has broken.
"""

from __future__ import annotations

import argparse
import ipaddress
import json
import os
import re
import selectors
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

SPAN = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?")
TYPES = ("ban", "captcha", "throttle")
PARCEL = 100
"""Commands to HAProxy at a time: it reads some 16 KB."""
WIDEST_BITS = {4: 8, 6: 16}
"""Prefix of the widest network that is blocked: a wider one is a mistake of somebody's."""
ANSWER_S = 5.0
RELOAD_S = 30.0
CHUNK_BYTES = 1 << 16

Blocked = Mapping[str, str]
"""What is to be done, by address or network."""


class Held(NamedTuple):
    """What stands on an address."""

    kind: str
    until_s: float
    """By the monotonic clock."""


class Proxy(Protocol):
    """Where it is carried out."""

    def show(self, blocked: Blocked) -> None:
        """Let exactly this be blocked.

        Raises:
            OSError: it cannot be; to try again is safe.
        """


class Nginx:
    """A file of lines ``203.0.113.7 "ban";`` for nginx's ``geo``, and a reload."""

    def __init__(self, file: Path, reload: str) -> None:
        """Write ``file``, and run the command ``reload`` after each change."""
        self._file, self._reload = file, shlex.split(reload)

    def show(self, blocked: Blocked) -> None:
        """See `Proxy`."""
        replace(self._file, (f'{value} "{kind}";' for value, kind in sorted(blocked.items())))
        done = subprocess.run(self._reload, capture_output=True, text=True, check=False, timeout=RELOAD_S)
        if done.returncode:
            raise OSError(f"{self._reload[0]}: {done.stderr.strip() or done.returncode}")


class Haproxy:
    """A map of HAProxy: over its runtime socket at once, and in its file, for when HAProxy starts anew."""

    def __init__(self, file: Path, address: str) -> None:
        """``address`` is a path, or host:port."""
        self._file, self._address = file, address
        self._shown: dict[str, str] | None = None
        """What HAProxy is known to have; None until it was told all."""

    def show(self, blocked: Blocked) -> None:
        """See `Proxy`."""
        replace(self._file, (f"{value} {kind}" for value, kind in sorted(blocked.items())))
        before, self._shown = self._shown, None
        if before is None:
            self._anew(blocked)
        else:
            commands = list(self._changes(before, blocked))
            for start in range(0, len(commands), PARCEL):
                self._ask("; ".join(commands[start : start + PARCEL]))
        self._shown = dict(blocked)

    def _changes(self, before: Blocked, after: Blocked) -> Iterator[str]:
        yield from (f"del map {self._file} {value}" for value in before if value not in after)
        for value, kind in after.items():
            if before.get(value) != kind:
                yield f"{'set' if value in before else 'add'} map {self._file} {value} {kind}"

    def _anew(self, blocked: Blocked) -> None:
        """All of it in one step: HAProxy takes up the new version when it is whole."""
        answer = self._ask(f"prepare map {self._file}", quiet=False)
        version = answer.rpartition(":")[2].strip()
        if not version.isdigit():
            raise OSError(f"HAProxy: {answer}")
        lines = [f"{value} {kind}" for value, kind in blocked.items()]
        for start in range(0, len(lines), PARCEL):
            rows = "\n".join(lines[start : start + PARCEL])
            self._ask(f"add map @{version} {self._file} <<\n{rows}\n")
        self._ask(f"commit map @{version} {self._file}")

    def _ask(self, command: str, *, quiet: bool = True) -> str:
        """HAProxy's answer; empty when all is well, but for those that are not ``quiet``."""
        with self._connect() as connection:
            connection.sendall(command.encode() + b"\n")
            connection.shutdown(socket.SHUT_WR)
            parts = []
            while part := connection.recv(CHUNK_BYTES):
                parts.append(part)
        answer = b"".join(parts).decode(errors="replace").strip()
        if quiet and answer:
            raise OSError(f"HAProxy: {answer}")
        return answer

    def _connect(self) -> socket.socket:
        if "/" in self._address:
            made = socket.socket(socket.AF_UNIX)
            made.settimeout(ANSWER_S)
            made.connect(self._address)
            return made
        host, _, port = self._address.rpartition(":")
        return socket.create_connection((host, int(port)), ANSWER_S)


def replace(file: Path, lines: Iterable[str]) -> None:
    """Write a file anew, so that whoever reads it finds all of it or what it was before."""
    fresh = file.with_name(f"{file.name}.new")
    fresh.write_text("".join(f"{line}\n" for line in lines), encoding="ascii")
    fresh.replace(file)


class Decisions:
    """What the bouncer has said, and what of it holds."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._held: dict[str, Held] = {}

    def take(self, line: bytes, now_s: float) -> None:
        """Heed a line; what names no address or network, or nothing that is done to one, is none of ours."""
        try:
            said = json.loads(line)
            value = spelled(str(said["value"]))
            action, kind, seconds = said["action"], said["type"], seconds_of(str(said["duration"]))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            complain(f"passed over: {error}")
            return
        if action == "del":
            self._held.pop(value, None)
        elif kind in TYPES and seconds > 0:
            self._held[value] = Held(kind, now_s + seconds)

    def blocked(self, now_s: float) -> dict[str, str]:
        """What holds."""
        self._held = {value: held for value, held in self._held.items() if now_s < held.until_s}
        return {value: held.kind for value, held in self._held.items()}

    def next_s(self) -> float:
        """When the next of them ends; infinite without any."""
        return min((held.until_s for held in self._held.values()), default=float("inf"))


def spelled(text: str) -> str:
    """An address or network as proxies have it: digits, dots, colons and a slash, nothing else.

    Raises:
        ValueError: it is neither, or wider than anybody means.
    """
    # A zone, fe80::1%eth0, may be any text, and means nothing to a proxy.
    if "%" in text:
        raise ValueError(f"{text!r} has a zone")
    network = ipaddress.ip_network(text, strict=False)
    if network.prefixlen < WIDEST_BITS[network.version]:
        raise ValueError(f"{text} is wider than /{WIDEST_BITS[network.version]}")
    # One address is written without its prefix, as a map's key for both kinds of it.
    return str(network.network_address if network.num_addresses == 1 else network)


def seconds_of(span: str) -> float:
    """A span as Go writes it, ``3h59m58s``; negative ones are 0.

    Raises:
        ValueError: it is none.
    """
    if span.startswith("-"):
        return 0.0
    found = SPAN.fullmatch(span)
    if not span or found is None:
        raise ValueError(f"{span!r} is no span of time")
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + seconds


def complain(text: str) -> None:
    """A line for whoever looks after the proxy."""
    sys.stderr.write(f"{' '.join(text.split())}\n")
    sys.stderr.flush()


def carry_out(proxy: Proxy, every_s: float, feed: int = 0) -> None:
    """Read decisions from ``feed`` until it ends; tell ``proxy`` at most once in ``every_s``, then let all go."""
    try:
        follow(proxy, every_s, feed)
    finally:
        told(proxy, {})


def follow(proxy: Proxy, every_s: float, feed: int) -> None:
    """Likewise, but leave at the end what stands."""
    decisions, rest = Decisions(), b""
    shown: dict[str, str] | None = None
    free_s = time.monotonic() + every_s
    with selectors.DefaultSelector() as selector:
        selector.register(feed, selectors.EVENT_READ)
        while True:
            if selector.select(max(0.0, min(free_s, decisions.next_s()) - time.monotonic())):
                part = os.read(feed, CHUNK_BYTES)
                if not part:
                    return
                *lines, rest = (rest + part).split(b"\n")
                for line in lines:
                    decisions.take(line, time.monotonic())
            now_s = time.monotonic()
            if now_s < free_s:
                continue
            blocked = decisions.blocked(now_s)
            if blocked != shown:
                shown = blocked if told(proxy, blocked) else None
            free_s = now_s + every_s


def end(*_: object) -> None:
    """Leave by way of what is to be done at the end; a second signal does not disturb it."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.exit(0)


def told(proxy: Proxy, blocked: Blocked) -> bool:
    """Whether the proxy has taken it."""
    try:
        proxy.show(blocked)
    except (OSError, subprocess.SubprocessError) as error:
        complain(f"not carried out, trying again: {error}")
        return False
    return True


def main() -> None:
    """The command."""
    # A supervisor ends the bouncer and this program at once: let all go then, too.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, end)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("proxy", choices=("nginx", "haproxy"))
    parser.add_argument("--file", type=Path, required=True, help="what nginx includes, or HAProxy's map")
    parser.add_argument("--reload", default="nginx -s reload", help="command that has nginx read it (%(default)s)")
    parser.add_argument("--socket", default="/run/haproxy/admin.sock", help="HAProxy's, of level admin (%(default)s)")
    parser.add_argument("--every", type=float, default=1.0, help="seconds between two changes at least (%(default)s)")
    given = parser.parse_args()
    nginx = given.proxy == "nginx"
    carry_out(Nginx(given.file, given.reload) if nginx else Haproxy(given.file, given.socket), given.every)


if __name__ == "__main__":
    main()
