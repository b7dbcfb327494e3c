"""Comma-separated values with a header."""

from pathlib import Path

import pytest

from schemas.request import decode_request
from streams.inputs.table import table_of
from streams.offline.reading import open_all, read_all
from tests.streams.inputs.samples import told

HEADER = b"ts,ip,session,user,ua,method,path,status,is_static"


def test_a_row_is_a_canonical_record() -> None:
    """By the names of its columns, in any case; what is empty or has no place in an event is left out."""
    table = table_of(HEADER.upper())
    assert table is not None
    record = table.record(b'807256800.0,203.0.113.9,,u1,"a ""b"", c",GET,/people/7?x=1,200,1')
    assert told(decode_request(record)) == {
        "time": 807_256_800_000_000,
        "method": "GET",
        "path": "/people/7",
        "query": "x=1",
        "address": "203.0.113.9",
        "user": "u1",
        "user_agent": 'a "b", c',
        "status": 200,
    }


def test_a_client_that_is_told_by_name_stands_for_a_session() -> None:
    """As in the logs of servers that look names up."""
    table = table_of(HEADER)
    assert table is not None
    found = told(decode_request(table.record(b"807256800.0,pppa006.compuserve.com,,,,GET,/x,200,1")))
    assert found is not None
    assert (found["session"], "address" in found) == ("pppa006.compuserve.com", False)


@pytest.mark.parametrize("line", [b"", b"a", b"1,2,3", b'"', b"\xff" * 9, b"\0,\0"])
def test_what_is_no_row_stays_as_it_is(line: bytes) -> None:
    """So that it is a dead letter, with its own bytes."""
    table = table_of(HEADER)
    assert table is not None
    assert table.record(line) == line


@pytest.mark.parametrize(
    "header", [b"", b"{}", b'{"ts":1,"path":2}', b"a,b,c", b"time,address", b"203.0.113.9 - -, path, ts x"]
)
def test_other_first_lines_are_no_headers(header: bytes) -> None:
    """A table has a time and a path."""
    assert table_of(header) is None


def test_a_file_with_a_header(tmp_path: Path) -> None:
    """Its rows are the records; the header is none, and lines are still counted from it."""
    file = tmp_path / "log.csv"
    file.write_bytes(HEADER + b"\n807256800.0,1.2.3.4,,,,GET,/x,200,1\nnonsense\n")
    [(_, batch)] = read_all(open_all([file]))
    assert [batch.offset_of(0), batch.offset_of(1)] == [1, 2]
    first, second = batch.values
    assert decode_request(first).path == "/x"
    assert second == b"nonsense"
