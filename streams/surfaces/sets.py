"""Ready surfaces of widespread software, by name.

A profile has one id wherever it is shown, as far as that can be had: who opens one by a page and the call behind it is
shown one. Where software knows people by a name here and a number there, the page counts, or the call that stands for
it. What servers ask of each other is left out.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from streams.surfaces.setting import SetName, Surface

ASSETS: Final = tuple(
    f"*.{ending}"
    for ending in (
        "avif", "bmp", "css", "gif", "ico", "jpeg", "jpg", "js", "map", "mjs", "mp3", "mp4", "pdf", "png", "svg", "ttf",
        "txt", "wasm", "webm", "webmanifest", "webp", "woff", "woff2", "xml", "zip",
    )
)  # fmt: skip
PAGES: Final = (
    "about", "activate", "activation", "active", "add", "all", "auth", "autocomplete", "avatar", "avatars", "batch",
    "bulk", "callback", "cancel", "check", "confirm", "confirmation", "count", "create", "current", "edit", "exists",
    "export", "find", "forgot", "forgot-password", "import", "index", "invitation", "invitations", "invite", "list",
    "log-in", "log-out", "log_in", "log_out", "login", "logout", "lookup", "me", "new", "online", "page", "password",
    "password-reset", "preferences", "recent", "refresh", "register", "registration", "reset", "reset-password",
    "search", "self", "session", "sessions", "settings", "sign-in", "sign-out", "sign-up", "sign_in", "sign_out",
    "sign_up", "signin", "signout", "signup", "stats", "suggest", "suggestions", "top", "unlock", "validate", "verify",
    "whoami",
)  # fmt: skip
"""What stands where an id would and is none: a person's own page, and those of the sign-in."""
NO_IDS: Final = (*PAGES, *ASSETS)


@dataclass(frozen=True, slots=True)
class SurfaceSet:
    """Surfaces of one shape, and what it is good for."""

    fits: str
    """Which software, and what is left out."""
    surfaces: tuple[Surface, ...]


def _view(*paths: str, but: tuple[str, ...] = NO_IDS) -> Iterator[Surface]:
    for path in paths:
        excepted = but if "{profile}" in path.partition("?")[0] else ()
        yield Surface("view", path, "GET", except_ids=excepted)


def _search(path: str, query: str) -> Surface:
    return Surface("search", path, "GET", query)


def _list(*paths: str) -> Iterator[Surface]:
    for path in paths:
        yield Surface("list", path, "GET")


def _rest() -> Iterator[Surface]:
    for before in ("", "/api", "/api/*", "/v1", "/v2"):
        for name in ("users", "people", "members", "profiles"):
            yield _search(f"{before}/{name}/search", "q")
            yield from _view(f"{before}/{name}/{{profile}}.json")
            yield from _view(f"{before}/{name}/{{profile}}", but=(*NO_IDS, "*.json"))
        for name in ("users", "people"):
            yield from _list(
                *(f"{before}/{name}/*/{of}" for of in ("followers", "following", "connections", "friends"))
            )
    yield from _view("/user/{profile}", "/profile/{profile}", "/member/{profile}")
    yield _search("/search/users", "q")
    yield _search("/search/people", "q")


def _handles() -> Iterator[Surface]:
    yield from _list("/@{profile}/followers", "/@{profile}/following")
    yield from _view("/@{profile}", "/u/{profile}", "/in/{profile}", "/~{profile}")


def _fediverse() -> Iterator[Surface]:
    accounts = "/api/v1/accounts"
    apart = ("verify_credentials", "relationships", "familiar_followers", "search", "lookup")
    yield _search(f"{accounts}/search", "q")
    yield _search("/api/v2/search", "q")
    yield from _list("/api/v1/directory", f"{accounts}/*/followers", f"{accounts}/*/following")
    yield from _list("/@{profile}/followers", "/@{profile}/following")
    yield from _view(f"{accounts}/lookup?acct={{profile}}", "/@{profile}.rss", "/@{profile}.json")
    yield from _view("/@{profile}", f"{accounts}/{{profile}}", but=(*apart, *ASSETS))


