"""Real nginx, Apache, Caddy and HAProxy: what was asked of them is what their logs tell, read as they are."""

import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from schemas.request import RequestEvent
from streams.inputs.text import url_text
from tests.streams.inputs.samples import reader
from tests.streams.inputs.servers import Request, free_port, program, requests, running, send, wait

pytestmark = pytest.mark.timeout(120)

NGINX: Final = """
daemon off; master_process off; pid nginx.pid; error_log stderr;
events {{}}
http {{
    client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp; uwsgi_temp_path tmp; scgi_temp_path tmp;
    large_client_header_buffers 4 32k;
    log_format weir escape=json '{{"msec":$msec,"remote_addr":"$remote_addr",'
        '"request":"$request","status":"$status","http_user_agent":"$http_user_agent","http_host":"$http_host",'
        '"http_x_forwarded_for":"$http_x_forwarded_for","request_id":"$request_id"}}';
    access_log combined.log combined;
    access_log json.log weir;
    server {{ listen 127.0.0.1:{port}; location / {{ return 200 "x"; }} location /people/0 {{ return 404; }} }}
}}
"""
APACHE: Final = """
ServerRoot "{directory}"
ServerName example.test
PidFile apache.pid
DefaultRuntimeDir "{directory}"
Mutex file:{directory}
Listen 127.0.0.1:{port}
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule alias_module {modules}/mod_alias.so
ErrorLog error.log
DocumentRoot "{directory}"
LimitRequestLine 16000
HttpProtocolOptions Unsafe
LogFormat "%h %l %u %t \\"%r\\" %>s %O \\"%{{Referer}}i\\" \\"%{{User-Agent}}i\\"" combined
LogFormat "%v:%p %h %l %u %t \\"%r\\" %>s %O \\"%{{Referer}}i\\" \\"%{{User-Agent}}i\\"" vhost_combined
CustomLog combined.log combined
CustomLog vhost.log vhost_combined
"""
CADDY: Final = """
{{
    admin off
    auto_https off
    storage file_system {directory}/caddy
}}
http://:{port} {{
    bind 127.0.0.1
    log {{
        output file {directory}/caddy.log
        format json
    }}
    respond /people/0 404
    respond "x" 200
}}
"""
HAPROXY: Final = """
global
    log {socket} len 8192 local0
    tune.bufsize 32768
defaults
    mode http
    log global
    option httplog
    timeout client 10s
    timeout server 10s
    timeout connect 10s
frontend web
    bind 127.0.0.1:{port}
    capture request header User-Agent len 8000
    capture request header X-Forwarded-For len 200
    http-request return status 404 if {{ path /people/0 }}
    http-request return status 200 content-type text/plain string x
"""


def drive(port: int, asked: list[Request]) -> list[tuple[Request, int]]:
    """Every request one after the other, with the status of its answer."""
    return [(request, send(port, request)) for request in asked]


def events_of(log: Path, count: int, name: str) -> list[RequestEvent]:
    """All events of a log that has so many lines, by `auto` and by the configured name alike."""
    wait(lambda: log.exists() and log.read_bytes().count(b"\n") >= count, f"{count} lines in {log.name}")
    return events_in(log.read_bytes().splitlines(), name)


def events_in(lines: list[bytes], name: str) -> list[RequestEvent]:
    """Events of lines, by `auto` and by the configured name alike; no line is anything else."""
    found = [[reader(each).parts(line) for line in lines] for each in ("auto", name)]
    for parts in (parts for each in found for parts in each):
        assert len(parts) == 1
        assert parts[0].error is None, (parts[0].error, parts[0].value)
        assert parts[0].event is not None, parts[0].value
    auto, named = ([parts[0].event for parts in each] for each in found)
    assert auto == named
    return [event for event in auto if event is not None]


def assert_told(events: list[RequestEvent], driven: list[tuple[Request, int]]) -> None:
    """The events are exactly what was asked. Servers write lines when they are done, not in the order of requests."""
    wanted = Counter(
        (one.method.decode(), one.path, one.query, status, None if one.agent == b"-" else url_text(one.agent))
        for one, status in driven
    )
    assert Counter((e.method, e.path, e.query, e.status, e.user_agent) for e in events) == wanted
    assert {(event.address, event.user) for event in events} == {("127.0.0.1", None)}


