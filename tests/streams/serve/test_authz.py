"""`streams.serve.authz`: an answer for each request that a proxy asks about."""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from pathlib import Path

import pytest

from schemas.block import Action, BlockMode
from streams.pipeline.enforce.decisions import Decisions, Told
from streams.pipeline.enforce.target import Target
from streams.pipeline.enforce.word import View
from streams.serve import authz, keys
from tests.streams.pipeline.enforce.saying import T0_US, Log, block
from tests.streams.serve.serving import Known, Reply, Served, raw, tell
from tests.streams.serve.test_openapi import validator

SCOPES = ("Ip", "Range", "username", "session")
TYPES = ("ban", "captcha", "throttle")
ADDRESS = "203.0.113.7"


class Asked:
    """A server, and a proxy whose key sees everything."""

    def __init__(self, server: Served) -> None:
        """Make the key."""
        self.server = server
        self.key = keys.add(server.path, "proxy", SCOPES, TYPES, T0_US)

    def say(self, key: str, until_s: float | None = 60, action: Action = Action.BLOCK, mode: str = "enforce") -> None:
        """Have an actor blocked, or lifted."""
        said = None if until_s is None else block(key, until_s, action=action, mode=BlockMode(mode))
        self.server.known.log.say(0, key, said)
        self.server.known.log.into(self.server.known.decisions)

    async def ask(self, path: str = "/v1/authz", key: str | None = None, method: str = "GET", **who: str) -> Reply:
        """What a proxy is answered that names somebody; a word of ``who`` is a header."""
        names = {"address": authz.ADDRESS, "account": "X-Weir-Account", "session": "X-Weir-Session"}
        headers = {names[word]: value for word, value in who.items()}
        return await self.server.ask(path, self.key if key is None else key, method, headers=headers)

    async def told(self, **who: str) -> tuple[int, str]:
        """Status and decision."""
        got = await self.ask(**who)
        return got.status, got.headers[authz.DECISION]


def asking(directory: Path, story: Callable[[Asked], Awaitable[None]], known: Known | None = None) -> None:
    """Run a story against a server."""
    tell(directory, lambda server: story(Asked(server)), known=known)


def test_who_is_blocked(tmp_path: Path) -> None:
    """By account, session, address, or a range around it; nobody else; until the end, exclusive, or until lifted."""

    async def story(proxy: Asked) -> None:
        for key in ("account:42", "session:s1", f"ip:{ADDRESS}", "net:198.51.100.0/24", "ip:2001:db8::/64"):
            proxy.say(key)
        for who in (
            {"account": "42"},
            {"session": "s1"},
            {"address": ADDRESS},
            {"address": f"::ffff:{ADDRESS}"},
            {"address": "198.51.100.9"},
            {"address": "2001:db8::1"},
            {"account": "42", "session": "s2", "address": "192.0.2.1"},
            {"account": "", "address": ADDRESS},
        ):
            assert await proxy.told(**who) == (403, "ban")
        for who in (
            {"account": "4"},
            {"account": "s1"},
            {"session": "42"},
            {"account": ADDRESS},
            {"address": "203.0.113.8"},
            {"address": "2001:db8:1::1"},
        ):
            assert await proxy.told(**who) == (200, "none")
        proxy.say("account:42", None)
        assert await proxy.told(account="42") == (200, "none")
        proxy.server.pass_time(59.9)
        assert await proxy.told(session="s1") == (403, "ban")
        proxy.server.pass_time(0.1)
        assert await proxy.told(session="s1", address=ADDRESS) == (200, "none")

    asking(tmp_path, story)


def test_a_neighbour(tmp_path: Path) -> None:
    """The interface behind which he is makes no difference, as it makes none in events."""

    async def story(proxy: Asked) -> None:
        assert await proxy.told(address="fe80::1%eth0") == (200, "none")
        proxy.say("ip:fe80::/64")
        assert await proxy.told(address="fe80::1%eth0") == await proxy.told(address="fe80::1") == (403, "ban")

    asking(tmp_path, story)


def test_the_strongest_counts(tmp_path: Path) -> None:
    """What is less than a block lets through and is named; shadow blocks are nothing."""

    async def story(proxy: Asked) -> None:
        proxy.say("account:42", action=Action.CHALLENGE)
        proxy.say("session:s1", action=Action.THROTTLE)
        proxy.say(f"ip:{ADDRESS}", mode="shadow")
        assert await proxy.told(account="42", address=ADDRESS) == (200, "captcha")
        assert await proxy.told(account="42", session="s1") == (200, "throttle")
        assert await proxy.told(address=ADDRESS) == (200, "none")
        proxy.say("net:203.0.113.0/24")
        assert await proxy.told(account="42", session="s1", address=ADDRESS) == (403, "ban")

    asking(tmp_path, story)


def test_what_a_key_sees(tmp_path: Path) -> None:
    """Its scopes and types; a throttle is a captcha to who knows none."""

    async def story(proxy: Asked) -> None:
        for key, action in (("account:42", Action.BLOCK), (f"ip:{ADDRESS}", Action.THROTTLE)):
            proxy.say(key, action=action)
        got = await proxy.ask(key=proxy.server.key, account="42", address=ADDRESS)
        assert (got.status, got.headers[authz.DECISION]) == (200, "captcha")
        bans = keys.add(proxy.server.path, "bans", SCOPES, ("ban",), T0_US)
        assert (await proxy.ask(key=bans, address=ADDRESS)).headers[authz.DECISION] == "none"
        assert (await proxy.ask(key=bans, account="42")).status == 403

    asking(tmp_path, story)


