"""``weir serve``: blocks for enforcers, as CrowdSec's local API."""

from pathlib import Path

import click
from msgspec.structs import replace

from streams import log
from streams.cli.option import bootstrap_option, config_option, effective, kafka_at, log_level_option

EXAMPLES = """\b
Examples:
  weir serve
  weir serve --config deploy/weir.toml --bootstrap kafka-1:9092,kafka-2:9092
  weir serve --listen 10.0.0.5:8080
"""
OPTIONS = {"serve.listen": "--listen ADDRESS:PORT"}


@click.command("serve", epilog=EXAMPLES)
@bootstrap_option
@config_option
@click.option("--listen", help="Address and port, instead of serve.listen.")
@log_level_option
def serve(bootstrap: str | None, config_file: Path | None, listen: str | None, log_level: str) -> None:
    """Tell enforcers whom to block, until SIGTERM or SIGINT.

    Speaks CrowdSec's local API: its bouncers for firewalls, proxies and web servers take Weir's blocks. Only blocks in
    mode enforce are told. Who may ask, weir bouncers says. Several processes give the same answers.
    """
    # Kafka's client takes a while to import; a wrong option should be said at once.
    from streams.serve.server import run

    settings = effective(config_file, None if listen is None else {"serve.listen": listen}, OPTIONS)
    log.configure(log_level, settings.log.format, own="streams")
    run(replace(settings, kafka=kafka_at(settings, bootstrap)))
