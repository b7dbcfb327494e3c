"""Compiles what runs on the hot path before records wait for it."""

from collections.abc import Callable, Iterator
from typing import Final

import msgspec
from msgspec.structs import replace

from streams import config
from streams.pipeline.batch import Batch
from streams.pipeline.checkpoint.snapshot import encode, restore, take
from streams.pipeline.observe.warm_up import warm_up as warm_up_observe
from streams.pipeline.pipeline import Pipeline
from streams.settings import Settings

ACTORS_MAX: Final = 16
"""Of a tiny pipeline, so that some actors are put to sleep and come back."""
VIEWS: Final = 60
FROM_S: Final = 1_800_000_000


def warm_up(settings: Settings) -> None:
    """Take a few views through a pipeline's whole life: up to a minute where nothing is compiled yet, else a moment.

    They make actors, put some to sleep, end epochs, are learned from, are kept as checkpoints and restored.
    """
    warm_up_observe()
    tiny = replace(
        settings,
        memory=replace(settings.memory, actors_max=ACTORS_MAX),
        model=replace(settings.model, learning_s=0),
    )
    pipeline = _pipeline(tiny)
    line = 0
    blobs: dict[str, bytes] = {}
    for hour in range(4):
        line = _feed(pipeline, line, FROM_S + hour * settings.model.epoch_s)
        # The first is whole, the second what has changed and a share of the rest; a watch lends, a worker copies.
        snapshot = take(pipeline.assessors[0], everything=hour % 2 == 0, lent=hour >= 2)
        blobs |= encode(snapshot)
    restored = _pipeline(tiny)
    restore(restored.assessors[0], {name: blobs[name] for name in snapshot.names})
    _feed(restored, line, FROM_S + 4 * settings.model.epoch_s)


def _pipeline(settings: Settings) -> Pipeline:
    return Pipeline(settings, config.detectors(settings), config.revision(settings))


def _feed(pipeline: Pipeline, line: int, at_s: int) -> int:
    """Views from ``at_s`` on as lines from ``line`` on; the line behind them."""
    values = [msgspec.json.encode(one) for one in _views(at_s)]
    pipeline.feed(Batch("", 0, line, line + len(values), values), _epoch)
    pipeline.idle("", 0, line + len(values))
    pipeline.advance(_epoch)
    return line + len(values)


def _views(at_s: int) -> Iterator[dict[str, object]]:
    """Of one visitor without an account in the main, and of some with one at addresses of their own."""
    for n in range(VIEWS):
        person = n % 3 == 0
        yield {
            "@timestamp": float(at_s + n),
            "http.request.method": "GET",
            "client.address": f"203.0.113.{n}" if person else "203.0.113.9",
            "tls.client.ja4": "t13d1516h2_8daaf6152771",
            "url.path": f"/people/{n % 40}",
            "weir.target.id": f"{n}",
        } | ({"user.id": f"u{n}", "session.id": f"s{n}"} if person else {})


_epoch: Final[Callable[[], int]] = int
