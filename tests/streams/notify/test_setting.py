"""``[notify]``: what is refused, and where the mistake stands."""

import pytest

from schemas.errors import ConfigError
from streams.config import parse, revision
from streams.notify.setting import refusal

GOOD = '[[notify.receivers]]\nname = "a"\nkind = "webhook"\nurls = ["https://a.example/x?y=1"]\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (GOOD + GOOD, r"f:6: notify\.receivers\[1\]\.name: two receivers are called 'a'"),
        (GOOD.replace('"a"', '"ocsf"'), r"f:2: notify\.receivers\[0\]\.name: this is the name of a format"),
        (GOOD.replace('"a"', '"A b"'), r"f:2: notify\.receivers\[0\]\.name: "),
        (GOOD.replace("webhook", "pager"), r"f:3: notify\.receivers\[0\]\.kind: "),
        (GOOD.replace("https://", "ftp://"), r"f:4: notify\.receivers\[0\]\.urls\[0\]: this is not http"),
        (GOOD.replace("a.example", "me:secret@a.example"), r"f:4: .*: a name and password stand in no URL"),
        (GOOD + 'url_file = "x"\n', r"f:4: .*: needs either urls or url_file"),
        (
            GOOD.replace("webhook", "alertmanager").replace("?y=1", "") + 'secret_file = "x"\n',
            r"f:5: .*: only a webhook is signed",
        ),
        (GOOD.replace("webhook", "alertmanager"), r"f:4: .*: Alertmanager's base URL has no \?query"),
        (GOOD + 'key_file = "x"\n', r"f:5: .*: needs certificate_file"),
        (GOOD + "timeout_s = 0.0\n", r"f:5: .*timeout_s: "),
        (GOOD + 'secret = "x"\n', r"f:5: .*secret: "),
        ('[notify.labels]\n"a-b" = "x"\n', r"f:2: notify\.labels\.a-b: no name of a label"),
        ('[notify.labels]\nseverity = "x"\n', r"f:2: notify\.labels\.severity: Weir itself gives this label"),
        ('[notify]\nformats = ["xml"]\n', r"f:2: notify\.formats"),
        ("[notify]\nresend_s = 0\n", r"f:2: notify\.resend_s: "),
    ],
)
def test_mistakes(text: str, told: str) -> None:
    """One line with file, line, key and reason, and nothing of a password."""
    with pytest.raises(ConfigError, match=rf"^{told}") as caught:
        parse(text, "f")
    assert "me:secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://a", "https://a.example:9093/am", "http://[::1]:9093", "http://10.0.0.1/?a=b", "https://a/%C3%A9"]
)
def test_urls(url: str) -> None:
    """What a program can post to."""
    assert refusal(url) == ""


@pytest.mark.parametrize(
    "url", ["a:9093", "http://", "http:///x", "http://a b/", "http://a/é", "http://a#b", "http://a:0"]
)
def test_no_urls(url: str) -> None:
    """What it cannot, or not without guessing."""
    assert refusal(url).startswith("this is not http")


def test_receivers_change_no_decision() -> None:
    """Who is told is no part of a revision."""
    assert revision(parse(GOOD)) == revision(parse(""))
