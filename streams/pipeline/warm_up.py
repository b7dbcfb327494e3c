"""Compiles what runs on the hot path before records wait for it."""

import msgspec

from streams import config
from streams.pipeline.batch import Batch
from streams.pipeline.observe.warm_up import warm_up as warm_up_observe
from streams.pipeline.pipeline import Pipeline
from streams.settings import Settings


def warm_up(settings: Settings) -> None:
    """Take a few views through the whole pipeline: up to a minute where nothing is compiled yet, else a moment."""
    warm_up_observe()
    pipeline = Pipeline(settings, config.detectors(settings), config.revision(settings))
    record = {
        "http.request.method": "GET",
        "client.address": "203.0.113.9",
        "tls.client.ja4": "t13d1516h2_8daaf6152771",
    }
    values = [
        msgspec.json.encode(
            record | {"@timestamp": 1.8e9 + n, "url.path": f"/people/{n % 40}", "weir.target.id": f"{n}"}
        )
        for n in range(60)
    ]
    pipeline.feed(Batch("", 0, 0, len(values), values), _epoch)
    pipeline.idle("", 0, len(values))
    pipeline.advance(_epoch)


def _epoch() -> int:
    return 0
