"""Identity that the input alone decides, so that a replayed decision is the same decision."""

from hashlib import blake2b
from typing import Final

_VERSION: Final = b"weir.id.v1"
_DIGEST_BYTES: Final = 16


def stable_id(*parts: str | int) -> str:
    """32 hex digits (128 bits of BLAKE2b) over ``parts``, the same in every process and on every machine.

    Parts are framed: their number, order, kinds and ends all count, so ``("ab", "c")``, ``("a", "bc")`` and ``(1,)``
    against ``("1",)`` differ. Begin with a word for what is named (``"incident"``), so that kinds never share an id.
    """
    digest = blake2b(digest_size=_DIGEST_BYTES, person=_VERSION)
    for part in parts:
        digest.update(_framed(part))
    return digest.hexdigest()


def _framed(part: str | int) -> bytes:
    kind = b"s" if isinstance(part, str) else b"i"
    # Access logs may hold bytes that are no UTF-8, read with surrogates in their place: they too need an id.
    body = str(part).encode("utf-8", "surrogatepass")
    return kind + len(body).to_bytes(8, "big") + body
