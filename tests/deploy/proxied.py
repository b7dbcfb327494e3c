"""Real Envoy, Traefik and nginx with the recipes of `deploy/enforcers`, before a site, asking decisions of a test."""

import asyncio
import base64
import hmac
import http.client
import json
import os
import shutil
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
from tests.deploy.test_enforcers import NGINX, PERSON, ROOT, now_us, reached, running, say
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
