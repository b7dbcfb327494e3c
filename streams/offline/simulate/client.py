"""Programs that make requests: the browsers people share, and the libraries of scrapers that nobody else has."""

import re
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

WINDOWS: Final = "Mozilla/5.0 (Windows NT 10.0; Win64; x64)"
MAC: Final = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)"
LINUX: Final = "Mozilla/5.0 (X11; Linux x86_64)"
FIREFOX_WINDOWS: Final = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0)"
FIREFOX_LINUX: Final = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0)"
ANDROID: Final = "Mozilla/5.0 (Linux; Android 10; K)"
IPHONE: Final = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X)"
_VERSION: Final = re.compile(r"(Chrome|Version|Firefox|Platform)/(\d+)")
CHROME: Final = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0"
SAFARI: Final = "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1"
CHROME_JA4: Final = "t13d1516h2_8daaf6152771_d8a2da3f94cd"
FIREFOX_JA4: Final = "t13d1717h2_5b57614c22b0_3cbfd9057e0d"
SAFARI_JA4: Final = "t13d2014h2_a09f3c656075_e42f34c56612"


@dataclass(frozen=True, slots=True)
class Client:
    """A program.

    Attributes:
        ja4: Of its TLS hello.
        user_agent: What it calls itself.
        share: Among the programs of its device.
        prefetches: Whether it asks for the next profiles of a list before anybody wants them.
    """

    ja4: str
    user_agent: str
    share: float = 0.0
    prefetches: bool = False


DESKTOPS: Final = (
    Client(CHROME_JA4, f"{WINDOWS} {CHROME} Safari/537.36", 0.42),
    Client(CHROME_JA4, f"{MAC} {CHROME} Safari/537.36", 0.13),
    Client(CHROME_JA4, f"{LINUX} {CHROME} Safari/537.36", 0.03),
    Client("t13d1516h2_8daaf6152771_02713d6af862", f"{WINDOWS} {CHROME} Safari/537.36", 0.06),
    Client("t13d1517h2_8daaf6152771_b0da82dd1658", f"{WINDOWS} {CHROME} Safari/537.36 Edg/142.0.0.0", 0.13),
    Client(SAFARI_JA4, f"{MAC} {SAFARI} Safari/605.1.15", 0.12),
    Client(FIREFOX_JA4, f"{FIREFOX_WINDOWS} Gecko/20100101 Firefox/145.0", 0.06),
    Client("t13d1715h2_5b57614c22b0_5c2c66f702b0", f"{FIREFOX_LINUX} Gecko/20100101 Firefox/140.0", 0.02),
    Client("t13d1516h2_8daaf6152771_e5627efa2ab1", f"{WINDOWS} {CHROME} Safari/537.36 OPR/124.0.0.0", 0.03),
)
PHONES: Final = (
    Client(CHROME_JA4, f"{ANDROID} {CHROME} Mobile Safari/537.36", 0.36),
    Client("t13d1516h2_8daaf6152771_806a8c22fdea", f"{ANDROID} SamsungBrowser/28.0 {CHROME} Mobile", 0.06),
    Client(SAFARI_JA4, f"{IPHONE} {SAFARI} Mobile/15E148 Safari/604.1", 0.26),
    Client("t13d2013h2_a09f3c656075_7f0f34a4126d", "Platform/9.4 (iPhone; iOS 26.1)", 0.16),
    Client("t13d1312h2_f57a46bbacb6_14788d8d241b", "Platform/9.4 (Android 15) okhttp/4.12.0", 0.16, prefetches=True),
)
CLIENTS: Final = DESKTOPS + PHONES
"""Desktops first, then phones: a client's number is its place here."""

PREFETCHES: Final = np.array([client.prefetches for client in CLIENTS])
"""By client number."""

BROWSES_BY_SAFARI: Final = np.array([SAFARI in client.user_agent for client in CLIENTS])
"""By client number; beneath it a relay may run."""

MONITOR: Final = Client("t13d1311h1_f57a46bbacb6_ab7e3b40a677", "uptime-probe/3.2")
COLLECTOR: Final = Client("t13d1714h2_5b57614c22b0_e54631d3f9b1", "partner-sync/2.4 (Java/21)")
SEARCH_BOT: Final = Client(
    "t13d1515h2_8daaf6152771_45f260be83e2",
    "Mozilla/5.0 (compatible; Searchbot/2.1; +https://search.example/bot)",
)
"""Programs without anybody before them; each has its hello for itself."""
PYTHON_REQUESTS: Final = Client("t13d1812h1_85036bcba153_375ca2c5e164", "python-requests/2.32.5")
GO_HTTP: Final = Client("t13d1909h2_9dc949149365_97f8aa674fd9", f"{WINDOWS} {CHROME} Safari/537.36")
CURL: Final = Client("t13d3112h2_e8f1e7e78f70_b26ce05bbdd6", f"{MAC} {CHROME} Safari/537.36")
HEADLESS: Final = DESKTOPS[0]
"""A browser without a screen: cannot be told from the commonest one by its hello or name."""


def updated(client: Client) -> Client:
    """The program's next version: it calls itself otherwise, and has the same TLS hello."""
    newer = _VERSION.sub(lambda found: f"{found[1]}/{int(found[2]) + 1}", client.user_agent, count=1)
    return replace(client, user_agent=newer)


def draw_devices(rng: np.random.Generator, count: int) -> NDArray[np.int64]:
    """Client numbers, shape (count, 2): each person's desktop and phone."""
    desktop = rng.choice(len(DESKTOPS), size=count, p=_shares(DESKTOPS))
    phone = rng.choice(len(PHONES), size=count, p=_shares(PHONES)) + len(DESKTOPS)
    return np.column_stack((desktop, phone)).astype(np.int64)


def _shares(clients: tuple[Client, ...]) -> NDArray[np.float64]:
    share = np.array([client.share for client in clients], np.float64)
    share /= share.sum()
    return share
