"""``weir incidents`` and ``weir explain``: what was seen, by which detector, with numbers."""

from collections.abc import Sequence
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from schemas.actor import Actor
from schemas.errors import TransportError, UsageError
from schemas.override import Override
from streams.cli.option import bootstrap_option, config_option, effective, json_option, kafka_at, print_json, printable
from streams.cli.table import columns, table_console
from streams.clock import wall_clock_us
from streams.offline.affected import Affected, affected
from streams.offline.evidence import span_of, spans_us, write
from streams.offline.told import Incident, Told, told_in
from streams.pipeline.policy.overrides import Overrides
from streams.settings import Settings

EXAMPLES = """\b
Examples:
  weir incidents --bootstrap localhost:9092
  weir incidents --in build/found --json
  weir incidents 5f1d8f0e --in weir-state
  weir incidents 5f1d8f0e --affected --requests access.log --requests access.log.1
  weir incidents 5f1d8f0e --evidence case-117 --requests access.log
"""
EXPLAIN_EXAMPLES = """\b
Examples:
  weir explain account:42 --bootstrap localhost:9092
  weir explain ip:203.0.113.7 --in weir-state
"""
DIRECTORY = click.Path(path_type=Path, file_okay=False)


@click.command("incidents", epilog=EXAMPLES)
@click.argument("incident", required=False, metavar="[ID]")
@click.option("--in", "directory", type=DIRECTORY, help="What weir replay or weir watch wrote, instead of Kafka.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="List so many, the latest first.")
@click.option("--affected", "wants_members", is_flag=True, help="List the members whose profiles were shown.")
@click.option("--evidence", type=DIRECTORY, help="Write the bundle there.")
@click.option(
    "--requests",
    "logs",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="Request log, repeatable.",
)
@bootstrap_option
@config_option
@json_option
def incidents(
    incident: str | None,
    directory: Path | None,
    limit: int,
    wants_members: bool,
    evidence: Path | None,
    logs: tuple[Path, ...],
    bootstrap: str | None,
    config_file: Path | None,
    as_json: bool,
) -> None:
    """List incidents, or tell all of one; the beginning of its ID is enough.

    With --affected or --evidence the request log is read again, from the incident's first sighting to its last block,
    or beyond where that has ended within the incident; to its last finding where there was none. Times in which a block
    stood are left out, and what the log has as served in them is counted. The configuration must be that of the
    stream: its surfaces say what a profile is.
    """
    settings = effective(config_file)
    if incident is None:
        if wants_members or evidence is not None:
            raise UsageError("--affected and --evidence want the ID of an incident")
        _list(_told(settings, bootstrap, directory).latest()[:limit], as_json=as_json)
        return
    if (wants_members or evidence is not None) and not logs:
        raise UsageError("--affected and --evidence read the request log: name it with --requests")
    one = _told(settings, bootstrap, directory).one(incident)
    if not (wants_members or evidence is not None):
        overrides = _overrides(settings, bootstrap, directory)
        if as_json:
            print_json(_records([one], overrides))
        else:
            _tell([one], overrides)
        return
    found = affected(logs, settings, one.latest.actor, spans_us(span_of(one.alerts, one.blocks)))
    if evidence is not None:
        write(evidence, one.alerts, one.blocks, found, settings)
    if wants_members:
        _members(found, as_json=as_json)
    if evidence is not None:
        click.echo(f"{evidence}: {len(found.members)} members, {len(found.requests)} requests", err=True)


@click.command("explain", epilog=EXPLAIN_EXAMPLES)
@click.argument("actor")
@click.option("--in", "directory", type=DIRECTORY, help="What weir replay or weir watch wrote, instead of Kafka.")
@bootstrap_option
@config_option
@json_option
def explain(actor: str, directory: Path | None, bootstrap: str | None, config_file: Path | None, as_json: bool) -> int:
    """Tell all that was found of ACTOR (scope:value), and what was done; exit status 1 when that is nothing.

    An operator's word on it that is in force is told whether or not anything was found.
    """
    from streams.cli.operator import actor_of

    settings = effective(config_file)
    told, overrides = _told(settings, bootstrap, directory), _overrides(settings, bootstrap, directory)
    found, (scope, _, value), now_us = told.of_actor(actor), actor.partition(":"), wall_clock_us()
    named = Actor(scope, value) if found else actor_of(actor)
    found = found or told.of_actor(named.key)
    word = overrides.ordered(named, now_us) or overrides.spares([named], now_us)
    if as_json:
        print_json({**_records(found, overrides), "override": msgspec.to_builtins(word)})
        return 0 if found or word else 1
    _tell(found, overrides)
    if not found:
        click.echo(f"{named.key}: no incident")
    if word is not None and word not in (_override(one, overrides, now_us) for one in found):
        click.echo(printable(_in_force(word)))
    return 0 if found or word else 1


def _told(settings: Settings, bootstrap: str | None, directory: Path | None) -> Told:
    if directory is not None:
        return told_in(directory)
    # Kafka's client takes a while to import.
    from streams.live.decided import decisions

    found = decisions(settings, kafka_at(settings, bootstrap))
    if found.remark:
        click.echo(printable(found.remark), err=True)
    return Told(found.alerts, found.blocks)


def _overrides(settings: Settings, bootstrap: str | None, directory: Path | None) -> Overrides:
    """What operators have said; a replay has none, and who may not read them is told what was found all the same."""
    from streams.live.operating import OnKafka, Operating
    from streams.watch.state import InState

    try:
        place = OnKafka(kafka_at(settings, bootstrap)) if directory is None else InState(directory)
        return Operating(settings, place, wall_clock_us).overrides()
    except UsageError:
        return Overrides()
    except TransportError as error:
        click.echo(printable(f"overrides are not told: {error}"), err=True)
        return Overrides()


def _list(found: Sequence[Incident], *, as_json: bool) -> None:
    if as_json:
        print_json({"incidents": [msgspec.to_builtins(one.latest) for one in found]})
        return
    names = "incident", "status", "severity", "mode", "actor", "since", "profiles", "loudest", "blocked until"
    table = Table(*columns(*names), box=None)
    for one in found:
        last, standing = one.latest, one.standing
        cells = (
            last.incident[:12],
            last.status.value,
            last.severity.value,
            last.mode.value,
            last.actor.key,
            last.first_seen[:16],
            f"{last.exposure.profiles:,}",
            last.findings[0].detector if last.findings else "",
            standing.until[:16] if standing else "",
        )
        table.add_row(*(Text(printable(cell)) for cell in cells))
    table_console(long_rows=True).print(table if found else "no incidents")


def _records(found: Sequence[Incident], overrides: Overrides) -> dict[str, object]:
    now_us = wall_clock_us()
    return {
        "incidents": [
            {
                "alerts": msgspec.to_builtins(one.alerts),
                "blocks": msgspec.to_builtins(one.blocks),
                "override": msgspec.to_builtins(_override(one, overrides, now_us)),
            }
            for one in found
        ]
    }


def _tell(found: Sequence[Incident], overrides: Overrides) -> None:
    now_us, console = wall_clock_us(), Console(highlight=False, soft_wrap=True)
    for one in found:
        for line in _lines(one, _override(one, overrides, now_us)):
            console.print(Text(printable(line)))


def _override(one: Incident, overrides: Overrides, now_us: int) -> Override | None:
    """The operator's word that decides what is enforced against the actor now."""
    last = one.latest
    named = [finding.detector for finding in last.findings]
    ordered = overrides.ordered(last.actor, now_us)
    return ordered or overrides.against([last.actor], named, last.config, now_us)


def _lines(one: Incident, override: Override | None) -> list[str]:
    last = one.latest
    about = "about" if not last.exposure.exact else "exactly"
    lines = [
        f"incident {last.incident}: {last.actor.key}, {last.status}, {last.severity}, {last.mode}",
        f"  first seen {last.first_seen}, confidence {last.confidence:.2f}",
        f"  shown {about} {last.exposure.profiles:,} profiles",
        f"  decided under {last.config}, model {last.model}",
    ]
    if last.members.sample:
        sample = ", ".join(member.key for member in last.members.sample)
        lines.append(f"  {last.members.total} members, among them {sample}")
    for finding in last.findings:
        numbers = ", ".join(f"{name} {value}" for name, value in finding.evidence.items())
        lines += [f"  {finding.detector}, score {finding.score:.2f}: {finding.reason}", f"    {numbers}"]
    lines += [f"  {alert.event_time} alert {alert.status}, {alert.severity}" for alert in one.alerts]
    lines += [
        f"  {block.event_time} {block.action} on {block.actor.key}, {block.mode}, {block.status}, until {block.until}:"
        f" {block.reason}"
        for block in one.blocks
    ]
    return [*lines, *([] if override is None else [_in_force(override)]), ""]


def _in_force(override: Override) -> str:
    kind, until = override.kind.replace("_", " "), override.until or "further notice"
    return f"  in force now: {kind} {override.key} by {override.owner}, until {until}: {override.reason}"


def _members(found: Affected, *, as_json: bool) -> None:
    statement = found.statement
    if as_json:
        print_json({"completeness": msgspec.to_builtins(statement), "members": msgspec.to_builtins(found.members)})
        return
    for member in found.members:
        click.echo(
            f"{printable(member.profile or 'XXH64 ' + member.key)}\t{member.first}\t{member.last}\t{member.times}"
        )
    covers = "covers the whole span" if statement.covers else "does NOT cover the whole span"
    click.echo(
        f"{statement.members} members in {statement.responses} responses; {statement.lines} lines read, "
        f"{statement.unreadable} unreadable; the log, {statement.log_begins} to {statement.log_ends}, {covers}",
        err=True,
    )
    if statement.served_while_blocked:
        click.echo(
            f"{statement.served_while_blocked} more responses stand in the log as served while a block stood: "
            "their members are not among these",
            err=True,
        )
