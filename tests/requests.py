"""Requests written by hand: one line a request, with only what matters said."""

import json
from typing import Any, Final

START_S: Final = 1_800_000_000
"""A whole hour in January 2027."""
FINGERPRINT: Final = "t13d1516h2_8daaf6152771_02713d6af862"


def request_of(
    at_s: float,
    profile: str,
    *,
    account: str | None = None,
    session: str | None = None,
    ip: str | None = "203.0.113.9",
    asn: int | None = None,
    fingerprint: str | None = None,
    tier: str | None = None,
    status: int = 200,
    **more: object,
) -> bytes:
    """A view of ``profile``; ``more`` sets further keys, dots spelled as ``__``."""
    fields: dict[str, object] = {
        "@timestamp": round(at_s * 1_000_000),
        "http.request.method": "GET",
        "url.path": f"/people/{profile}",
        "http.response.status_code": status,
        "user.id": account,
        "session.id": session,
        "client.address": ip,
        "client.as.number": asn,
        "tls.client.ja4": fingerprint,
        "weir.account.tier": tier,
    }
    fields |= {key.replace("__", "."): value for key, value in more.items()}
    return json.dumps({key: value for key, value in fields.items() if value is not None}).encode()


def views(
    start_s: float, count: int, gap_s: float = 1.0, *, first: int = 0, prefix: str = "p", **common: Any
) -> list[bytes]:
    """Views of ``count`` profiles ``p0``, ``p1``, ... one every ``gap_s``."""
    return [request_of(start_s + n * gap_s, f"{prefix}{first + n}", **common) for n in range(count)]
