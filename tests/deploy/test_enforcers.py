"""`deploy/enforcers`: real nginx and HAProxy, told by CrowdSec's custom bouncer, of what the local API says."""

import asyncio
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from deploy.enforcers import carry_out
from deploy.enforcers.carry_out import Decisions, Haproxy, Nginx, seconds_of
from deploy.kafka.cluster import free_ports
from schemas.block import Action
from streams.pipeline.enforce.decisions import US
from tests.streams.pipeline.enforce.saying import T0_US, block
from tests.streams.serve.serving import Served, served

ROOT: Final = Path(__file__).parents[2]
PROGRAM: Final = ROOT / "deploy" / "enforcers" / "carry_out.py"
BOUNCER: Final = shutil.which("crowdsec-custom-bouncer")
NGINX: Final = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
HAPROXY: Final = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")
SCRAPER: Final = "127.0.0.2"
"""On Linux all of 127.0.0.0/8 is this machine, and a client may choose which of it it is."""
NEIGHBOUR: Final = "127.0.9.9"
PERSON: Final = "127.0.0.1"
POLL_S: Final = 2

NGINX_CONFIG: Final = """
daemon off;
pid {home}/nginx.pid;
error_log {home}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {home}/body;
    proxy_temp_path {home}/proxy;
    fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi;
    scgi_temp_path {home}/scgi;
    geo $weir {{
        default "";
        include {home}/blocked;
    }}
    server {{
        listen 127.0.0.1:{port};
        if ($weir = ban) {{ return 403; }}
        if ($weir = captcha) {{ return 302 /challenge; }}
        location / {{ return 200 "hello"; }}
    }}
}}
"""
HAPROXY_CONFIG: Final = """
global
    stats socket {home}/admin.sock mode 600 level admin
defaults
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 5s
frontend www
    bind 127.0.0.1:{port}
    http-request deny deny_status 403 if {{ src,map_ip({home}/blocked) -m str ban }}
    http-request redirect location /challenge if {{ src,map_ip({home}/blocked) -m str captcha }}
    http-request return status 200 content-type text/plain string hello
"""
BOUNCER_CONFIG: Final = """
bin_path: {home}/carry-out
feed_via_stdin: true
total_retries: -1
update_frequency: {poll_s}s
daemonize: false
log_mode: stdout
log_level: info
api_url: http://{at}/
api_key: {key}
prometheus: {{enabled: false}}
"""


def now_us() -> int:
    """Now."""
    return time.time_ns() // 1000


