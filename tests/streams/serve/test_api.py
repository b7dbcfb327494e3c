"""The local API over HTTP, as enforcers meet it."""

import asyncio
from pathlib import Path

import aiohttp
import pytest

from schemas.block import Action, BlockMode
from streams.serve import keys
from tests.streams.pipeline.enforce.saying import T0_US, block
from tests.streams.serve.serving import Known, Served, raw, tell

IP = "ip:203.0.113.7"
STREAM = "/v1/decisions/stream"


class TestStream:
    """`GET /v1/decisions/stream`."""

    def test_from_block_to_its_end(self, tmp_path: Path) -> None:
        """Startup, a block, its extension and its end: what the stream says at each pull, field by field."""

        async def story(server: Served) -> None:
            assert (await server.ask(f"{STREAM}?startup=true")).body == b'{"new":[],"deleted":[]}'
            server.known.log.say(0, IP, block(IP, 60))
            first = await server.ask(STREAM)
            assert first.headers["Content-Type"] == "application/json; charset=utf-8"
            one = {"id": 0, "origin": "weir", "type": "ban", "scope": "Ip", "value": "203.0.113.7", "duration": "1m0s"}
            one |= {"scenario": "weir/long_tail", "uuid": block(IP, 60).id}
            assert first.json == {"new": [one], "deleted": []}
            server.pass_time(10)
            assert (await server.ask(f"{STREAM}?")).json == {"new": [], "deleted": []}
            server.pass_time(51)
            assert (await server.ask(STREAM)).json == {"new": [], "deleted": [one | {"duration": "-1s"}]}

        tell(tmp_path, story)

    def test_startup_is_true_and_nothing_else(self, tmp_path: Path) -> None:
        """`false`, as some send at every pull, is a delta."""

        async def story(server: Served) -> None:
            server.known.log.say(0, IP, block(IP, 60))
            assert (await server.ask(f"{STREAM}?startup=true")).values("new") == ["203.0.113.7"]
            for rest in ("?startup=false", "?startup=TRUE", "?startup="):
                assert (await server.ask(STREAM + rest)).values("new") == []
            assert (await server.ask(f"{STREAM}?startup=true")).values("new") == ["203.0.113.7"]

        tell(tmp_path, story)

    def test_each_key_has_its_own_cursor(self, tmp_path: Path) -> None:
        """What one enforcer was told another still has to hear."""

        async def story(server: Served) -> None:
            other = keys.add(server.path, "other", ("Ip",), ("ban",), T0_US)
            server.known.log.say(0, IP, block(IP, 60))
            for key, told in ((server.key, 1), (server.key, 0), (other, 1), (other, 0)):
                assert len((await server.ask(STREAM, key)).values("new")) == told

        tell(tmp_path, story)

    def test_head_moves_no_cursor(self, tmp_path: Path) -> None:
        """Status 200 and nothing else, with a key; the next pull is told all the same."""

        async def story(server: Served) -> None:
            server.known.log.say(0, IP, block(IP, 60))
            for path in (STREAM, "/v1/decisions"):
                head = await server.ask(path, method="HEAD")
                assert (head.status, head.body) == (200, b"")
                assert (await server.ask(path, "wrong", method="HEAD")).status == 403
            assert (await server.ask(STREAM)).values("new") == ["203.0.113.7"]

        tell(tmp_path, story)

    def test_scopes_and_types_of_the_key(self, tmp_path: Path) -> None:
        """A key's scopes are the most that it sees; asking for fewer narrows, for more does not widen."""

        async def story(server: Served) -> None:
            members = keys.add(server.path, "login", ("username", "Range"), ("throttle", "ban"), T0_US)
            for key, action in ((IP, Action.BLOCK), ("account:u:42", Action.THROTTLE), ("net:198.51.100.0/24", None)):
                server.known.log.say(0, key, block(key, 60, action=action or Action.CHALLENGE))
            start = f"{STREAM}?startup=true"
            assert (await server.ask(start)).values("new") == ["198.51.100.0/24", "203.0.113.7"]
            for rest, values in (
                ("&scopes=IP", ["203.0.113.7"]),
                ("&scope=range", ["198.51.100.0/24"]),
                ("&scopes=username,%20ip", ["203.0.113.7"]),
                ("&scopes=username", []),
                ("&origins=weir", ["198.51.100.0/24", "203.0.113.7"]),
                ("&origins=cscli,CAPI", []),
                ("&scenarios_containing=LONG_T", ["198.51.100.0/24", "203.0.113.7"]),
                ("&scenarios_not_containing=long_t", []),
                ("&simulated=true&dedup=false&community_pull=true&new_in_2030=1", ["198.51.100.0/24", "203.0.113.7"]),
            ):
                assert (await server.ask(start + rest)).values("new") == values, rest
            assert (await server.ask(start, members)).values("new") == ["u:42"]

        tell(tmp_path, story)

    def test_shadow_blocks_are_nobodys(self, tmp_path: Path) -> None:
        """Neither streamed nor found."""

        async def story(server: Served) -> None:
            server.known.log.say(0, IP, block(IP, 60, mode=BlockMode.SHADOW))
            assert (await server.ask(f"{STREAM}?startup=true")).json == {"new": [], "deleted": []}
            assert (await server.ask("/v1/decisions?ip=203.0.113.7")).body == b"null"

        tell(tmp_path, story)

    def test_many(self, tmp_path: Path) -> None:
        """More than are written at a stretch: all of them, valid JSON, and the cursor moves."""
        expected = sorted(f"10.0.{n // 250}.{n % 250}" for n in range(4_100))

        async def story(server: Served) -> None:
            for value in expected:
                server.known.log.records.append(
                    (0, len(server.known.log.records), T0_US, f"ip:{value}", block(f"ip:{value}", 60))
                )
            whole = await server.ask(f"{STREAM}?startup=true", headers={"Accept-Encoding": "gzip"})
            assert whole.values("new") == expected
            assert "Content-Encoding" not in whole.headers
            assert (await server.ask(STREAM)).json == {"new": [], "deleted": []}

        tell(tmp_path, story)

    def test_half_an_answer_moves_no_cursor(self, tmp_path: Path) -> None:
        """An enforcer that goes away in the middle is told all of it again."""

        async def story(server: Served) -> None:
            log = server.known.log
            for n in range(20_000):
                key = f"ip:10.{n // 65536}.{n // 256 % 256}.{n % 256}"
                log.records.append((0, n, T0_US, key, block(key, 600)))
            host, _, port = server.at.rpartition(":")
            reader, writer = await asyncio.open_connection(host, int(port), limit=4096)
            writer.write(f"GET {STREAM} HTTP/1.1\r\nHost: x\r\nX-Api-Key: {server.key}\r\n\r\n".encode())
            assert b"200 OK" in await reader.readline()
            writer.transport.abort()
            await asyncio.sleep(0.05)
            assert len((await server.ask(STREAM)).values("new")) == 20_000

        tell(tmp_path, story)

    def test_one_key_used_from_two_places(self, tmp_path: Path) -> None:
        """Two enforcers behind one address that share a key: what one was told the other hears too, in the end.

        Once it shows that there are two, each connection is told everything, and then what is new since its own pull.
        """

        async def story(server: Served) -> None:
            held: list[set[str]] = [set(), set()]
            async with aiohttp.ClientSession() as session, aiohttp.ClientSession() as other:
                both = (session, other)
                for number in range(4):
                    key = f"ip:203.0.113.{number}"
                    server.known.log.say(0, key, block(key, 60))
                    for one, has in zip(both, held, strict=True):
                        async with one.get(f"http://{server.at}{STREAM}", headers={"X-Api-Key": server.key}) as got:
                            new = (await got.json())["new"]
                            has |= {told["value"] for told in new}
                assert [len(has) for has in held] == [4, 4]
                assert len(new) == 1

        tell(tmp_path, story)