def test_what_the_visitor_reads(tmp_path: Path) -> None:
    """The id of the block, to ask about; not what gave him away, nor until when, nor what programs these are."""

    async def story(proxy: Asked) -> None:
        proxy.say("account:42")
        got = await proxy.ask(account="42")
        validator("Blocked").validate(got.json)
        assert got.json["block"] == block("account:42", 60).id
        assert "Server" not in got.headers
        assert b"long_tail" not in got.body + repr(got.headers).encode()
        assert (await proxy.ask(account="43")).body == b""

    asking(tmp_path, story)


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS", "PROPFIND"])
@pytest.mark.parametrize(
    "path", ["", "/", "/people/1?q=2", "/../../livez", "/%2e%2e/%2e%2e/livez", "//../livez", "/..%2f..%2flivez", "/%0a"]
)
def test_whatever_the_visitor_asks_for(path: str, method: str, tmp_path: Path) -> None:
    """Envoy puts his method and path behind ours: no path of his is another of ours."""

    async def story(proxy: Asked) -> None:
        proxy.say(f"ip:{ADDRESS}")
        for address, status in ((ADDRESS, 403), ("192.0.2.1", 200)):
            shown = f"X-Api-Key: {proxy.key}\r\nX-Real-IP: {address}\r\n"
            head = f"{method} /v1/authz{path} HTTP/1.1\r\nHost: x\r\n{shown}\r\n"
            assert (await raw(proxy.server, head)).startswith(f"HTTP/1.1 {status} ".encode())

    asking(tmp_path, story)


def test_who_has_no_key(tmp_path: Path) -> None:
    """503, with nothing said of the visitor: 403 would block all of them once a key is taken back."""

    async def story(proxy: Asked) -> None:
        proxy.say(f"ip:{ADDRESS}")
        for key in ("", "weir_wrong"):
            for address in (ADDRESS, "192.0.2.1"):
                got = await proxy.ask(key=key, address=address)
                assert (got.status, got.json) == (503, {"message": "access forbidden"})
                assert authz.DECISION not in got.headers
        keys.remove(proxy.server.path, "proxy")
        assert (await proxy.ask(address=ADDRESS)).status == 503

    asking(tmp_path, story)


def test_what_is_not_complete(tmp_path: Path) -> None:
    """It is 503 for everybody, whatever stands."""
    known = Known(reason="not yet")

    async def story(proxy: Asked) -> None:
        proxy.say(f"ip:{ADDRESS}")
        got = await proxy.ask(address=ADDRESS)
        assert (got.status, got.json, got.headers["Retry-After"]) == (503, {"message": "not yet"}, "5")
        known.reason = ""
        assert (await proxy.ask(address=ADDRESS)).status == 403

    asking(tmp_path, story, known)


@pytest.mark.parametrize(
    "headers",
    [
        "",
        "X-Real-IP:\r\nX-Weir-Account:\r\n",
        "X-Real-IP: 203.0.113.0/24\r\n",
        "X-Real-IP: 203.0.113.7, 192.0.2.1\r\n",
        "X-Real-IP: 203.0.113.7:443\r\n",
        "X-Real-IP: %eth0\r\n",
        "X-Real-IP: unix:\r\n",
        "X-Real-IP: 203.0.113.7\r\nx-real-ip: 192.0.2.1\r\n",
        "X-Weir-Account: 1\r\nX-Weir-Account: 1\r\n",
        "X-Weir-Session: \r\nX-Real-IP: 192.0.2.1\r\nX-Weir-Session: 1\r\n",
    ],
)
def test_what_no_proxy_should_say(headers: str, tmp_path: Path) -> None:
    """Nobody, no address, or a header twice, of which a visitor may have sent one: 400, never 200 nor 403."""

    async def story(proxy: Asked) -> None:
        proxy.say(f"ip:{ADDRESS}")
        head = f"GET /v1/authz HTTP/1.1\r\nHost: x\r\nX-Api-Key: {proxy.key}\r\n{headers}\r\n"
        assert (await raw(proxy.server, head)).startswith(b"HTTP/1.1 400 ")

    asking(tmp_path, story)


def test_no_cursor_moves(tmp_path: Path) -> None:
    """Who pulls and asks with one key still is told everything."""

    async def story(proxy: Asked) -> None:
        await proxy.server.ask("/v1/decisions/stream?startup=true", proxy.key)
        proxy.say(f"ip:{ADDRESS}")
        assert (await proxy.ask(address=ADDRESS)).status == 403
        assert (await proxy.server.ask("/v1/decisions/stream", proxy.key)).values("new") == [ADDRESS]

    asking(tmp_path, story)


def test_what_it_looks_at() -> None:
    """Never all that stands: with a hundred times as many blocks an answer looks up as often."""

    class Counted(Decisions):
        looked = 0

        def _standing_of(self, targets: Iterable[Target], view: View, at_us: int) -> Iterator[Told]:
            found = list(targets)
            self.looked += len(found)
            return super()._standing_of(found, view, at_us)

    looked = []
    for many in (10, 1_000):
        log, decisions = Log(), Counted(1)
        for number in range(many):
            log.say(0, f"ip:10.0.{number // 250}.{number % 250}", block(f"ip:10.0.{number // 250}.{number % 250}", 60))
        log.into(decisions)
        asked = {authz.ADDRESS: ["10.0.0.7"], "X-Weir-Account": ["42"]}
        assert authz.standing(_Headers(asked), decisions, View(scopes=None), T0_US) is not None
        looked.append(decisions.looked)
    assert looked[0] == looked[1] <= 3


class _Headers(dict[str, list[str]]):
    def getall(self, name: str, default: list[str], /) -> list[str]:
        """All its values."""
        return self.get(name, default)
