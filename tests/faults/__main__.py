"""`python -m tests.faults`: hurt workers and brokers again and again; compare with an undisturbed run."""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Final

import msgspec

from deploy.kafka.cluster import Cluster
from tests.broker.installation import Installation
from tests.brokers import Broker
from tests.faults.campaign import Plan, Round, run
from tests.faults.fault import Site
from tests.faults.links import Links

OUT: Final = Path(__file__).resolve().parents[2] / "build" / "faults.json"
IDLE_MS: Final = 20_000
"""Longer than a partition goes without a worker that looks at it: it must not be told idle while events wait in it."""

CLEANER: Final = {"log.cleaner.backoff.ms": "200"}
"""Looks often whether there is something to compact."""
LONGEST: Final = 1_000
"""Characters of a difference that are shown."""
SECONDS_A_FAULT: Final = 4.5


def main(arguments: list[str] | None = None) -> int:
    """0 when nothing differed, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    add = parser.add_argument
    add("--faults", type=int, default=200, help="in all (default: 200)")
    add(
        "--each",
        type=int,
        default=20,
        help="a round, which is another day and a Weir of its own (default: 20)",
    )
    add("--seed", type=int, default=1, help="of the first round (default: 1)")
    add("--brokers", type=int, choices=(1, 3), default=3, help="of the Kafka cluster (default: 3)")
    options = parser.parse_args(arguments)
    rounds = campaign(options.faults, options.each, options.seed, options.brokers)
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_bytes(
        msgspec.json.format(msgspec.json.encode([asdict(one) | {"faults": dict(one.faults)} for one in rounds])) + b"\n"
    )
    sys.stdout.write(report(rounds) + "\n")
    return 1 if any(one.differences for one in rounds) else 0


def campaign(faults: int, each: int, seed: int, brokers: int) -> list[Round]:
    """Rounds until there were so many faults."""
    rounds: list[Round] = []
    with tempfile.TemporaryDirectory(prefix="weir-faults-") as name, Links(brokers) as links:
        directory = Path(name)
        cluster = Cluster(directory / "kafka", brokers, settings=CLEANER, advertised=links.ports)
        links.lead_to(lambda: [node.port for node in cluster.nodes])

        def site(weir: Installation, chance: random.Random) -> Site:
            return Site(weir, chance, cluster if brokers > 1 else None, links)

        with cluster:
            broker = Broker("kafka", links.bootstrap, f"Apache Kafka ({brokers} nodes)")
            while (done := sum(sum(one.faults.values()) for one in rounds)) < faults:
                wanted, number = min(each, faults - done), seed + len(rounds)
                started = time.monotonic()
                rounds.append(
                    run(
                        broker,
                        directory / f"round-{number}",
                        Plan(number, wanted, SECONDS_A_FAULT * wanted, IDLE_MS, brokers),
                        site,
                        tell=lambda name: _say(f"  {name}"),
                    )
                )
                _say(line(rounds[-1], time.monotonic() - started))
    return rounds


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


def line(one: Round, took_s: float) -> str:
    """A round in one line, and what differed below it."""
    head = (
        f"seed {one.seed}: {sum(one.faults.values())} faults, {one.events} events, {one.actors} actors, "
        f"{one.alerts} alerts, {one.blocks} blocks, {one.restored} partitions restored, {one.recalled} from far off, "
        f"{one.repeated} sent again, {one.late} late, {one.compacted} records compacted, "
        f"all judged {one.recovery_s:.0f} s after the last event, {len(one.differences)} differences ({took_s:.0f} s)"
    )
    ended = [f"  {name} ended, {words}" for name, words in one.ended.items()]
    return "\n".join([head, *ended, *(f"  {difference[:LONGEST]}" for difference in one.differences[:20])])


def report(rounds: list[Round]) -> str:
    """All rounds together."""
    kinds: Counter[str] = Counter()
    for one in rounds:
        kinds.update(one.faults)
    rows = [f"{count:5d}  {name}" for name, count in kinds.most_common()]
    events, decisions = sum(one.events for one in rounds), sum(one.alerts + one.blocks for one in rounds)
    compared = f"{events} events, {decisions} decisions, {sum(one.actors for one in rounds)} actors compared"
    again = f"{sum(one.repeated for one in rounds)} decisions came again, each the same"
    differences = f"{sum(len(one.differences) for one in rounds)} differences"
    return "\n".join([f"{kinds.total()} faults in {len(rounds)} rounds:", *rows, compared, again, differences])


if __name__ == "__main__":
    sys.exit(main())
