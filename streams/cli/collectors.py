"""``weir collectors``: what authorised collectors took, for whoever has to answer for them."""

import re
from datetime import date, timedelta
from pathlib import Path

import click
import msgspec

from schemas.collector_day import CollectorDay
from schemas.errors import UsageError
from streams.cli.option import bootstrap_option, config_option, effective, json_option, kafka_at, print_json, printable
from streams.clock import wall_clock_us
from streams.offline.collecting import day_at, span_us
from streams.offline.collectors import Month, best, days_of, markdown, month_of
from streams.settings import KafkaSettings, Settings

EXAMPLES = """\b
Examples:
  weir collectors count
  weir collectors report --month 2026-11
"""
REPORT_EXAMPLES = """\b
Examples:
  weir collectors report --month 2026-11 > collectors-2026-11.md
  weir collectors report --month 2026-11 --json --bootstrap kafka-1:9092
  weir collectors report --month 2026-11 --in /var/lib/weir /var/log/nginx/access.log*
"""
COUNT_EXAMPLES = """\b
Examples:
  weir collectors count --config deploy/weir.toml
  weir collectors count --json
"""
BACK_DAYS = 3
"""Days before today that may still be counted: sightings are kept for two days by default."""
DIRECTORY = click.Path(path_type=Path, file_okay=False, exists=True)
LOG = click.Path(path_type=Path, dir_okay=False)
MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")


class MonthOfYear(click.ParamType):
    """A month of the calendar."""

    name = "month"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """``2026-11``."""
        if not MONTH.fullmatch(str(value)) or str(value) < "1970":
            self.fail(f"{value!r} is no month such as 2026-11", param, ctx)
        return str(value)


@click.group("collectors", epilog=EXAMPLES)
def collectors() -> None:
    """Tell what the authorised collectors of the configuration took, by day and by month."""


@collectors.command("report", epilog=REPORT_EXAMPLES)
@click.argument("logs", nargs=-1, type=LOG, metavar="[LOG]...")
@click.option("--month", type=MonthOfYear(), required=True, help="The month, UTC: 2026-11.")
@click.option("--in", "directory", type=DIRECTORY, help="What weir watch or weir replay wrote, instead of Kafka.")
@bootstrap_option
@config_option
@json_option
def report(
    logs: tuple[Path, ...],
    month: str,
    directory: Path | None,
    bootstrap: str | None,
    config_file: Path | None,
    as_json: bool,
) -> int:
    """Write the report of a month as Markdown: owner, reason, quota, what was taken each day, and what was decided.

    From Kafka, by the days that weir collectors count has kept, and by sightings that are still there; with LOGs by
    these, and by the decisions in --in. Exit status 1 when a day of it is not known whole.
    """
    settings = effective(config_file)
    days = days_of(month, day_at(wall_clock_us()))
    if not logs and directory is None:
        known, sources = _from_kafka(settings, kafka_at(settings, bootstrap), month, days)
    elif bootstrap is not None:
        raise UsageError("--bootstrap beside logs or --in: it is one or the other")
    else:
        known, sources = _from_logs(settings, logs, directory, days)
    actors = list(dict.fromkeys(entry.actor for entry in settings.collectors))
    made = month_of(month, days, actors, known, sources)
    _tell(made, as_json=as_json)
    return 0 if made.complete or (not made.collectors and not actors) else 1


def _tell(made: Month, *, as_json: bool) -> None:
    if as_json:
        print_json(msgspec.to_builtins(made))
    else:
        click.echo(markdown(made), nl=False)


Known = dict[tuple[str, str], CollectorDay]


def _from_kafka(settings: Settings, kafka: KafkaSettings, month: str, days: list[date]) -> tuple[Known, list[str]]:
    # Kafka's client takes a while to import.
    from streams.live.collecting import count, kept

    if not days:
        return {}, []
    before = kept(settings, kafka, span_us(days[0])[0])
    told = [one for one in before.days if one.day.startswith(month)]
    found, remark = count(settings, kafka, days, best(told))
    now = [one for one in found if one.requests or one.decided or not one.missing]
    sources = [f"weir.audit.v1: {len({(one.actor, one.day) for one in told})} days counted before"]
    whole = sorted({one.day for one in found if not one.missing})
    span = f"{whole[0]} to {whole[-1]} whole" if whole else "no day whole"
    if found:
        sources.append(f"weir.activity.v1, as far as it is kept: {span}")
        sources.append("weir.alerts.v1 and weir.blocks.v1: what is still there of days that were not counted before")
    sources += [text for text in (before.remark, remark) if text]
    return best([*told, *now]), sources


def _from_logs(
    settings: Settings, logs: tuple[Path, ...], directory: Path | None, days: list[date]
) -> tuple[Known, list[str]]:
    from streams.offline.collected import from_logs

    found, sources = from_logs(settings, logs, directory, days)
    return best(found), sources


@collectors.command("count", epilog=COUNT_EXAMPLES)
@bootstrap_option
@config_option
@json_option
def count_days(bootstrap: str | None, config_file: Path | None, as_json: bool) -> int:
    """Count the days that have ended, while their sightings are kept, and keep the numbers in weir.audit.v1.

    To be run once a day, some minutes after midnight UTC; again does no harm. Exit status 1 when yesterday could not be
    counted whole: nobody can make up for it later.
    """
    from streams.live.collecting import count, keep, kept

    settings = effective(config_file)
    if not settings.collectors:
        raise UsageError("the configuration has no [[collectors]]")
    kafka, today = kafka_at(settings, bootstrap), day_at(wall_clock_us())
    days = [today - timedelta(days=back) for back in range(BACK_DAYS, 0, -1)]
    told = kept(settings, kafka, span_us(days[0])[0])
    before = best(told.days)
    found, remark = count(settings, kafka, days, before)
    fresh = [one for one in found if _adds(one, before.get((one.actor, one.day)))]
    keep(settings, kafka, fresh, wall_clock_us)
    if as_json:
        print_json({"counted": msgspec.to_builtins(fresh)})
    else:
        _tell_days(fresh)
    for text in filter(None, (told.remark, remark)):
        click.echo(printable(text), err=True)
    now = best([*before.values(), *fresh])
    yesterday = [now.get((entry.actor, days[-1].isoformat())) for entry in settings.collectors]
    return 1 if any(one is None or one.missing for one in yesterday) else 0


def _adds(one: CollectorDay, before: CollectorDay | None) -> bool:
    """It says more than what is kept."""
    if before is None:
        return bool(one.requests or one.decided or not one.missing)
    return bool(before.missing) and (not one.missing or one.requests > before.requests)


def _tell_days(fresh: list[CollectorDay]) -> None:
    for one in fresh:
        above = ", above the quota" if one.above else ""
        missing = f"; not counted: {'; '.join(one.missing)}" if one.missing else ""
        told = f"{one.day} {one.actor}: {one.requests:,} requests, {one.profiles:,} profiles{above}{missing}"
        click.echo(printable(told))
    if not fresh:
        click.echo("nothing new to count")
