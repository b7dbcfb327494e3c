"""What of the configuration says which requests disclose profiles: ``[[surfaces]]`` and ``[surface_sets]``."""

from typing import Annotated, Final, Literal

import msgspec

PROFILE: Final = "{profile}"
"""Stands for the id in a path."""


class Surface(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[[surfaces]]``: requests that disclose profiles."""

    kind: Literal["view", "search", "lookup", "list"]
    path: Annotated[str, msgspec.Meta(pattern="^/")]
    """``{profile}`` is the profile's id, ``*`` one segment, ``**`` the rest; matched against path and route. Behind a
    ``?`` stand parameters of the query that must be there, ``/member.php?action=profile&uid={profile}``."""
    method: str | None = None
    """Any when absent."""
    query: str | None = None
    """The parameter that is searched for."""
    except_ids: tuple[Annotated[str, msgspec.Meta(min_length=1, max_length=200)], ...] = ()
    """Segments of the path that are no id, as ``me`` and ``sign_in``; ``*.png`` is whatever ends like that."""


SetName = Literal[
    "rest", "handles", "fediverse", "discourse", "wordpress", "forums", "gitlab", "gitea",
]  # fmt: skip


class SurfaceSetSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[surface_sets]``: ready surfaces of widespread software, behind those of one's own."""

    use: tuple[SetName, ...] = ()
    """Which, in this order; `weir surfaces list` says what each has. The first surface that matches counts."""


DEFAULT_SURFACES: Final = (
    Surface(kind="view", method="GET", path="/people/{profile}"),
    Surface(kind="search", path="/search/people", query="q"),
    Surface(kind="lookup", path="/contacts/lookup/{profile}"),
    Surface(kind="list", path="/people/*/connections"),
)
