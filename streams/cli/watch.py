"""``weir watch``: follows access logs on one machine, without Kafka."""

import sys
from pathlib import Path

import click

from schemas.alert import Alert
from streams import log
from streams.cli.option import config_option, effective, log_level_option, printable

EXAMPLES = """\b
Examples:
  weir watch /var/log/nginx/access.log
  weir watch /var/log/nginx/access.log /var/log/nginx/api.log --state /var/lib/weir
  zcat yesterday.log.gz | weir watch - --no-serve
"""
OPTIONS = {"input.format": "--format", "watch.state": "--state", "serve.listen": "--listen ADDRESS:PORT"}


@click.command("watch", epilog=EXAMPLES)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@config_option
@click.option("--format", "format_name", help="Of the logs, instead of input.format.")
@click.option("--state", type=click.Path(path_type=Path), help="Directory of the state, instead of watch.state.")
@click.option("--listen", help="Address and port for enforcers, instead of serve.listen.")
@click.option("--no-serve", is_flag=True, help="Answer no enforcers.")
@click.option("--show-bad", type=click.IntRange(0), default=0, help="Print so many lines that could not be read.")
@log_level_option
def watch(
    files: tuple[str, ...],
    config_file: Path | None,
    format_name: str | None,
    state: Path | None,
    listen: str | None,
    no_serve: bool,
    show_bad: int,
    log_level: str,
) -> None:
    """Follow logs as they grow, judge them as a worker would, and tell enforcers whom to block.

    FILE is an access log, a named pipe, or - for standard input. Logs may be rotated and cut. What is known lies in the
    state's directory, alerts.ndjson and blocks.ndjson among it; a restart goes on where it stopped. On a terminal each
    alert that opens is printed. Enforcers are answered as by weir serve.
    """
    from streams.watch.process import run

    given = {"input.format": format_name, "watch.state": state and str(state), "serve.listen": listen}
    changes: dict[str, object] = {key: value for key, value in given.items() if value is not None}
    settings = effective(config_file, changes, OPTIONS)
    log.configure(log_level, settings.log.format, own="streams")
    seen = run(settings, files, _show if sys.stdout.isatty() else _hide, show_bad, serving=not no_serve)
    click.echo(
        f"{seen.lines} lines, {seen.bad} bad; {seen.disclosed} responses that disclosed profiles; "
        f"{seen.alerts} alerts opened, {seen.blocked}",
        err=True,
    )
    for line in seen.samples:
        click.echo(printable(line), err=True)


def _show(alert: Alert) -> None:
    reason = alert.findings[0].reason if alert.findings else ""
    told = f"{alert.event_time} {alert.severity} {alert.actor.key}: {reason} (incident {alert.incident})"
    click.echo(printable(told))


def _hide(alert: Alert) -> None:
    """Nothing: standard output is kept for longer than an alert should be."""
