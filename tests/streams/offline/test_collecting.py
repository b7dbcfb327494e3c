"""What collectors took, counted from sightings as observe writes them."""

from collections.abc import Sequence
from datetime import date

import msgspec
import pytest

from schemas.alert import ALERT_CODEC
from schemas.block import BLOCK_CODEC
from schemas.collector_day import CollectorDay, Decided
from schemas.event_time import format_time, parse_time_us
from streams.config import parse
from streams.offline.collecting import Counter, Reach, counted, day_at, decided_on, entry_on, span_us
from streams.offline.collectors import NOT_COUNTED, best, days_of, markdown, month_of
from streams.pipeline.batch import Batch
from streams.pipeline.observe.observer import Observer
from streams.pipeline.sightings import Sightings, decode
from streams.settings import Collector
from tests.contract.golden_file import lines
from tests.requests import request_of, views

DAY = date(2026, 11, 24)
START_S = span_us(DAY)[0] // 1_000_000
ENTRY = Collector("account:crm", 10, "sales", "contract", date(2027, 6, 30))


def observed(values: Sequence[bytes], lo: int = 0) -> Sightings:
    """Sightings of records that begin at offset ``lo``."""
    settings = parse("")
    observer = Observer(settings.input, settings.surfaces, 1, settings.bots, settings.groups, None)
    message = observer.observe(Batch("t", 0, lo, lo + len(values), list(values))).messages[0]
    assert message is not None
    return decode(message)


def day_of(**fields: object) -> CollectorDay:
    """A day of the collector."""
    known = counted(ENTRY, DAY, Counter([]).of("account:crm", DAY), [], [])
    return msgspec.structs.replace(known, **fields)


def test_profiles_are_distinct_and_requests_are_not() -> None:
    """One profile seen three times is one profile and three requests; a miss is a request that showed nothing."""
    counter = Counter(["account:crm"])
    values = views(START_S, 5, account="crm") + views(START_S + 9, 3, account="crm")
    values += [request_of(START_S + 20, "gone", account="crm", status=404), *views(START_S, 7, account="other")]
    counter.take(observed(values))
    found = counter.of("account:crm", DAY)
    assert (found.requests, len(found.profiles), found.surfaces["view"]) == (9, 5, 9)


def test_a_search_is_one_request_with_many_profiles() -> None:
    """What it disclosed counts; one that disclosed nothing is empty; a page is no request for profiles."""
    counter = Counter(["account:crm"])
    search = {"account": "crm", "url__path": "/search/people", "url__query": "q=li"}
    values = [request_of(START_S, "", **search, weir__targets=["a", "b", "c"]), request_of(START_S + 1, "", **search)]  # type: ignore[arg-type]  # fields of several types
    values.append(request_of(START_S + 2, "", account="crm", url__path="/about"))
    counter.take(observed(values))
    found = counter.of("account:crm", DAY)
    assert (found.requests, len(found.profiles)) == (2, 3)
    assert (found.surfaces["search"], found.surfaces["empty"], found.surfaces["view"]) == (1, 1, 0)


def test_days_end_at_midnight_utc() -> None:
    """The last microsecond belongs to the day, the next to the other one."""
    counter = Counter(["account:crm"])
    counter.take(observed(views(START_S + 86_399.999999, 1, account="crm") + views(START_S + 86_400, 2, account="crm")))
    assert [counter.of("account:crm", date(2026, 11, day)).requests for day in (24, 25, 26)] == [1, 2, 0]
    assert counter.heard == {date(2026, 11, 24), date(2026, 11, 25)}


def test_what_comes_again_counts_once() -> None:
    """Observe sends again after a crash what it may have sent: the same offsets, cut otherwise."""
    counter = Counter(["account:crm"])
    values = views(START_S, 10, account="crm")
    counter.take(observed(values[:6]))
    counter.take(observed(values[3:], lo=3))
    assert counter.of("account:crm", DAY).requests == 10
    counter.take(observed(values), destination=1)
    assert counter.of("account:crm", DAY).requests == 20


def test_an_address_answers_for_visitors_alone() -> None:
    """As policy has it: what accounts do from there is not the address's."""
    counter = Counter(["ip:203.0.113.9"])
    counter.take(observed(views(START_S, 4) + views(START_S, 3, account="crm")))
    assert counter.of("ip:203.0.113.9", DAY).requests == 4


@pytest.mark.parametrize(
    ("from_s", "to_s", "missing"),
    [
        (0, 86_400, []),
        (1, 86_400, ["what came before 2026-11-24T00:00:01.000Z"]),
        (0, 86_399, ["what came after 2026-11-24T23:59:59.000Z"]),
        (-9, 0, [NOT_COUNTED]),
        (86_400, 99_999, [NOT_COUNTED]),
    ],
)
def test_what_is_missing_is_said(from_s: int, to_s: int, missing: list[str]) -> None:
    """Each side of both ends; a day outside is not known at all."""
    reach = Reach((START_S + from_s) * 1_000_000, (START_S + to_s) * 1_000_000)
    assert reach.missing(DAY) == missing


def test_a_day_on_which_nobody_came_is_a_hole() -> None:
    """In logs, where a file may have been forgotten."""
    reach = Reach(0, 1 << 60, {date(2026, 11, 25)})
    assert reach.missing(DAY) == ["nobody at all asked for anything: is a log missing?"]
    assert reach.missing(date(2026, 11, 25)) == []