class TestLive:
    """`GET /v1/decisions`."""

    def test_questions(self, tmp_path: Path) -> None:
        """By address, range, target; four bytes when nothing is found, for which some enforcers look."""

        async def story(server: Served) -> None:
            members = keys.add(server.path, "login", ("username",), ("ban",), T0_US)
            for key in (IP, "net:203.0.113.0/24", "account:u:42"):
                server.known.log.say(0, key, block(key, 60))
            await server.known.caught_up()

            async def found(rest: str, key: str | None = None) -> list[str] | None:
                got = await server.ask(f"/v1/decisions{rest}", key)
                assert got.status == 200
                return None if got.body == b"null" else sorted(one["value"] for one in got.json)

            both = ["203.0.113.0/24", "203.0.113.7"]
            assert await found("?ip=203.0.113.7") == both
            assert await found("?ip=192.0.2.1") is None
            assert await found("?range=203.0.113.0/25") == ["203.0.113.0/24"]
            assert await found("?range=0.0.0.0/0&contains=false") == both
            assert await found("?scope=ip&value=203.0.113.7") == ["203.0.113.7"]
            assert await found("?value=203.0.113.7") == ["203.0.113.7"]
            assert await found("?scope=Range") == ["203.0.113.0/24"]
            assert await found("?type=captcha") is None
            assert await found("") == both
            assert await found("?limit=1") == both[1:] or both[:1]
            assert await found("?limit=1&offset=2") is None
            assert await found("?limit=0") is None
            assert await found("?scope=username&value=u:42") is None
            assert await found("?scope=username&value=u:42", members) == ["u:42"]

        tell(tmp_path, story)

    @pytest.mark.parametrize(
        "rest",
        [
            "?ip=notanip",
            "?ip=1.2.3.4/24",
            "?ip=fe80::1%25eth0",
            "?range=1.2.3.4/33",
            "?range=x",
            "?ip=1.2.3.4&range=1.2.3.0/24",
            "?ip=1.2.3.4&ip=1.2.3.5",
            "?contains=maybe&range=1.2.3.0/24",
            "?limit=-1",
            "?limit=1e3",
            "?offset=9999999999999",
            "/stream?startup=true&startup=false",
            "/stream?scopes=ip&scope=range",
            "/stream?scopes=ip&scopes=range",
        ],
    )
    def test_wrong_questions(self, tmp_path: Path, rest: str) -> None:
        """Status 400 with a message that names the parameter; nothing is answered in part."""

        async def story(server: Served) -> None:
            got = await server.ask(f"/v1/decisions{rest}")
            assert got.status == 400
            assert any(name in got.json["message"] for name in rest.replace("?", "&").split("&")[1].split("=")[:1])

        tell(tmp_path, story)


