"""Whole batches of records that are almost events: nothing is raised and every count adds up."""

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.requests import START_S
from tests.schemas.strategy import json_values
from tests.streams.pipeline.hostile import run

near = st.integers(START_S, START_S + 100_000)
times = near | st.integers(-(2**63), 2**64) | st.floats(allow_nan=False)
texts = st.sampled_from(["", "a", "b", "%", "%00", "\x00", "/people/7", "/search/people"]) | st.text(max_size=20)
odd = st.none() | texts | json_values
fields: dict[str, st.SearchStrategy[Any]] = {
    "http.response.status_code": st.sampled_from([200, 304, 404, 410, 403, 429, 500]) | odd,
    "http.route": odd,
    "url.query": st.sampled_from(["q=a", "q=%", "q", "&&"]) | odd,
    "client.address": st.sampled_from(["203.0.113.9", "2001:db8::1", "::ffff:1.2.3.4", "fe80::1%eth0"]) | odd,
    "user.id": odd,
    "session.id": odd,
    "client.as.number": st.integers(-1, 2**33) | odd,
    "tls.client.ja4": st.sampled_from(["f" * 44, "f" * 45]) | odd,
    "weir.target.id": odd,
    "weir.targets": st.lists(texts, max_size=40) | odd,
    "weir.account.tier": odd,
    "weir.account.created_at": times | odd,
    "user_agent.original": odd,
    "client.geo.country_iso_code": odd,
}
events: st.SearchStrategy[dict[str, Any]] = st.builds(
    dict,
    st.fixed_dictionaries(
        {
            "@timestamp": st.one_of(near, near, near, times),
            "http.request.method": st.sampled_from(["GET", "POST", ""]),
            "url.path": st.sampled_from(["/people/7", "/people/%", "/search/people", "/contacts/lookup/x"]) | texts,
        },
        optional=fields,
    ),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.lists(events.map(lambda event: json.dumps(event).encode()) | st.none() | st.binary(max_size=20), max_size=30))
def test_batches_of_almost_events(values: list[bytes | None]) -> None:
    """Observed and judged whole and in pieces, in one partition and in three: the same records, the same rows."""
    whole, pieces = run(values), run(values, step=7, parts=3)
    for name in ("disclosed", "missed", "asked", "denied", "other", "dead", "profiles", "cut", "created_ahead"):
        assert whole.counts.get(name) == pieces.counts.get(name)
