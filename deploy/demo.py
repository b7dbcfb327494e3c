"""`make demo`: a quiet day of a social platform and one with scrapers, faster than life, through a real Weir worker."""

import argparse
import asyncio
import contextlib
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from rich.console import Console

from deploy.embedded import running_broker
from deploy.platform import Pace, Platform
from schemas import topic
from schemas.errors import WeirError
from streams import config
from streams.live import topics
from streams.live.connection import for_kafka_python
from streams.offline.report import people_table, scraper_table
from streams.offline.simulate import PRESETS, simulate
from streams.offline.truth import Truth
from streams.settings import Settings

HERE: Final = Path(__file__).parent
BUILD: Final = HERE.parent / "build" / "demo"
MUST_FIND: Final = frozenset({"burst", "id_walk", "fleet"})
PARTITIONS: Final = 4
READY_S: Final = 180.0
JUDGED_S: Final = 60.0


def main() -> int:
    """Run the demo; 0 when the scrapers were found and nobody was hurt, 1 when not, 2 when it could not run."""
    arguments = parse_arguments()
    console = Console()
    try:
        with broker(arguments.bootstrap) as bootstrap:
            return run(bootstrap, arguments, console)
    except KeyboardInterrupt:
        return 130
    except (WeirError, RuntimeError) as error:
        console.print(f"demo: {error}", style="red")
        return 2


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--bootstrap", help="a broker of yours, host:port; its topics get names of their own")
    parser.add_argument("--keep", action="store_true", help="keep broker and worker running at the end")
    parser.add_argument("--seed", type=int, default=1, help="another seed is another day")
    parser.add_argument("--quiet-s", type=float, default=15.0, help="seconds that the quiet day takes")
    parser.add_argument("--scrapers-s", type=float, default=40.0, help="seconds that the day with scrapers takes")
    return parser.parse_args()


@contextlib.contextmanager
def broker(bootstrap: str | None) -> Iterator[str]:
    """The broker named, or the embedded one."""
    if bootstrap is not None:
        yield bootstrap
        return
    with running_broker() as embedded:
        yield embedded


def run(bootstrap: str, arguments: argparse.Namespace, console: Console) -> int:
    """Worker up, day through, summary out."""
    settings, file = configure(bootstrap)
    topics.create(settings.kafka, topics.layouts(settings))
    with worker(file) as process:
        console.print("simulating two days of 2,000 people, and starting a worker (it compiles itself the first time)")
        day = simulate(replace(PRESETS["demo"], seed=arguments.seed))
        wait_until_ready(process)
        pace = Pace(arguments.quiet_s, arguments.scrapers_s)
        life = day.plan.quiet_days * 86_400 / pace.quiet_s, day.plan.scraper_days * 86_400 / pace.scrapers_s
        console.print(f"a quiet day at {life[0]:,.0f} times life, then one with scrapers at {life[1]:,.0f} times life")
        platform = Platform(settings, day, Truth(day.labels), console)
        asyncio.run(platform.run(pace, Judged(settings, process)))
        status = summary(platform, console)
        if arguments.keep:
            console.print(f"still running: broker {bootstrap}, topics {settings.kafka.prefix}…; Ctrl-C ends it")
            signal.pause()
    return status


def configure(bootstrap: str) -> tuple[Settings, Path]:
    """Settings of this run and the file that the worker reads them from; topics and group are its own."""
    name = f"demo-{uuid.uuid4().hex[:8]}"
    text = (HERE / "demo.toml").read_text(encoding="utf-8") + (
        f'\n[kafka]\nbootstrap = "{bootstrap}"\nprefix = "{name}."\napplication = "{name}"\n'
        f"partitions = {PARTITIONS}\nsession_timeout_ms = 6000\n"
    )
    text = text.replace("[input]\n", f'[input]\ntopic = "{name}.{topic.REQUESTS.name}"\n')
    BUILD.mkdir(parents=True, exist_ok=True)
    file = BUILD / "weir.toml"
    file.write_text(text, encoding="utf-8")
    return config.parse(text, str(file)), file


