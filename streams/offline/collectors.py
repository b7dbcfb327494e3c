"""``weir collectors report``: a month of each authorised collector, as JSON and as Markdown."""

import calendar
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import groupby
from typing import Final

import msgspec
from msgspec.structs import replace

from schemas.collector_day import CollectorDay, Decided

_ADDRESS: Final = re.compile(r"(www(?=\.)|[a-z](?=://))(.)", re.IGNORECASE)
NOT_COUNTED: Final = "nothing of the day was counted"

_NOTES: Final = """\
Days are those of the calendar in UTC; Weir judges by any 24 hours, so it may have alerted on a day within the quota.
Requests are records that asked for profiles: pages and assets are not counted. Profiles are distinct within the day,
told apart by 64 bits of hash. A sum over days counts a profile once for each of them. What a collector asked for under
another actor than the one named here is not in it."""


class Line(msgspec.Struct, frozen=True):
    """One day of a collector; without `counted` nothing is known of it."""

    day: str
    counted: CollectorDay | None
    authorised: bool
    """The day lies before the entry's end."""
    above: bool


class Collected(msgspec.Struct, frozen=True):
    """One collector, as its entry stands at the end of the month."""

    actor: str
    owner: str
    reason: str
    expires: str
    quota: int
    requests: int
    profiles: int
    """Summed over days."""
    days_above: list[str]
    days_missing: list[str]
    """Days of which all or some is not known."""
    days: list[Line]


class Month(msgspec.Struct, frozen=True):
    """The report."""

    month: str
    until: str
    """Last day of it that has ended."""
    complete: bool
    """Every day of every collector was counted whole."""
    sources: list[str]
    """What was read, and how far it reaches."""
    collectors: list[Collected]


def days_of(month: str, today: date) -> list[date]:
    """Days of ``YYYY-MM`` that have ended on ``today``.

    Raises:
        ValueError: it is no month.
    """
    year, _, number = month.partition("-")
    first = date(int(year), int(number), 1)
    last = calendar.monthrange(first.year, first.month)[1]
    return [first.replace(day=day) for day in range(1, last + 1) if first.replace(day=day) < today]


def best(found: Iterable[CollectorDay]) -> dict[tuple[str, str], CollectorDay]:
    """One record for each actor and day: the most complete, of two alike the later; decisions of all together."""
    kept: dict[tuple[str, str], CollectorDay] = {}
    for one in found:
        key = one.actor, one.day
        other = kept.get(key)
        if other is None:
            kept[key] = one
            continue
        better = one if _worth(one) >= _worth(other) else other
        decided: dict[str, Decided] = {each.id: each for each in (*other.decided, *one.decided)}
        kept[key] = replace(better, decided=sorted(decided.values(), key=order))
    return kept


def order(one: Decided) -> tuple[str, str, str]:
    """By time, the alert before the block."""
    return one.at, one.what, one.id


def _worth(one: CollectorDay) -> tuple[bool, int]:
    return not one.missing, one.requests


def month_of(
    month: str,
    days: Sequence[date],
    actors: Sequence[str],
    known: Mapping[tuple[str, str], CollectorDay],
    sources: list[str],
) -> Month:
    """The report on ``actors``, and on those that ``known`` tells of besides: entries are taken out, too."""
    names = [day.isoformat() for day in days]
    everybody = list(dict.fromkeys([*actors, *sorted(actor for actor, day in known if day in set(names))]))
    found = [_collected(actor, names, known) for actor in everybody]
    told = [one for one in found if one is not None]
    complete = bool(names) and len(told) == len(everybody) and not any(one.days_missing for one in told)
    return Month(month, names[-1] if names else "", complete, sources, told)


