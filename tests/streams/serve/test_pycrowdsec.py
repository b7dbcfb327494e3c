"""CrowdSec's client for Python, as its users run it: it takes decisions from Weir and drops them."""

import asyncio
from pathlib import Path

import pytest
import requests
from pycrowdsec.client import (
    BaseStreamClient,
    QueryClient,
    StreamClient,
    StreamDecisionClient,
)

from schemas.block import Action
from streams.serve import keys
from tests.streams.pipeline.enforce.saying import T0_US, block
from tests.streams.serve.serving import Known, Served, tell

IP = "ip:203.0.113.7"
NET = "net:2001:db8:1:2::/64"


async def pull(client: BaseStreamClient, first: str = "false") -> None:
    """One round of the loop that the client runs in a thread of its own."""
    await asyncio.to_thread(client.cycle, first)


def test_stream(tmp_path: Path) -> None:
    """Blocked, lengthened, made a challenge, taken back and ended: it acts on each after the pull that tells it."""

    async def story(server: Served) -> None:
        log, client = server.known.log, StreamClient(server.key, lapi_url=f"http://{server.at}/")
        log.say(0, IP, block(IP, 60))
        log.say(0, NET, block(NET, 30))
        await pull(client, "true")
        assert client.get_current_decisions() == {"203.0.113.7/32": "ban", "2001:db8:1:2::/64": "ban"}
        assert client.get_action_for("2001:db8:1:2::99") == "ban"
        assert client.get_action_for("203.0.113.8") is None
        log.say(20, IP, block(IP, 120))
        server.pass_time(40)
        await pull(client)
        assert client.get_current_decisions() == {"203.0.113.7/32": "ban"}
        server.pass_time(30)
        await pull(client)
        assert client.get_action_for("203.0.113.7") == "ban"
        log.say(75, IP, block(IP, 300, action=Action.CHALLENGE))
        await pull(client)
        assert client.get_action_for("203.0.113.7") == "captcha"
        log.say(80, IP, None)
        await pull(client)
        assert client.get_current_decisions() == {}
        client.session.close()

    tell(tmp_path, story)


def test_decisions_one_by_one(tmp_path: Path) -> None:
    """Members too, where the key and the client ask for them; each decision comes once, and each end."""

    async def story(server: Served) -> None:
        log, key = server.known.log, keys.add(server.path, "login", ("username",), ("ban", "throttle"), T0_US)
        log.say(0, IP, block(IP, 60))
        log.say(0, "account:u:42", block("account:u:42", 60, action=Action.THROTTLE))
        client = StreamDecisionClient(key, lapi_url=f"http://{server.at}/", scopes=("username",))
        await pull(client, "true")
        await pull(client)
        assert [(one["value"], one["type"]) for one in client.get_new_decision()] == [("u:42", "throttle")]
        server.pass_time(61)
        await pull(client)
        assert [one["value"] for one in client.get_deleted_decision()] == ["u:42"]
        client.session.close()

    tell(tmp_path, story)


def test_question(tmp_path: Path) -> None:
    """Asks for one address, and finds the range that it lies in; nothing, as CrowdSec says it, where nothing stands."""

    async def story(server: Served) -> None:
        client = QueryClient(server.key, lapi_url=f"http://{server.at}/")
        server.known.log.say(0, NET, block(NET, 30))
        await server.known.caught_up()
        assert await asyncio.to_thread(client.get_action_for, "2001:db8:1:2::99") == "ban"
        assert await asyncio.to_thread(client.get_decisions_for, "2001:db8:1:3::99") is None
        server.pass_time(31)
        assert await asyncio.to_thread(client.get_decisions_for, "2001:db8:1:2::99") is None
        client.session.close()

    tell(tmp_path, story)


def test_refused(tmp_path: Path) -> None:
    """A wrong key and an incomplete list stop it at its start; later it keeps what it has."""
    known = Known()

    async def story(server: Served) -> None:
        wrong = StreamClient("wrong", lapi_url=f"http://{server.at}/")
        with pytest.raises(requests.HTTPError, match="403"):
            await pull(wrong, "true")
        client = StreamClient(server.key, lapi_url=f"http://{server.at}/")
        known.log.say(0, IP, block(IP, 60))
        await pull(client, "true")
        known.reason = "half is read"
        await pull(client)
        assert client.get_action_for("203.0.113.7") == "ban"
        for each in (wrong, client):
            each.session.close()

    tell(tmp_path, story, known=known)
