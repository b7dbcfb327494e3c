"""What `weir serve` shows, and where it listens."""

import asyncio
import resource
import ssl
from pathlib import Path

import aiohttp
import pytest

from schemas.errors import ConfigError, TransportError
from streams.serve import keys
from streams.serve.api import Api
from streams.serve.listener import Listener, address, tls
from streams.serve.server import raise_limit
from streams.settings import ServeSettings
from tests.broker.secure import Authority
from tests.streams.pipeline.enforce.saying import T0_US
from tests.streams.serve.serving import Known


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Signs certificates."""
    return Authority(tmp_path / "authority")


def test_a_certificate(authority: Authority, tmp_path: Path) -> None:
    """Who trusts the authority is answered over TLS 1.2 or newer; plain HTTP is not answered at that port."""
    certificate, key = authority.issue("weir")
    context = tls(ServeSettings(certificate_file=str(certificate), key_file=str(key)))
    assert context is not None
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2

    async def story() -> None:
        listener = Listener(Api(Known(), keys.Keys(tmp_path / "none"), lambda: T0_US).application(), finish_s=0.1)
        at = await listener.begin("127.0.0.1", 0, context)
        try:
            trusting = ssl.create_default_context(cafile=str(authority.certificate))
            async with aiohttp.ClientSession() as session:
                async with session.get(f"https://{at}/health", ssl=trusting) as got:
                    assert got.status == 200
                with pytest.raises(aiohttp.ClientError):
                    await session.get(f"http://{at}/health")
        finally:
            await listener.end()

    asyncio.run(story())


@pytest.mark.parametrize("which", ["another key", "an encrypted key", "no certificate"])
def test_files_that_do_not_fit(authority: Authority, which: str) -> None:
    """One line with both files; nothing asks at a terminal."""
    certificate, key = authority.issue("weir")
    other = authority.issue("other", password="secret" if which == "an encrypted key" else None)
    shown, own = (key, None) if which == "no certificate" else (certificate, other[1])
    with pytest.raises(ConfigError, match=r"serve\.certificate_file: .*no PEM with its own key"):
        tls(ServeSettings(certificate_file=str(shown), key_file=str(own or "")))


def test_an_address_that_is_taken(tmp_path: Path) -> None:
    """One line that names it."""

    async def story() -> None:
        first, second = (
            Listener(Api(Known(), keys.Keys(tmp_path / "none"), lambda: T0_US).application()) for _ in range(2)
        )
        host, _, port = (await first.begin("127.0.0.1", 0)).rpartition(":")
        try:
            with pytest.raises(TransportError, match=rf"serve\.listen {host}:{port}"):
                await second.begin(host, int(port))
        finally:
            await first.end()
            await second.end()

    asyncio.run(story())


@pytest.mark.parametrize(
    ("listen", "place"),
    [("127.0.0.1:8080", ("127.0.0.1", 8080)), ("[::1]:0", ("::1", 0)), ("weir.example:80", ("weir.example", 80))],
)
def test_addresses(listen: str, place: tuple[str, int]) -> None:
    """Of both versions of IP, and by name."""
    assert address(ServeSettings(listen=listen)) == place


def test_how_many_files_may_be_open() -> None:
    """As many as are wanted, up to the hard limit; never fewer than before."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        for soft, wanted, becomes in ((1_000, 1_001, 1_001), (1_000, before[1] + 1, before[1]), (1_000, 999, 1_000)):
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, before[1]))
            raise_limit(wanted)
            assert resource.getrlimit(resource.RLIMIT_NOFILE) == (becomes, before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
