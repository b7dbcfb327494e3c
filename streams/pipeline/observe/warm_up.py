"""Compile every kernel of observe before records wait for it."""

from datetime import date
from typing import Final

import msgspec

from streams.pipeline.batch import Batch
from streams.pipeline.observe.observer import Observer
from streams.pipeline.observe.origin import Origin
from streams.settings import Bot, Group, InputSettings
from streams.surfaces.setting import DEFAULT_SURFACES

_RECORD = {
    "@timestamp": "2026-11-24T09:00:00.000Z",
    "http.request.method": "GET",
    "url.path": "/people/%37",
    "client.address": "203.0.113.9",
    "user.id": "u",
    "session.id": "s",
    "client.as.number": 64500,
    "tls.client.ja4": "t13d1516h2_8daaf6152771_02713d6af862",
    "weir.account.tier": "free",
}
_NESTED: Final = (
    b'{"@timestamp":"2026-11-24T09:00:00.000Z","http":{"request":{"method":"GET"}},"url":{"path":"/people/7"},'
    b'"user":{"id":"u"},"labels":["a"]}'
)
_LINE: Final = b'203.0.113.9 - u [24/Nov/2026:09:00:00 +0000] "GET /people/7 HTTP/1.1" 200 12 "-" "-"'
_BOT: Final = Bot(
    name="bot",
    ranges=("192.0.2.0/24",),
    listed=date(2026, 11, 20),
    owner="nobody",
    reason="compiling",
    expires=date(2027, 1, 31),
)
_GROUP: Final = Group(name="group", of=("net", "asn", "agent"))


def warm_up() -> None:
    """Observe tiny batches that take every path: some 15 s where nothing is compiled yet, else a fraction of one."""
    records = [_RECORD, _RECORD | {"client.address": "2001:db8::1", "weir.targets": ["a"]}]
    values = [msgspec.json.encode(record) for record in records]
    observer = Observer(InputSettings(), DEFAULT_SURFACES, 1, [_BOT], [_GROUP], lambda some: [Origin()] * len(some))
    for some in (values, [_NESTED], [_LINE]):
        observer.observe(Batch("", 0, 0, len(some), some))