def test_nginx(tmp_path: Path) -> None:
    """Its `combined`, and JSON with the names of its variables."""
    port = free_port()
    (tmp_path / "nginx.conf").write_text(NGINX.format(port=port))
    command = [program("nginx"), "-p", str(tmp_path), "-c", "nginx.conf", "-e", "stderr"]
    with running(command, tmp_path, port):
        driven = drive(port, requests(raw_targets=True))
        for log in ("combined.log", "json.log"):
            assert_told(events_of(tmp_path / log, len(driven), "nginx"), driven)
        assert {status for _, status in driven} >= {200, 404}
        assert all(event.server == "example.test" for event in events_of(tmp_path / "json.log", len(driven), "nginx"))


def test_nginx_is_asked_for_nothing(tmp_path: Path) -> None:
    """A handshake of TLS on a port without, and a connection that says nothing, are no events and no mistakes."""
    port = free_port()
    (tmp_path / "nginx.conf").write_text(NGINX.format(port=port))
    with running([program("nginx"), "-p", str(tmp_path), "-c", "nginx.conf", "-e", "stderr"], tmp_path, port):
        for sent in (b"\x16\x03\x01\x00\xa5\x01\x00", b"\r\n\r\n", b"nonsense\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
                connection.sendall(sent)
                connection.shutdown(socket.SHUT_WR)
                connection.recv(4096)
        log = tmp_path / "combined.log"
        wait(lambda: log.exists() and log.read_bytes().count(b"\n") >= 2, "lines of broken requests")
        for line in log.read_bytes().splitlines():
            assert [(part.event, part.error) for part in reader().parts(line)] == [(None, None)]


def test_apache(tmp_path: Path) -> None:
    """Its `combined`, with and without the virtual host."""
    port, modules = free_port(), Path("/usr/lib/apache2/modules")
    binary = program("apache2")
    (tmp_path / "people").mkdir()
    (tmp_path / "httpd.conf").write_text(APACHE.format(port=port, directory=tmp_path, modules=modules))
    with running([binary, "-X", "-f", str(tmp_path / "httpd.conf")], tmp_path, port):
        driven = drive(port, requests(raw_targets=True))
        assert_told(events_of(tmp_path / "combined.log", len(driven), "apache"), driven)
        events = events_of(tmp_path / "vhost.log", len(driven), "apache")
        assert_told(events, driven)
        assert {event.server for event in events} == {"example.test"}


def test_caddy(tmp_path: Path) -> None:
    """Its JSON. Caddy writes a replacement character for what is no UTF-8, so such agents are told apart no more."""
    port = free_port()
    (tmp_path / "Caddyfile").write_text(CADDY.format(port=port, directory=tmp_path))
    asked = [request for request in requests(raw_targets=False) if b"\xff" not in request.agent]
    with running([program("caddy"), "run", "--config", "Caddyfile", "--adapter", "caddyfile"], tmp_path, port):
        driven = drive(port, asked)
        assert_told(events_of(tmp_path / "caddy.log", len(driven), "caddy"), driven)


@contextmanager
def syslog(path: Path) -> Iterator[list[bytes]]:
    """Takes what is sent to a socket of a syslog."""
    lines: list[bytes] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        listener.settimeout(0.2)
        done = threading.Event()

        def take() -> None:
            while not done.is_set():
                try:
                    lines.append(listener.recv(65_536).rstrip(b"\0\n"))
                except TimeoutError:
                    continue

        taking = threading.Thread(target=take)
        taking.start()
        try:
            yield lines
        finally:
            done.set()
            taking.join()


def asked_in(lines: list[bytes]) -> list[bytes]:
    """Lines of requests."""
    return [line for line in lines if b" web " in line and b"<BADREQ>" not in line]


def test_haproxy(tmp_path: Path) -> None:
    """Its `httplog`, as it comes to a syslog, with the captures of the README; the zone is the machine's."""
    port, path = free_port(), tmp_path / "log"
    (tmp_path / "haproxy.cfg").write_text(HAPROXY.format(port=port, socket=path))
    binary = program("haproxy")
    with syslog(path) as lines, running([binary, "-db", "-f", "haproxy.cfg"], tmp_path, port):
        driven = drive(port, requests(raw_targets=False))
        # What looked whether it listens asked for nothing.
        wait(lambda: len(asked_in(lines)) >= len(driven), f"{len(driven)} lines of HAProxy")
        assert_told(events_in(asked_in(lines), "haproxy"), driven)
