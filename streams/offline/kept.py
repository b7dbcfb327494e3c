"""What was observed of files, kept aside, so that it is judged under several settings and observed once.

What observe makes of a request hangs on a few sections of the settings, and most questions are about the others. The
pieces lie in a file without a name, compressed to some 50 bytes an event: it is gone with this process, however that
ends.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import IO, Final

import msgspec
import zstandard

from streams.offline.observing import Piece, observe_all, observer_of
from streams.offline.reading import open_all
from streams.robots import RobotLists
from streams.settings import Settings

Told = Callable[[int, int], None]
"""Told of the bytes read and of all there are."""

ROOM: Final = 0.5
"""Of what is free where temporary files lie: no more of it is taken."""
_SIZE_BYTES: Final = 8
_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(Piece)


def observed_by(settings: Settings) -> bytes:
    """What observe goes by: under settings in which that is the same, requests are observed alike."""
    sections = settings.input, settings.surfaces, settings.bots, settings.groups, settings.enrich
    return msgspec.msgpack.encode(sections, order="deterministic")


@contextmanager
def kept(paths: Sequence[Path], settings: Settings, told: Told | None = None) -> Iterator[Path | None]:
    """Observe files to their end; where the pieces lie for `pieces_of`, here and in processes that begin meanwhile.

    None where there is no room for them, or where no other process could open a file without a name.

    Raises:
        InputError: a file cannot be read.
    """
    with ExitStack() as opened:
        try:
            out = opened.enter_context(tempfile.TemporaryFile())
        except OSError:
            yield None
            return
        name = Path(f"/proc/{os.getpid()}/fd/{out.fileno()}")
        if not name.exists() or not _keep(out, paths, settings, told):
            opened.close()
            yield None
            return
        yield name


def _keep(out: IO[bytes], paths: Sequence[Path], settings: Settings, told: Told | None) -> bool:
    observer = observer_of(msgspec.structs.replace(settings, bots=RobotLists(settings.bots).bots))
    files = open_all(paths)
    total, room = sum(file.size for file in files), ROOM * shutil.disk_usage(tempfile.gettempdir()).free
    pack = zstandard.ZstdCompressor(level=1).compress
    with closing(observe_all(files, observer, 0)) as pieces:
        for piece in pieces:
            packed = pack(_ENCODER.encode(piece))
            room -= _SIZE_BYTES + len(packed)
            if room < 0 or not _written(out, len(packed).to_bytes(_SIZE_BYTES), packed):
                return False
            if told is not None:
                told(piece.bytes_read, total)
    return True


def _written(out: IO[bytes], *parts: bytes) -> bool:
    try:
        out.writelines(parts)
        out.flush()
    except OSError:
        return False
    return True


def pieces_of(path: Path) -> Generator[Piece]:
    """What was kept, in its order."""
    unpack = zstandard.ZstdDecompressor().decompress
    with path.open("rb") as file:
        while size := file.read(_SIZE_BYTES):
            yield _DECODER.decode(unpack(file.read(int.from_bytes(size))))
