"""One message over HTTP: what answers mean, and what is kept to oneself."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest
from aiohttp import web

from schemas.errors import ConfigError
from streams.notify.patience import Patience
from streams.notify.poster import AFTER_MAX_S, Answer, Fate, Poster, meaning
from streams.notify.setting import Receiver
from streams.serve.listener import tls
from streams.settings import ServeSettings
from tests.broker.secure import Authority

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def receiver(**options: object) -> Receiver:
    """A webhook."""
    return msgspec.convert({"name": "chat", "kind": "webhook", "urls": ["http://127.0.0.1:9/"], **options}, Receiver)


def posting(handler: Handler, made: Callable[[str], Poster], authority: Authority | None = None) -> Answer:
    """What comes of one message to a server of the test's own."""

    async def story() -> Answer:
        application = web.Application()
        application.router.add_post("/{path:.*}", handler)
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        context = None
        if authority is not None:
            certificate, key = authority.issue("hook")
            context = tls(ServeSettings(certificate_file=str(certificate), key_file=str(key)))
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        scheme = "http" if context is None else "https"
        poster = made(f"{scheme}://127.0.0.1:{runner.addresses[0][1]}")
        try:
            return await poster.post(b"{}", {"webhook-id": "x"})
        finally:
            await poster.end()
            await runner.cleanup()

    return asyncio.run(story())


async def fine(_: web.Request) -> web.Response:
    """All is well."""
    return web.Response()


@pytest.mark.parametrize(
    ("status", "fate"),
    [
        *((status, Fate.TAKEN) for status in (200, 201, 204, 299)),
        *((status, Fate.REFUSED) for status in (400, 409, 413, 422, 431)),
        *(
            (status, Fate.FAILED)
            for status in (101, 301, 307, 401, 403, 404, 405, 408, 410, 425, 429, 500, 502, 503, 599)
        ),
    ],
)
def test_statuses(status: int, fate: Fate) -> None:
    """A message is passed over only where the answer is about the message; all else is tried again."""
    assert meaning(status, "").fate is fate


@pytest.mark.parametrize(
    ("header", "after_s"), [("7", 7.0), ("", 0.0), ("soon", 0.0), ("-1", 0.0), ("٣", 0.0), ("999999", AFTER_MAX_S)]
)
def test_patience_that_is_asked_for(header: str, after_s: float) -> None:
    """In seconds, up to five minutes; anything else is ignored."""
    assert meaning(429, header).after_s == after_s


def test_a_redirection_is_not_followed() -> None:
    """A signed message with a secret header goes to nobody but who was named."""

    async def elsewhere(_: web.Request) -> web.Response:
        raise web.HTTPTemporaryRedirect("/elsewhere")

    assert posting(elsewhere, lambda url: Poster(receiver(urls=[url]), 0)).fate is Fate.FAILED


def test_one_that_never_answers() -> None:
    """It is waited for no longer than `timeout_s`."""

    async def silent(_: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    answer = posting(silent, lambda url: Poster(receiver(urls=[url], timeout_s=0.2), 0))
    assert answer == Answer(Fate.FAILED, "no answer within 0.2 s")


def test_a_status_counts_before_its_body() -> None:
    """Who says that it took the message has taken it, however long the rest of the answer is."""

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"." * 1_000_000)
        return response

    assert posting(endless, lambda url: Poster(receiver(urls=[url]), 0)).fate is Fate.TAKEN


def test_nobody_there() -> None:
    """Said without the URL, which may be a secret."""
    answer = posting(fine, lambda _: Poster(receiver(urls=["http://127.0.0.1:9/secret"]), 0))
    assert answer.fate is Fate.FAILED
    assert answer.why.startswith("cannot be reached: ")
    assert "secret" not in answer.why


def test_secrets_from_files(tmp_path: Path) -> None:
    """URL and authorization are read for every message; a file that is gone makes it fail, not end."""
    seen: list[tuple[str, str]] = []
    where, who = tmp_path / "url", tmp_path / "who"
    who.write_text("Bearer one\nmore\n")

    async def note(request: web.Request) -> web.Response:
        seen.append((request.path, request.headers["Authorization"]))
        return web.Response()

    def made(url: str) -> Poster:
        where.write_text(f"{url}/T0/B0\n")
        poster = Poster(receiver(urls=[], url_file=str(where), authorization_file=str(who)), 0)
        who.write_text("Bearer two\n")
        return poster

    assert posting(note, made).fate is Fate.TAKEN
    assert seen == [("/T0/B0", "Bearer two")]

    def gone(url: str) -> Poster:
        poster = made(url)
        who.unlink()
        return poster

    answer = posting(note, gone)
    assert answer.fate is Fate.FAILED
    assert "notify.receivers.chat.authorization_file" in answer.why


@pytest.mark.parametrize("content", [None, "", "\nx", "é", "http://me:secret@a/"])
def test_files_that_do_not_fit(tmp_path: Path, content: str | None) -> None:
    """Refused before anything begins, with key and file, and nothing of what stands in it."""
    file = tmp_path / "url"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigError, match=r"notify\.receivers\.chat\.url_file: .*url: ") as caught:
        Poster(receiver(urls=[], url_file=str(file)), 0)
    assert "me:" not in str(caught.value)


@pytest.mark.parametrize("key", ["ca_file", "certificate_file"])
def test_certificates_that_do_not_fit(tmp_path: Path, key: str) -> None:
    """Likewise."""
    (tmp_path / "pem").write_text("no PEM")
    for file in ("pem", "none"):
        with pytest.raises(ConfigError, match=rf"notify\.receivers\.chat\.{key}: .*{file}: "):
            Poster(receiver(**{key: str(tmp_path / file)}), 0)


def test_certificates(tmp_path: Path) -> None:
    """A receiver whose certificate nobody signed who is trusted is told nothing."""
    authority = Authority(tmp_path / "authority")
    trusting = posting(fine, lambda url: Poster(receiver(urls=[url], ca_file=str(authority.certificate)), 0), authority)
    assert trusting.fate is Fate.TAKEN
    stranger = posting(fine, lambda url: Poster(receiver(urls=[url]), 0), authority)
    assert stranger == Answer(Fate.FAILED, "its certificate is not trusted")


def test_waiting() -> None:
    """Longer after each failure up to a limit, at least as long as was asked for, and short again after success."""
    patience = Patience(1.0, 60.0)
    waits = [patience.longer() for _ in range(40)]
    assert all(2**n <= wait <= 1.5 * 2**n for n, wait in enumerate(waits[:6]))
    assert all(60 <= wait <= 90 for wait in waits[6:])
    assert len(set(waits)) == len(waits)
    assert patience.longer(200.0) >= 200
    patience.restored()
    assert patience.longer() <= 1.5
