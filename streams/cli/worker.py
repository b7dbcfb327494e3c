"""``weir worker``: the Kafka stream processors."""

from pathlib import Path

import click
from msgspec.structs import replace

from schemas.errors import UsageError
from streams.cli.option import bootstrap_option, config_option, effective, kafka_at, log_level_option
from streams.config_file import ConfigFile

EXAMPLES = """\b
Examples:
  weir worker
  weir worker --config deploy/weir.toml --bootstrap kafka-1:9092,kafka-2:9092
  weir worker --stages observe
  weir worker --stages assess --log-level warning
"""


@click.command("worker", epilog=EXAMPLES)
@bootstrap_option
@config_option
@click.option("--stages", default="observe,assess", show_default=True, help="Stages that this process runs.")
@log_level_option
def worker(bootstrap: str | None, config_file: Path | None, stages: str, log_level: str) -> None:
    """Run the stream processors until SIGTERM or SIGINT; one process a core.

    Workers of one kafka.application share the partitions among them. A worker that takes a partition over goes on at
    its last checkpoint, and where none serves rebuilds its state from weir.activity.v1.

    A changed configuration file is taken within seconds, or at SIGHUP: what is hot in it comes into force in every
    worker, what is not is said to need a restart. A wrong one is refused, and the old one goes on.
    """
    # Faust takes a while to import; a wrong option should be said at once.
    from streams.live.app import STAGES
    from streams.live.worker import run

    chosen = stages.split(",")
    wrong = sorted(set(chosen) - set(STAGES))
    if wrong:
        raise UsageError(f"there is no stage {', '.join(wrong)}; there are {', '.join(STAGES)}")
    loaded = None if config_file is None else ConfigFile(config_file).load()
    settings = effective(None) if loaded is None else loaded.settings
    run(replace(settings, kafka=kafka_at(settings, bootstrap)), chosen, log_level, loaded)