def _collected(actor: str, names: Sequence[str], known: Mapping[tuple[str, str], CollectorDay]) -> Collected | None:
    told = [known[actor, name] for name in names if (actor, name) in known]
    if not told:
        return None
    lines = [_line(name, known.get((actor, name))) for name in names]
    last = told[-1]
    return Collected(
        actor=actor,
        owner=last.owner,
        reason=last.reason,
        expires=last.expires,
        quota=last.quota,
        requests=sum(one.requests for one in told),
        profiles=sum(one.profiles for one in told),
        days_above=[line.day for line in lines if line.above],
        days_missing=[line.day for line in lines if line.counted is None or line.counted.missing],
        days=lines,
    )


def _line(name: str, one: CollectorDay | None) -> Line:
    if one is None or NOT_COUNTED in one.missing:
        # What was decided is known all the same.
        return Line(name, one if one is not None and one.decided else None, one is None or name <= one.expires, False)
    return Line(name, one, name <= one.expires, one.above)


def markdown(report: Month) -> str:
    """The report for people."""
    lines = [f"# Authorised collectors, {report.month}", ""]
    if not report.until:
        lines += ["No day of it has ended.", ""]
    elif report.collectors and report.complete:
        lines += [f"All days up to {report.until} were counted whole.", ""]
    elif report.collectors:
        lines += [f"**Not all is known** of the days up to {report.until}; each collector lists what is missing.", ""]
    lines += [_NOTES.replace("\n", " "), ""]
    lines += ["Sources:", "", *(f"* {_plain(source)}" for source in report.sources), ""]
    for one in report.collectors:
        lines += _section(one)
    if not report.collectors:
        lines += ["No collectors are configured, and none was counted.", ""]
    return "\n".join(lines).rstrip() + "\n"


def _section(one: Collected) -> list[str]:
    known = len(one.days) - len(one.days_missing)
    lines = [
        f"## {_plain(one.actor)}",
        "",
        (
            f"Owner {_plain(one.owner)}; {_plain(one.reason)}; authorised until {one.expires}; "
            f"{one.quota:,} profiles in any 24 hours."
        ),
        "",
        (
            f"{one.requests:,} requests; {one.profiles:,} profiles, summed over days; {known} of {len(one.days)} days "
            f"counted whole; above the quota on {len(one.days_above)}{_listed(one.days_above)}."
        ),
        "",
        "| day | requests | profiles | quota | view | search | lookup | list | decided | not counted |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- | --- |",
    ]
    return [*lines, *_rows(one.days), ""]


def _rows(days: Sequence[Line]) -> Iterator[str]:
    """A row a day; days of which nothing is known together."""
    for unknown, group in groupby(days, lambda line: line.counted is None):
        lines = list(group)
        if unknown:
            first, last = lines[0].day, lines[-1].day
            name = first if first == last else f"{first} to {last}"
            yield f"| {name} | not known | | | | | | | | all of it |"
        else:
            yield from (_row(line, line.counted) for line in lines if line.counted is not None)


def _listed(days: Sequence[str]) -> str:
    return f" ({', '.join(days)})" if days else ""


def _row(line: Line, one: CollectorDay) -> str:
    if NOT_COUNTED in one.missing:
        numbers = ["not known", "", "", "", "", "", ""]
    else:
        used = one.surfaces
        profiles = f"**{one.profiles:,}**" if line.above else f"{one.profiles:,}"
        search = f"{used.search:,}" + (f" and {used.empty:,} empty" if used.empty else "")
        numbers = [f"{one.requests:,}", profiles, f"{one.quota:,}" if line.authorised else "expired"]
        numbers += [f"{used.view:,}", search, f"{used.lookup:,}", f"{used.list:,}"]
    decided = "; ".join(f"{each.at[11:16]} {_plain(each.what)} ({_plain(each.incident[:12])})" for each in one.decided)
    return f"| {' | '.join([line.day, *numbers, decided, '; '.join(map(_plain, one.missing))])} |"


def _plain(text: str) -> str:
    """A text as one cell: what others wrote must not begin another column, a link or a tag."""
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    escaped = "".join(f"\\{letter}" if letter in "\\|<>[]*`#~&" else letter for letter in printable)
    # Many renderers make a link of an address that stands there as it is.
    return _ADDRESS.sub(lambda found: f"{found[1]}\\{found[2]}", escaped)
