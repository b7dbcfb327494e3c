"""nginx log → `weir watch` → a bouncer blocks, as the README shows it: real programs all the way."""

import os
import random
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

from streams.serve import keys
from tests.broker.serving import CustomBouncer
from tests.streams.inputs.servers import Request, free_port, program, running, send, wait
from tests.streams.watch.test_process import Process

pytestmark = pytest.mark.timeout(180)

NGINX: Final = """
daemon off; master_process off; pid nginx.pid; error_log stderr;
events {{}}
http {{
    client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp; uwsgi_temp_path tmp; scgi_temp_path tmp;
    access_log access.log combined;
    server {{ listen 127.0.0.1:{port}; location / {{ return 200 "x"; }} }}
}}
"""
MINUTE: Final = 60
"""Profiles a minute at which an address is spoken of."""


def test_who_walks_through_profiles_is_blocked_within_a_poll(tmp_path: Path) -> None:
    """Half of the walk before the log is rotated, half after; each half alone is what a person may do."""
    program("crowdsec-custom-bouncer")
    nginx, port, directory = program("nginx"), free_port(), tmp_path / "nginx"
    directory.mkdir()
    (directory / "nginx.conf").write_text(NGINX.format(port=port))
    profiles = random.Random(1).sample(range(10**7), 2 * MINUTE - 4)
    key = keys.add(tmp_path / "bouncers.json", "test", ("Ip", "Range"), ("ban", "captcha"), 0)
    log, process, bouncer = directory / "access.log", Process(tmp_path), CustomBouncer(tmp_path)
    command = [nginx, "-p", str(directory), "-c", "nginx.conf", "-e", "stderr"]
    with running(command, directory, port):
        try:
            process.start(str(log))
            at = process.wait_for("listening at ")
            # Debian's bouncer ends when its first question is not answered.
            wait(lambda: process.ask(at, key) is not None, "the log to be read to its end")
            bouncer.start(at, key)
            view(port, profiles[: len(profiles) // 2])
            log.rename(log.with_name("access.log.1"))
            os.kill(int((directory / "nginx.pid").read_text()), signal.SIGUSR1)
            wait(log.exists, "nginx to open its log anew")
            time.sleep(1)
            assert bouncer.calls() == []
            view(port, profiles[len(profiles) // 2 :])
            deadline = time.monotonic() + 40
            while not bouncer.calls() and time.monotonic() < deadline:
                time.sleep(0.1)
            assert [call[:2] for call in bouncer.calls()] == [["add", "127.0.0.1"]], process.said
        finally:
            bouncer.stop()
            process.end()


def view(port: int, profiles: Sequence[int]) -> None:
    """Look at profiles, one after the other."""
    for number in profiles:
        assert send(port, Request(b"GET", b"/people/%d" % number, b"Mozilla/5.0")) == 200
