"""Files of comma-separated values with a header, as published logs come: each row as a canonical record.

A header is one where a column for the time and one for the path stand, by their canonical names or by the ones below.
Only whole files have headers, so this is for replays: a record of a topic says all of itself.
"""

import csv
from collections.abc import Sequence
from typing import Final

import msgspec

from schemas.request import RequestEvent
from streams.inputs.text import filled, is_name, line_of, target_of

_NAMES: Final = {item.encode_name: item.encode_name for item in msgspec.structs.fields(RequestEvent)} | {
    "ts": "@timestamp",
    "time": "@timestamp",
    "timestamp": "@timestamp",
    "ip": "client.address",
    "host": "client.address",
    "user": "user.id",
    "session": "session.id",
    "ua": "user_agent.original",
    "user_agent": "user_agent.original",
    "method": "http.request.method",
    "path": "url.path",
    "url": "url.path",
    "query": "url.query",
    "status": "http.response.status_code",
    "referer": "http.request.header.referer",
}
"""Canonical name by that of a column."""
_LISTS: Final = frozenset({"weir.targets"})


class Table:
    """Rows under one header."""

    def __init__(self, columns: Sequence[str | None]) -> None:
        """Columns by their canonical names; None for one that an event does not have."""
        self._columns: Final = columns

    def record(self, line: bytes) -> bytes:
        """The canonical record of a row, without what is empty; the line as it is where it is no row of the table."""
        try:
            [cells] = csv.reader([line_of(line)], strict=True)
        except (csv.Error, ValueError):
            return line
        if len(cells) != len(self._columns):
            return line
        keys = {name: cell for name, cell in zip(self._columns, cells, strict=True) if name and filled(cell)}
        if "url.path" in keys:
            path, query, _ = target_of(keys["url.path"])
            keys |= {"url.path": path} if query is None else {"url.path": path, "url.query": query}
        if is_name(keys.get("client.address", "0")):
            # As in lines of servers that look names up.
            keys.setdefault("session.id", keys["client.address"])
            del keys["client.address"]
        return msgspec.json.encode(keys)


def table_of(header: bytes) -> Table | None:
    """The table whose header this line is; None where it is none."""
    if b"," not in header or header[:1] in (b"{", b"["):
        return None
    columns = [_NAMES.get(cell.strip().strip('"').lower()) for cell in line_of(header).rstrip("\r\n").split(",")]
    columns = [None if name in _LISTS else name for name in columns]
    return Table(columns) if {"@timestamp", "url.path"} <= set(columns) else None