def _discourse() -> Iterator[Surface]:
    apart = (
        "account-created", "admin-login", "check_email", "check_username", "hp", "is_local_username", "password-reset",
        "recent-searches", "second_factors", "trusted-session",
    )  # fmt: skip
    but = (*apart, *(f"{name}.json" for name in apart), *ASSETS)
    yield from _list("/directory_items", "/directory_items.json", "/groups/*/members", "/groups/*/members.json")
    for at in ("/u", "/users"):
        yield _search(f"{at}/search/users", "term")
        yield _search(f"{at}/search/users.json", "term")
        yield from _list(f"{at}/*/follow/followers", f"{at}/*/follow/following")
        yield Surface("lookup", f"{at}/by-external/{{profile}}.json", "GET")
        yield Surface("lookup", f"{at}/by-external/{{profile}}", "GET")
        paths = (f"{at}/{{profile}}{end}" for end in ("/summary.json", "/summary", "/card.json", ".json", ""))
        yield from _view(*paths, but=but)


def _wordpress() -> Iterator[Surface]:
    users = "/wp-json/wp/v2/users"
    yield _search(f"{users}?search=*", "search")
    yield from _list(users, "/?rest_route=/wp/v2/users")
    yield from _view(f"{users}/{{profile}}", "/?rest_route=/wp/v2/users/{profile}", "/?author={profile}")
    yield from _view("/author/{profile}", "/author/{profile}/page/*", but=ASSETS)


def _forums() -> Iterator[Surface]:
    for at in ("", "/*"):
        yield from _view(f"{at}/memberlist.php?mode=viewprofile&u={{profile}}")
        yield from _list(f"{at}/memberlist.php")
        yield from _view(f"{at}/member.php?action=profile&uid={{profile}}", f"{at}/member.php?u={{profile}}")
        yield from _view(f"{at}/index.php?action=profile&u={{profile}}")
        yield from _list(f"{at}/index.php?action=mlist", f"{at}/members/list")
        yield from _view(f"{at}/members/{{profile}}.html", f"{at}/user-{{profile}}.html", but=())
        yield from _view(f"{at}/members/{{profile}}", but=(*NO_IDS, "username-tooltip", "trophies", "banned"))


def _gitlab() -> Iterator[Surface]:
    users = "/api/v4/users"
    yield from _view(f"{users}?username={{profile}}")
    yield _search(f"{users}?search=*", "search")
    yield _search("/-/autocomplete/users.json", "search")
    yield from _list(users, f"{users}/*/followers", f"{users}/*/following")
    yield from _view(f"{users}/{{profile}}", "/users/{profile}/calendar.json")


def _gitea() -> Iterator[Surface]:
    users = "/api/v1/users"
    yield _search(f"{users}/search", "q")
    yield _search("/explore/users?q=*", "q")
    yield from _list("/explore/users", f"{users}/*/followers", f"{users}/*/following")
    yield from _view(f"{users}/{{profile}}", but=("search", *ASSETS))


SETS: Final[dict[SetName, SurfaceSet]] = {
    "rest": SurfaceSet(
        "APIs and pages at /users/7, /people/…, /members/… and /profiles/…, below /api, /api/…, /v1 or /v2 too",
        tuple(_rest()),
    ),
    "handles": SurfaceSet(
        "pages at /@name, /u/name, /in/name and /~name; not where /in/… is a language or a country", tuple(_handles())
    ),
    "fediverse": SurfaceSet(
        "Mastodon and what has its client API; without what servers ask of each other (/users/name, webfinger)",
        tuple(_fediverse()),
    ),
    "discourse": SurfaceSet("Discourse, and its plugin for followers", tuple(_discourse())),
    "wordpress": SurfaceSet(
        "WordPress: authors and the REST API; /?author=7 counts where it answers 200 or 404, not where it redirects",
        tuple(_wordpress()),
    ),
    "forums": SurfaceSet(
        "phpBB, vBulletin, MyBB, SMF and XenForo, at the root or one folder below; without previews on hovering",
        tuple(_forums()),
    ),
    "gitlab": SurfaceSet("GitLab: its API, and the calendar that each profile page loads", tuple(_gitlab())),
    "gitea": SurfaceSet(
        "Gitea and Forgejo: API and the list of users; pages at /name look like those of repositories", tuple(_gitea())
    ),
}


def with_sets(own: tuple[Surface, ...], use: tuple[SetName, ...]) -> tuple[Surface, ...]:
    """One's own surfaces, then those of the sets in their order, each once."""
    return tuple(dict.fromkeys([*own, *(one for name in use for one in SETS[name].surfaces)])) if use else own
