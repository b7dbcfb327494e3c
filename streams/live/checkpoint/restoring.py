"""Chooses the checkpoint that a new owner goes on from."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from schemas.errors import CheckpointError
from streams.live.checkpoint.manifest import Manifest
from streams.live.checkpoint.reading import Found, StateReader

TRIES: Final = 3
"""So many checkpoints are tried, best first: what is wrong with more than that is wrong with all."""

Restore = Callable[[Mapping[str, bytes]], Awaitable[None]]

log = logging.getLogger(__name__)


async def restored_from(
    reader: StateReader, partition: int, found: Found, first: int, restore: Restore
) -> Manifest | None:
    """Restore from the best checkpoint that serves, and say which; None when none does, with reasons in the log.

    ``first`` is the oldest offset of activity that is left. ``restore`` raises `CheckpointError` where blobs do not
    fit, and is called anew with others then.
    """
    for manifest in found.manifests[:TRIES]:
        try:
            _require_connected(manifest, first)
            await restore(await reader.blobs(partition, manifest, found))
        except CheckpointError as error:
            where = (partition, manifest.upto, manifest.term, manifest.sequence)
            log.warning("partition %d: checkpoint at offset %d (term %d, number %d) is of no use: %s", *where, error)
        else:
            return manifest
    return None


def _require_connected(manifest: Manifest, first: int) -> None:
    if manifest.upto < first:
        raise CheckpointError("manifest", f"activity of offsets {manifest.upto} to {first - 1} was deleted")