def status(port: int, source: str) -> int:
    """What a client at an address is answered."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5, source_address=(source, 0))
    try:
        connection.request("GET", "/people/1")
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def reached(looked: Callable[[], bool], longest_s: float) -> bool:
    """Whether it was so once in time: while nginx reloads, old workers and new ones answer by turns."""
    deadline = time.monotonic() + longest_s
    while not (so := looked()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return so


@contextmanager
def running(*command: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A program for as long as the block lasts."""
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=ROOT)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def proxy(kind: str, home: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A proxy with the configuration of its recipe, which serves."""
    (home / "blocked").touch()
    config = home / f"{kind}.conf"
    config.write_text((NGINX_CONFIG if kind == "nginx" else HAPROXY_CONFIG).format(home=home, port=port))
    command = [NGINX or "", "-c", str(config)] if kind == "nginx" else [HAPROXY or "", "-db", "-f", str(config)]
    with running(*command, log=home / "proxy.log") as process:
        try:
            assert reached(lambda: status(port, PERSON) == 200, 20)
            yield process
        except AssertionError as error:
            for log in sorted(home.glob("*.log")):
                error.add_note(f"{log.name}:\n{log.read_text()}")
            raise


def options(kind: str, home: Path) -> list[str]:
    """Arguments of the program."""
    reload = f"{NGINX} -c {home}/nginx.conf -s reload"
    return [kind, "--file", f"{home}/blocked", "--reload", reload, "--socket", f"{home}/admin.sock", "--every", "0.2"]


def needs(kind: str) -> None:
    """Skip where a program is missing."""
    missing = [name for name, found in (("nginx", NGINX), ("haproxy", HAPROXY)) if name == kind and not found]
    if missing or BOUNCER is None:
        reason = f"needs {kind} and crowdsec-custom-bouncer, packages of Debian"
        pytest.fail(reason) if os.environ.get("WEIR_TEST_KAFKA") == "require" else pytest.skip(reason)


def say(server: Served, key: str, until_s: float | None, action: Action = Action.BLOCK) -> None:
    """Have an actor blocked for so long from now, or lifted."""
    said = None if until_s is None else block(key, until_s, from_us=now_us(), action=action)
    server.known.log.say((now_us() - T0_US) / US, key, said)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", ["nginx", "haproxy"])
def test_a_recipe(kind: str, tmp_path: Path) -> None:
    """Within one poll who is blocked gets 403, a network too, who is challenged goes there; lifted, all are served."""
    needs(kind)
    (port,) = free_ports(1)
    script = tmp_path / "carry-out"
    words = [sys.executable, str(PROGRAM), *options(kind, tmp_path)]
    script.write_text("#!/bin/sh\nexec " + " ".join(f"'{word}'" for word in words) + "\n")
    script.chmod(0o755)

    async def story() -> None:
        async with served(tmp_path, clock=now_us) as server:
            config = tmp_path / "bouncer.yaml"
            config.write_text(BOUNCER_CONFIG.format(home=tmp_path, at=server.at, key=server.key, poll_s=POLL_S))
            say(server, f"ip:{SCRAPER}", 600)
            await asyncio.to_thread(told, server, config)

    def told(server: Served, config: Path) -> None:
        with proxy(kind, tmp_path, port), running(BOUNCER or "", "-c", str(config), log=tmp_path / "bouncer.log"):

            def answered(source: str, wanted: int) -> bool:
                return reached(lambda: status(port, source) == wanted, POLL_S + 8)

            assert answered(SCRAPER, 403), (tmp_path / "bouncer.log").read_text()
            assert status(port, PERSON) == status(port, NEIGHBOUR) == 200
            say(server, "net:127.0.9.0/24", 600, Action.CHALLENGE)
            assert answered(NEIGHBOUR, 302)
            say(server, "net:127.0.9.0/24", 600)
            assert answered(NEIGHBOUR, 403)
            say(server, f"ip:{SCRAPER}", None)
            assert answered(SCRAPER, 200)
            assert status(port, NEIGHBOUR) == 403
        # The bouncer has ended: nothing stays blocked by it.
        assert reached(lambda: (tmp_path / "blocked").read_text() == "", 10)

    asyncio.run(story())


@contextmanager
def fed(kind: str, home: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The program alone; a test writes what it is told."""
    words = [sys.executable, str(PROGRAM), *options(kind, home)]
    with (home / "program.log").open("ab") as log:
        process = subprocess.Popen(words, stdin=subprocess.PIPE, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def write(process: subprocess.Popen[bytes], value: str, *, action: str = "add", duration: str = "1h") -> None:
    """A line as the bouncer writes it."""
    assert process.stdin is not None
    said = {"action": action, "value": value, "type": "ban", "duration": duration, "scope": "Ip", "id": 1}
    process.stdin.write(json.dumps(said).encode() + b"\n")
    process.stdin.flush()


@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", ["nginx", "haproxy"])
def test_the_proxy_was_away(kind: str, tmp_path: Path) -> None:
    """It is told when it is there, and after a start anew still knows; an end by the clock counts."""
    needs(kind)
    (port,) = free_ports(1)
    with fed(kind, tmp_path) as program:
        write(program, SCRAPER)
        assert reached(lambda: "trying again" in (tmp_path / "program.log").read_text(), 20)
        for _ in range(2):
            with proxy(kind, tmp_path, port):
                assert reached(lambda: status(port, SCRAPER) == 403, 20)
                write(program, NEIGHBOUR, duration="2s")
                assert reached(lambda: status(port, NEIGHBOUR) == 403, 20)
                assert reached(lambda: status(port, NEIGHBOUR) == 200, 20)
                assert status(port, PERSON) == 200


def test_many_at_once(tmp_path: Path) -> None:
    """Thousands are told in parcels that HAProxy takes, anew and as changes."""
    needs("haproxy")
    (port,) = free_ports(1)
    with proxy("haproxy", tmp_path, port):
        one = Haproxy(tmp_path / "blocked", f"{tmp_path}/admin.sock")
        many = {f"10.{n // 250}.{n % 250}.0/24": "ban" for n in range(3_000)} | {"2001:db8::/64": "captcha"}
        one.show(many)
        assert (status(port, SCRAPER), (tmp_path / "blocked").read_text().count("\n")) == (200, 3_001)
        one.show({**dict.fromkeys(many, "captcha"), SCRAPER: "ban"})
        assert status(port, SCRAPER) == 403
        one.show({})
        assert status(port, SCRAPER) == 200


@pytest.mark.parametrize(
    ("span", "seconds"), [("3h59m58s", 14_398), ("60s", 60), ("1m0.5s", 60.5), ("-2s", 0), ("2h", 7_200)]
)
def test_spans(span: str, seconds: float) -> None:
    """As Go writes them."""
    assert seconds_of(span) == seconds


@pytest.mark.parametrize("span", ["", "60", "s", "1d", "1s1h", "x"])
def test_what_is_no_span(span: str) -> None:
    """It is refused, and so is the line."""
    with pytest.raises(ValueError, match="is no span"):
        seconds_of(span)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"[]",
        b'{"action": "add"}',
        b'{"action": "add", "value": "u1", "type": "ban", "duration": "1h"}',
        b'{"action": "add", "value": "203.0.113.7; } http {", "type": "ban", "duration": "1h"}',
        b'{"action": "add", "value": "fe80::1%x; } http {", "type": "ban", "duration": "1h"}',
        b'{"action": "add", "value": "2001:db8::1%a\\nban", "type": "ban", "duration": "1h"}',
        b'{"action": "add", "value": "0.0.0.0/0", "type": "ban", "duration": "1h"}',
        b'{"action": "add", "value": "::/0", "type": "ban", "duration": "1h"}',
        b"[" * 100_000,
        b'{"action": "add", "value": "203.0.113.7", "type": "hug", "duration": "1h"}',
        b'{"action": "add", "value": "203.0.113.7", "type": "ban", "duration": "-1s"}',
        b'{"action": "add", "value": "203.0.113.7", "type": "ban", "duration": 3}',
        b'{"action": "add", "value": null, "type": "ban", "duration": "1h"}',
    ],
)
def test_what_is_none_of_ours(line: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing of it gets into a configuration."""
    decisions = Decisions()
    decisions.take(line, 0.0)
    assert decisions.blocked(0.0) == {}
    assert capsys.readouterr().err.count("\n") <= 1


def test_the_last_word_counts_until_its_end() -> None:
    """Half-open; another word replaces type and end; what is lifted is gone, however it is spelled."""
    decisions = Decisions()

    def say_(action: str, value: str, kind: str, duration: str, at_s: float) -> None:
        said = {"action": action, "value": value, "type": kind, "duration": duration}
        decisions.take(json.dumps(said).encode(), at_s)

    say_("add", "203.0.113.7", "ban", "10s", 0)
    say_("add", "2001:DB8::/64", "captcha", "20s", 0)
    assert decisions.blocked(9.9) == {"203.0.113.7": "ban", "2001:db8::/64": "captcha"}
    assert decisions.next_s() == 10
    say_("add", "203.0.113.7/32", "captcha", "30s", 5)
    assert decisions.blocked(10) == {"203.0.113.7": "captcha", "2001:db8::/64": "captcha"}
    assert decisions.blocked(20) == {"203.0.113.7": "captcha"}
    say_("del", "203.0.113.7", "captcha", "-1s", 21)
    assert decisions.blocked(21) == {}
    assert decisions.next_s() == float("inf")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_ended_by_a_supervisor(number: signal.Signals, tmp_path: Path) -> None:
    """A supervisor ends it together with the bouncer: nothing stays blocked."""
    words = [sys.executable, str(PROGRAM), "nginx", "--file", str(tmp_path / "blocked"), "--reload", "true"]
    with subprocess.Popen([*words, "--every", "0.1"], stdin=subprocess.PIPE) as program:
        write(program, SCRAPER)
        assert reached(lambda: (tmp_path / "blocked").exists() and SCRAPER in (tmp_path / "blocked").read_text(), 20)
        program.send_signal(number)
        assert program.wait(20) == 0
    assert (tmp_path / "blocked").read_text() == ""


def test_a_reload_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is given up: the end of another block must not wait for it."""
    monkeypatch.setattr(carry_out, "RELOAD_S", 0.1)
    assert not carry_out.told(Nginx(tmp_path / "blocked", "sleep 60"), {})


def test_a_file_is_whole_or_as_it_was(tmp_path: Path) -> None:
    """Whoever refuses it is told of; the file is replaced in one step."""
    file = tmp_path / "blocked"
    Nginx(file, "true").show({"203.0.113.7": "ban"})
    assert file.read_text() == '203.0.113.7 "ban";\n'
    with pytest.raises(OSError, match="false"):
        Nginx(file, "false").show({})
    assert list(tmp_path.iterdir()) == [file]
