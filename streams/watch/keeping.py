"""Keeps on disk what `weir watch` knows, so that a restart goes on where it stopped.

::

    STATE/
      manifest.json        what belongs together: replaced whole, last of all
      parts/               the checkpoint in parts, as on weir.state.v1; each file is written once
      model/               what was learned, an epoch a file, as on weir.model.v1
      alerts.ndjson        decisions, in order
      blocks.ndjson

Who dies between two checkpoints reads the lines since the last one again and decides the same with the same ids.
"""

import fcntl
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Final

import msgspec

from schemas.codec import DECODE_ERRORS
from schemas.errors import CheckpointError, RecordError, UsageError
from schemas.model import MODEL_CODEC, ModelDelta
from streams.watch.following import Place

VERSION: Final = 1
MANIFEST: Final = "manifest.json"
ASIDE: Final = ".bad"
"""Ends the name of a file in ``model/`` that cannot be used."""
MODEL_DAYS: Final = 60
"""What was learned longer ago is forgotten, as on the topic."""


class Manifest(msgspec.Struct, frozen=True):
    """What one checkpoint consists of."""

    version: int
    sequence: int
    parts: dict[str, str]
    """File in ``parts/`` by name of the part."""
    places: list[Place]
    said: int = 0
    """Bytes of what operators have said whose blocks stand among the watch's own."""


class Kept:
    """The directory; one process at a time has it."""

    def __init__(self, directory: Path) -> None:
        """Take hold of it, and make it where there is none.

        Raises:
            UsageError: it cannot be made or written, or another process has it.
        """
        self.directory = directory
        try:
            for each in (directory, self._parts, self._model):
                each.mkdir(parents=True, exist_ok=True)
            self._lock: IO[str] = (directory / "lock").open("w")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._lock.close()
            raise UsageError(f"{directory}: another weir watch keeps its state there") from error
        except OSError as error:
            raise UsageError(f"{directory}: {error.strerror or error}") from error
        self._files: dict[str, str] = {}

    @property
    def _parts(self) -> Path:
        return self.directory / "parts"

    @property
    def _model(self) -> Path:
        return self.directory / "model"

    def manifest(self) -> Manifest | None:
        """The last checkpoint; None before the first.

        Raises:
            CheckpointError: it cannot be read, or another version has written it.
        """
        try:
            found = msgspec.json.decode((self.directory / MANIFEST).read_bytes(), type=Manifest)
        except FileNotFoundError:
            return None
        except (OSError, *DECODE_ERRORS) as error:
            raise CheckpointError(MANIFEST, str(error)) from error
        if found.version != VERSION:
            raise CheckpointError(MANIFEST, f"version {found.version}, this Weir reads version {VERSION}")
        self._files = dict(found.parts)
        return found

    def parts(self, manifest: Manifest) -> dict[str, bytes]:
        """What `snapshot.restore` takes; raises `CheckpointError` where a file is missing."""
        try:
            return {name: (self._parts / file).read_bytes() for name, file in manifest.parts.items()}
        except OSError as error:
            raise CheckpointError(str(error.filename), error.strerror or "cannot be read") from error

    def deltas(self) -> Iterator[ModelDelta]:
        """What was learned, in order of epochs; what is too old is removed.

        Raises:
            CheckpointError: a file is damaged or of another version. All such are put aside, so that the next start
                has the others.
        """
        found, bad = [], []
        for file in list(self._model.iterdir()):
            if file.suffix == ".part":
                try:
                    found.append((self._delta(file), file))
                except CheckpointError as error:
                    bad.append(error)
                    file.replace(file.with_suffix(ASIDE))
            elif file.suffix != ASIDE:
                file.unlink()  # half of one, left behind by a crash
        if bad:
            raise bad[0]
        oldest = max((delta.end_s for delta, _ in found), default=0) - MODEL_DAYS * 86_400
        for delta, file in sorted(found, key=lambda one: (one[0].end_s, one[0].part)):
            if delta.end_s < oldest:
                file.unlink()
            else:
                yield delta

    @staticmethod
    def _delta(file: Path) -> ModelDelta:
        try:
            delta = MODEL_CODEC.decode(file.read_bytes())
        except RecordError as error:
            raise CheckpointError(str(file), str(error)) from error
        if (why := delta.unreadable) is not None:
            raise CheckpointError(str(file), why)
        return delta

    def learn(self, delta: ModelDelta) -> None:
        """Keep what was learned; the same again replaces itself."""
        name = delta.key.replace("/", "-") + ".part"
        _write(self._model / name, MODEL_CODEC.encode(delta))

    def keep(
        self, sequence: int, parts: Iterable[tuple[str, bytes]], names: list[str], places: list[Place], said: int = 0
    ) -> int:
        """Write a checkpoint: its new ``parts``, one after the other, and ``names`` of all; returns bytes written."""
        files = {name: self._files[name] for name in names if name in self._files}
        size = 0
        try:
            for name, value in parts:
                files[name] = f"{name.replace('/', '-')}.{sequence}"
                _write(self._parts / files[name], value)
                size += len(value)
            _sync(self._parts)
        except OSError:
            self._clear()  # a disk that is full is not to stay full of it
            raise
        manifest = Manifest(VERSION, sequence, files, places, said)
        _write(self.directory / MANIFEST, msgspec.json.encode(manifest))
        _sync(self.directory)
        self._files = files
        self._clear()
        return size

    def _clear(self) -> None:
        """Remove parts that the latest checkpoint does not consist of."""
        needed = set(self._files.values())
        for file in self._parts.iterdir():
            if file.name not in needed:
                file.unlink()

    def close(self) -> None:
        """Let go of the directory."""
        self._lock.close()


def _write(path: Path, value: bytes) -> None:
    # Whoever reads it after a crash meets all of it or nothing.
    beside = path.with_name(path.name + ".new")
    with beside.open("wb") as file:
        file.write(value)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def _sync(directory: Path) -> None:
    file = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
