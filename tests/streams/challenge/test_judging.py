"""What may be a challenger."""

import pytest

from schemas.errors import UsageError
from streams.challenge.judging import Judging, challenger_of
from streams.config import parse, revision
from streams.publication import Publication, published
from streams.settings import Settings

LIVE = '[kafka]\nprefix = "eu."\n[metrics]\nlisten = "127.0.0.1:9464"\n[detectors.long_tail]\nmode = "off"\n'


def publication(settings: Settings) -> Publication:
    """``settings`` as published."""
    return Publication(published(settings, "operator:me", "a test", 0, 0), settings, 0)


def test_what_is_hot_may_differ_and_what_is_a_processs_own_is_the_live_files() -> None:
    """A detector that is off live may be on: the challenger has a state of its own."""
    text = '[kafka]\nprefix = "us."\n[detectors.long_tail]\nmode = "enforce"\n[policy]\ncooldown_s = 60\n'
    live, tried = parse(LIVE), parse(text)
    made = challenger_of(live, tried, [])
    assert (made.kafka, made.metrics) == (live.kafka, live.metrics)
    assert (made.detectors, made.policy) == (tried.detectors, tried.policy)
    assert Judging(made, 1, 2, lambda: 0).revision == revision(tried) != revision(live)


@pytest.mark.parametrize("known", [False, True], ids=["file", "published"])
def test_what_takes_a_restart_is_refused_with_its_keys(known: bool) -> None:
    """Against what was published last, and where nothing was, against the live file."""
    other, live = parse(LIVE + "[memory]\nactors_max = 77777\n"), parse(LIVE)
    publications = [publication(other), publication(live)] if known else []
    with pytest.raises(UsageError, match=r"no challenger to .*: memory\.actors_max differ; "):
        challenger_of(other if known else live, other, publications)
    challenger_of(other if known else live, live, publications)