class TestAccess:
    """Keys."""

    @pytest.mark.parametrize("path", [STREAM, "/v1/decisions?ip=1.2.3.4", "/v1/decisions?ip=x"])
    def test_wrong_keys(self, tmp_path: Path, path: str) -> None:
        """None, a wrong one, one that is no text, a long one: 403 in CrowdSec's words, whatever is asked."""

        async def story(server: Served) -> None:
            for key in ("", "wrong", server.key + "x", server.key.upper(), "k" * 4000, "schl\xfcssel"):
                got = await server.ask(path, key)
                assert (got.status, got.json) == (403, {"message": "access forbidden"})

        tell(tmp_path, story)

    def test_a_key_twice(self, tmp_path: Path) -> None:
        """Two headers are none: which of them counts is not guessed."""

        async def story(server: Served) -> None:
            got = await raw(
                server, f"GET {STREAM} HTTP/1.1\r\nHost: x\r\n" + f"x-api-key: {server.key}\r\n" * 2 + "\r\n"
            )
            assert b" 403 " in got
            got = await raw(server, f"GET {STREAM} HTTP/1.1\r\nHost: x\r\nx-api-key: {server.key}\r\n\r\n")
            assert b" 200 " in got

        tell(tmp_path, story)

    def test_a_key_that_was_removed(self, tmp_path: Path) -> None:
        """Is refused at once, without a restart; the others go on, as they do while the file cannot be read."""

        async def story(server: Served) -> None:
            other = keys.add(server.path, "other", ("Ip",), ("ban",), T0_US)
            assert (await server.ask(STREAM, other)).status == 200
            keys.remove(server.path, "other")
            assert (await server.ask(STREAM, other)).status == 403
            server.path.write_text("{")
            assert (await server.ask(STREAM)).status == 200
            assert "bouncers.json" in (await server.ask("/readyz")).json["keys"]

        tell(tmp_path, story)


class TestCondition:
    """Complete or 503, and what the probes say."""

    def test_incomplete(self, tmp_path: Path) -> None:
        """No part of a list: 503 with the reason; alive all the same; started once it has been complete."""
        known = Known(reason="half is read", complete_once=False)

        async def story(server: Served) -> None:
            for path in (
                STREAM,
                f"{STREAM}?startup=true",
                "/v1/decisions?ip=1.2.3.4",
                "/readyz",
                "/-/ready",
                "/startupz",
            ):
                got = await server.ask(path)
                assert (got.status, got.json) == (503, {"message": "half is read"}), path
            assert (await server.ask(STREAM, method="HEAD")).status == 503
            for path in ("/livez", "/-/healthy", "/health"):
                assert (await server.ask(path, "")).status == 200
            known.complete_once = True
            assert (await server.ask("/startupz")).status == 200
            known.reason = ""
            assert (await server.ask("/readyz", "")).json == {"status": "ready"}

        tell(tmp_path, story, known=known)

    def test_a_wrong_key_hears_nothing_of_it(self, tmp_path: Path) -> None:
        """403 comes first."""

        async def story(server: Served) -> None:
            assert (await server.ask(STREAM, "wrong")).status == 403
            assert server.known.asked == 0

        tell(tmp_path, story, known=Known(reason="half is read"))

    def test_health(self, tmp_path: Path) -> None:
        """As CrowdSec says it, for anybody."""

        async def story(server: Served) -> None:
            assert (await server.ask("/health", "")).json == {"status": "up"}

        tell(tmp_path, story)
