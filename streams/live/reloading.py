"""Takes a changed configuration file into a running worker: whole, or not at all.

Asked for by SIGHUP, by ``POST /-/reload``, or by the file itself, which is looked at every few seconds: Kubernetes
swaps the directory that it lies in, editors write it in place. What is hot in it is published, so that it comes into
force at one point of the stream in every worker; what is not is told to need a restart. A file that is wrong changes
nothing.
"""

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from schemas.audit import Audit
from schemas.config_revision import PublishedConfig
from schemas.errors import ConfigError
from streams import config
from streams.clock import Clock
from streams.config_file import Loaded, digest_of
from streams.live.auditing import worker_name
from streams.live.publications import config_entry
from streams.live.revising import Revising
from streams.live.sending import Outgoing
from streams.outputs.cloudevents import audit_record, config_record
from streams.publication import named, published
from streams.section import Changed, changed, same_hot
from streams.settings import Settings

LOOK_S: Final = 0.5
"""How often is looked whether somebody has asked."""
FILE_LOOKS: Final = 4
"""The file is looked at in one look of so many, and taken when two have found the same: an editor may be half way."""
AFTER_US: Final = 10_000_000
"""From its publication on to where it comes into force: enough for every worker to hear of it."""

Send = Callable[[Sequence[Outgoing]], Awaitable[None]]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What became of one reload."""

    outcome: Literal["unchanged", "published", "restart", "refused"]
    """``published``: soon in force in every worker; ``restart``: nothing of it could be taken without one; ``refused``:
    it is wrong, and the old one goes on."""
    detail: str
    """One line for a person: revision and keys, or file, line and reason."""

    @property
    def refused(self) -> bool:
        """Whether the file is wrong."""
        return self.outcome == "refused"


class Told(Protocol):
    """Hears of each reload."""

    def __call__(self, *, refused: bool) -> None:
        """Of one, and whether it was refused."""


def _untold(*, refused: bool) -> None:
    """Nobody is told."""


class Reloading:
    """Reloads one worker's configuration, one reload at a time."""

    def __init__(
        self, begun_with: Loaded | Settings, revising: Revising | None, send: Send, clock: Clock, told: Told = _untold
    ) -> None:
        """``begun_with`` is the file as it was at the start, or the settings of a worker without one.

        Without ``revising``, in a worker that judges nothing, what is hot is left to those that do. ``told`` hears of
        each reload.
        """
        loaded = begun_with if isinstance(begun_with, Loaded) else None
        self._file = None if loaded is None else loaded.file
        self._begun_with = begun_with if isinstance(begun_with, Settings) else begun_with.settings
        self._revising, self._send, self._clock, self._told = revising, send, clock, told
        self._heard = 0 if revising is None else revising.count
        self._digest = self._seen = None if loaded is None else loaded.digest
        self._restart: list[Changed] = []
        self._turn = asyncio.Lock()
        self._asked = False
        self._looks = 0

    def ask(self) -> None:
        """Have the file read at the next look; for a handler of signals."""
        self._asked = True

    async def look(self) -> None:
        """See whether somebody has asked for a reload, and now and then whether the file has changed."""
        if self._revising is not None:
            self._revising.take_in()
        self._looks += 1
        asked, self._asked = self._asked, False
        if asked or (self._looks % FILE_LOOKS == 0 and await self.is_new()):
            await self.reload()

    async def is_new(self) -> bool:
        """One look at the file: whether it has changed since it was read last, and stands still."""
        if self._file is None:
            return False
        before, self._seen = self._seen, await asyncio.to_thread(self._file.digest)
        return self._seen is not None and self._seen == before and self._seen != self._digest

    async def reload(self) -> Reloaded:
        """Read the configuration anew and let it take effect; a wrong one is told, never raised."""
        async with self._turn:
            found = await asyncio.to_thread(self._read)
            done = await (self._take(found) if isinstance(found, Settings) else self._refuse(found))
            log.log(logging.ERROR if done.refused else logging.INFO, "configuration %s: %s", done.outcome, done.detail)
            self._told(refused=done.refused)
            return done

    def _read(self) -> Settings | str:
        """What the file says, or what is wrong with it."""
        if self._file is None:
            return "the worker was started without --config"
        if not self._file.path.is_file():
            return f"{self._file.path}: there is no such file"
        try:
            content = self._file.content()
            self._digest = self._seen = digest_of(content)
            # Empty is what a full disk or half a write leaves; whoever wants the defaults can write a comment.
            return self._file.settings(content) if content.strip() else f"{self._file.path}: the file is empty"
        except ConfigError as error:
            return str(error)
        except Exception as error:
            log.exception("a bug in reading the configuration")
            return f"{type(error).__name__}: {error}"

    async def _refuse(self, why: str) -> Reloaded:
        await self._audit(self._revision, "", f"refused: {why}")
        return Reloaded("refused", f"{why}; the old one goes on")

    @property
    def _revision(self) -> str:
        return config.revision(self._begun_with) if self._revising is None else self._revising.revision

    async def _take(self, settings: Settings) -> Reloaded:
        cold = [one for one in changed(self._begun_with, settings) if one.cold]
        told = f"a restart is needed for {named(cold)}" if cold else ""
        if cold and cold != self._restart:
            log.warning("%s", told)
            await self._audit(self._revision, self._revision, told)
        self._restart = cold
        pushed = None if self._revising is None else await self._publish(settings, self._revising)
        if pushed is None:
            stays = "what is hot is left to workers that assess" if self._revising is None else "nothing new is hot"
            return Reloaded("restart" if cold else "unchanged", told or f"revision {self._revision} stays: {stays}")
        said = f"revision {pushed.revision} in force from {pushed.in_force_from}, {pushed.reason}"
        return Reloaded("published", f"{said}; {told}" if told else said)

    async def _publish(self, settings: Settings, revising: Revising) -> PublishedConfig | None:
        """Publish what is hot in the file, unless it is what came last, or somebody has published it meanwhile."""
        revising.take_in()
        heard, self._heard = revising.since(self._heard), revising.count
        if same_hot(settings, revising.newest) or any(same_hot(settings, one.settings) for one in heard):
            return None
        keys = named(one for one in changed(revising.newest, settings) if not one.cold)
        now_us, reason = self._clock(), f"configuration file: {keys}"
        made = published(settings, worker_name(), reason, now_us, now_us + AFTER_US)
        await self._send([Outgoing(*config_record(made))])
        await self._audit(self._revision, made.revision, reason)
        return made

    async def _audit(self, before: str, after: str, reason: str) -> None:
        subject = after or (str(self._file.path) if self._file is not None else "configuration")
        entry: Audit = config_entry(worker_name(), (subject, before, after, reason), self._revision, self._clock())
        await self._send([Outgoing(*audit_record(entry))])


def at_hangup(reloading: Reloading) -> None:
    """Let SIGHUP ask for a reload, in place of ending the process; in the main thread alone."""
    signal.signal(signal.SIGHUP, lambda *_: reloading.ask())
