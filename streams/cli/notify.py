"""``weir notify``: tells people, and other programs, of alerts."""

from pathlib import Path

import click
from msgspec.structs import replace

from streams.cli.option import bootstrap_option, config_option, effective, kafka_at, log_level_option

EXAMPLES = """\b
Examples:
  weir notify --config deploy/weir.toml
  weir notify --config weir.toml --bootstrap kafka-1:9092,kafka-2:9092
"""


@click.command("notify", epilog=EXAMPLES)
@bootstrap_option
@config_option
@log_level_option
def notify(bootstrap: str | None, config_file: Path | None, log_level: str) -> None:
    """Tell the receivers of [notify] of incidents, until SIGTERM or SIGINT.

    Alertmanager is told what goes on, webhooks every message, and topics of other formats get every alert. A receiver
    that is down holds up no other, and is told later. One process is enough; a second one tells webhooks twice.
    """
    # Kafka's client takes a while to import; a wrong option should be said at once.
    from streams import log
    from streams.notify.process import run

    settings = effective(config_file)
    log.configure(log_level, settings.log.format, own="streams")
    run(replace(settings, kafka=kafka_at(settings, bootstrap)))