@contextlib.contextmanager
def worker(file: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A worker of its own process, logging into ``build/demo/worker.log``."""
    command = [sys.executable, "-m", "streams.cli", "worker", "--config", str(file)]
    with (BUILD / "worker.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()


def wait_until_ready(process: subprocess.Popen[bytes]) -> None:
    """Wait for the worker to own its partitions.

    Raises:
        RuntimeError: it ended, or is not ready in time.
    """
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        check_alive(process)
        if b"Worker ready" in (BUILD / "worker.log").read_bytes():
            return
        time.sleep(0.2)
    raise RuntimeError(f"the worker is not ready after {READY_S:.0f} s, see {BUILD / 'worker.log'}")


def check_alive(process: subprocess.Popen[bytes]) -> None:
    """Raises `RuntimeError` when the worker has ended."""
    if process.poll() is not None:
        last = (BUILD / "worker.log").read_text(errors="replace").strip().splitlines()[-1:]
        raise RuntimeError(f"the worker ended with status {process.returncode}: {''.join(last)}")


class Judged:
    """Waits until the worker has acknowledged all that there is, and nothing more has come for a while."""

    def __init__(self, settings: Settings, process: subprocess.Popen[bytes]) -> None:
        self._settings, self._process = settings, process

    def __call__(self) -> None:
        """Wait; raises `RuntimeError` when the worker has ended or takes too long."""
        began = done = time.monotonic()
        while time.monotonic() - done < 2 * self._settings.input.idle_after_ms / 1000:
            check_alive(self._process)
            time.sleep(0.5)
            if not self._done():
                done = time.monotonic()
            if done - began > JUDGED_S:
                raise RuntimeError(f"the worker has not judged everything after {JUDGED_S:.0f} s more")

    def _done(self) -> bool:
        kafka = self._settings.kafka
        names = (self._settings.input.topic, kafka.prefix + topic.ACTIVITY.name)
        partitions = [TopicPartition(name, number) for name in names for number in range(kafka.partitions)]
        with contextlib.closing(KafkaConsumer(**for_kafka_python(kafka))) as consumer:
            ends = consumer.end_offsets(partitions)
        with contextlib.closing(KafkaAdminClient(**for_kafka_python(kafka))) as admin:
            found = admin.list_group_offsets({kafka.application: None})[kafka.application]
        # Not equality: the embedded broker tells an end that lies one batch back.
        return all(ends[each] == 0 or (each in found and found[each].offset >= ends[each]) for each in partitions)


def summary(platform: Platform, console: Console) -> int:
    """Print who was found and who was hurt; 0 when all is as it should be."""
    scrapers, people = platform.truth.scrapers(), platform.truth.people
    console.print(f"\n{platform.sent:,} requests, {platform.denied:,} of them denied; {platform.alerts:,} alerts")
    console.print(scraper_table(scrapers))
    console.print(people_table(people))
    say = partial(console.print, highlight=False, soft_wrap=True)
    found = [one.id for one in scrapers if one.found]
    missed = [one.id for one in scrapers if not one.found]
    unblocked = [one.id for one in scrapers if one.kind in MUST_FIND and not one.blocked]
    hurt = sum(max(one.blocked, one.denied) for one in people)
    leaked = sum(one.leaked for one in scrapers)
    say(f"found: {', '.join(found) or 'none'}")
    say(f"missed: {', '.join(missed) or 'none'}")
    say(f"profiles leaked: {leaked:,} of {sum(one.profiles for one in scrapers):,} that they came for")
    say(f"people hurt: {hurt}; people alerted on: {sum(one.alerted for one in people)}")
    if unblocked or hurt:
        console.print(f"this is not as it should be: not blocked {unblocked}, people hurt {hurt}", style="red")
    return 1 if unblocked or hurt else 0


if __name__ == "__main__":
    sys.exit(main())