def test_the_entry_of_the_day() -> None:
    """The larger quota of those in force, to the last day of it; then the one that ended last."""
    small = Collector("account:crm", 10, "a", "x", date(2026, 12, 31))
    large = Collector("account:crm", 50, "b", "y", DAY)
    assert entry_on([small, large], DAY) is large
    assert entry_on([small, large], date(2026, 11, 25)) is small
    assert entry_on([small, large], date(2027, 1, 1)) is small


def test_decisions_on_a_collector_and_in_its_place() -> None:
    """Its alerts, blocks on it, and blocks of its incidents on another actor; nothing of anybody else."""
    alert = ALERT_CODEC.decode(lines("alert.v1")[0])
    block = msgspec.structs.replace(BLOCK_CODEC.decode(lines("block.v1")[0]), incident="another")
    in_place = msgspec.structs.replace(block, id="other", incident=alert.incident)
    found = decided_on([alert.actor.key], [alert, alert], [block, in_place])
    assert {one.id for one in found[alert.actor.key]} == {alert.id, "other"}
    assert decided_on(["account:nobody"], [alert], [block, in_place]) == {"account:nobody": []}


def test_decisions_stand_on_their_day() -> None:
    """By the time of the event that made them."""
    at = [format_time(span_us(DAY)[0] - 1000), format_time(span_us(DAY)[0]), format_time(span_us(DAY)[1])]
    decided = [Decided(str(n), "i", time, "x") for n, time in enumerate(at)]
    found = counted(ENTRY, DAY, Counter([]).of("x", DAY), decided, [])
    assert [one.id for one in found.decided] == ["1"]


def test_the_most_complete_count_wins() -> None:
    """A whole one over a partial one with more in it, whichever came first; the decisions of both are told."""
    one, other = (
        Decided("a", "i", format_time(START_S * 1_000_000), "alert"),
        Decided("b", "i", "2026-11-24T09", "block"),
    )
    whole, partial = day_of(requests=5, decided=[one]), day_of(requests=9, missing=["x"], decided=[other])
    for order in ([whole, partial], [partial, whole]):
        found = best(order)["account:crm", "2026-11-24"]
        assert (found.requests, [each.id for each in found.decided]) == (5, ["a", "b"])


def test_only_days_that_have_ended() -> None:
    """Of the running month up to yesterday, of a past one all, of one to come none."""
    assert days_of("2026-11", date(2026, 11, 3)) == [date(2026, 11, 1), date(2026, 11, 2)]
    assert len(days_of("2028-02", date(2030, 1, 1))) == 29
    assert days_of("2026-12", date(2026, 11, 3)) == []


def test_the_month() -> None:
    """Days above the quota, days that are not known, sums; and a collector that is no longer configured."""
    days = days_of("2026-11", date(2026, 11, 27))
    told = [day_of(day="2026-11-24", profiles=11, requests=12), day_of(day="2026-11-25", profiles=10, requests=10)]
    told.append(day_of(day="2026-11-26", profiles=99, missing=["some"], expires="2026-11-25"))
    told.append(day_of(actor="account:gone", day="2026-11-24"))
    found = month_of("2026-11", days, ["account:crm"], best(told), ["what was read"])
    crm, gone = found.collectors
    assert (crm.actor, gone.actor) == ("account:crm", "account:gone")
    assert crm.days_above == ["2026-11-24", "2026-11-26"]
    assert (crm.profiles, crm.requests, len(crm.days_missing)) == (120, 22, 24)
    assert not found.complete
    text = markdown(found)
    assert "| 2026-11-01 to 2026-11-23 | not known |" in text
    assert "| 2026-11-24 | 12 | **11** | 10 |" in text
    assert "| expired |" in text
    assert "* what was read" in text
    assert month_of("2026-11", days[-2:], ["account:crm"], best(told[:2]), []).complete is False
    assert month_of("2026-11", days[-3:-1], ["account:crm"], best(told[:2]), []).complete is True


def test_what_others_wrote_stays_in_its_cell() -> None:
    """A reason with a column, a link or a line end in it makes none."""
    days = [DAY]
    told = best([day_of(reason="a|b\n# c [d](e) <f>", profiles=1)])
    text = markdown(month_of("2026-11", days, ["account:crm"], told, []))
    assert "a\\|b \\# c \\[d\\](e) \\<f\\>" in text


def test_what_others_wrote_is_no_link() -> None:
    """Nor an address as it stands, nor a character by its number, nor struck out; no control character is left."""
    told = best(
        [day_of(owner="see https://x.example/ or WWW.x.example", reason="~~no~~ &lt;b&gt; \x1b[2J\u202e", profiles=1)]
    )
    text = markdown(month_of("2026-11", [DAY], ["account:crm"], told, []))
    assert "see https\\://x.example/ or WWW\\.x.example" in text
    assert "\\~\\~no\\~\\~ \\&lt;b\\&gt;  \\[2J" in text
    assert not {"\x1b", "\u202e"} & set(text)


def test_day_of_a_time() -> None:
    """UTC."""
    assert day_at(parse_time_us("2026-11-24T23:59:59.999Z")) == DAY
