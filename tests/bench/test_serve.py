"""The enforcers of the benchmark: they take whole answers, as real ones do, and a cut one is no figure."""

import asyncio
from pathlib import Path

import pytest

from tests.bench.enforcers import Enforcer
from tests.bench.serve import NOTHING
from tests.streams.pipeline.enforce.saying import block
from tests.streams.serve.serving import Served, tell

IP = "ip:203.0.113.7"


def test_pulls(tmp_path: Path) -> None:
    """Each has a place of its own, by its address; one that was told nothing at its start hears what is new."""

    async def story(server: Served) -> None:
        server.known.log.say(0, IP, block(IP, 60))
        async with Enforcer(server.at, server.key, 1) as one, Enforcer(server.at, server.key, 2) as other:
            whole = await one.pull("startup=true", keep=True)
            assert (whole.status, whole.size_bytes) == (200, len(whole.body))
            assert b"203.0.113.7" in whole.body
            nothing = await other.pull(NOTHING)
            server.known.log.say(1, "ip:203.0.113.8", block("ip:203.0.113.8", 60))
            for each in (one, other):
                delta = await each.pull(keep=True)
                assert b"203.0.113.8" in delta.body
                assert b"203.0.113.7" not in delta.body
                assert delta.size_bytes > nothing.size_bytes
            assert [len(each.pulls) for each in (one, other)] == [2, 2]

    tell(tmp_path, story)


def test_questions(tmp_path: Path) -> None:
    """One answer each, and no pull."""

    async def story(server: Served) -> None:
        server.known.log.say(0, IP, block(IP, 60))
        server.known.log.into(server.known.decisions)
        async with Enforcer(server.at, server.key) as proxy:
            assert [(await proxy.question(f"203.0.113.{n}")).status for n in (7, 8, 7)] == [403, 200, 403]
            assert proxy.pulls == []

    tell(tmp_path, story)


def test_a_connection_that_was_silent(tmp_path: Path) -> None:
    """Is made anew, and the pull counts once."""

    async def story(server: Served) -> None:
        async with Enforcer(server.at, server.key) as enforcer:
            await enforcer.pull()
            await asyncio.sleep(0.5)
            assert (await enforcer.pull()).status == 200
            assert len(enforcer.pulls) == 2

    tell(tmp_path, story, silent_s=0.1)


def test_an_answer_that_is_cut_off() -> None:
    """Is an error, not a quick pull."""

    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345")
        await writer.drain()
        writer.close()

    async def story() -> None:
        server = await asyncio.start_server(cut, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        async with server, Enforcer(f"{host}:{port}", "key") as enforcer:
            with pytest.raises(RuntimeError, match="5 of 10 bytes are missing"):
                await enforcer.pull()

    asyncio.run(story())
