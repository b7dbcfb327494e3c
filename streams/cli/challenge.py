"""``weir challenge``: judges live traffic by other settings as well, enforces nothing, and says what would differ."""

from pathlib import Path

import click
from msgspec.structs import replace

from schemas.errors import UsageError
from schemas.event_time import parse_time_us
from streams.cli.option import bootstrap_option, config_option, effective, kafka_at, log_level_option

EXAMPLES = """\b
Examples:
  weir challenge --config deploy/weir.toml --challenger stricter.toml --out challenged
  weir challenge --challenger stricter.toml --out challenged --since 2026-11-24T00:00:00.000Z
"""


@click.command("challenge", epilog=EXAMPLES)
@bootstrap_option
@config_option
@click.option(
    "--challenger",
    "challenger_file",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="Configuration that is tried.",
)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Directory of the report.")
@click.option("--since", help="Event time from which on to compare, in UTC.  [default: now, or as the report in --out]")
@click.option(
    "--every", "every_s", type=click.FloatRange(1), default=60, show_default=True, help="Seconds between two reports."
)
@log_level_option
def challenge(
    bootstrap: str | None,
    config_file: Path | None,
    challenger_file: Path,
    out: Path,
    since: str | None,
    every_s: float,
    log_level: str,
) -> None:
    """Judge live traffic by a second configuration until SIGTERM or SIGINT, and report whom only one of the two blocks.

    The workers of --config go on alone: nothing that the challenger decides is sent anywhere. It may differ in what
    workers take without a restart ([mode], [detectors], [policy], [fusion], [collectors], [allow]). Its state is made
    by reading all of weir.activity.v1 at each start; what it decides on the way is not compared.

    difference.ndjson has a line for each actor in whom the two differ, summary.json the counts.
    """
    # Kafka's client takes a while to import; a wrong option should be said at once.
    from streams import log
    from streams.challenge.process import Asked, run

    live, challenger = effective(config_file), effective(challenger_file)
    try:
        since_us = None if since is None else parse_time_us(since)
    except ValueError as error:
        raise UsageError(f"--since {since}: {error}") from error
    log.configure(log_level, live.log.format, own="streams")
    run(replace(live, kafka=kafka_at(live, bootstrap)), challenger, Asked(out, since_us, every_s))
