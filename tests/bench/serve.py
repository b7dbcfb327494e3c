"""`python -m tests.bench serve`: `weir serve` with many blocks in force, and many enforcers that pull.

Blocks stand on Kafka before the process starts. One enforcer asks for everything, then for what has changed after every
so many new blocks. Then many do both at once, and at last very many pull at their usual interval. These have heard of
nothing at their start (`scopes` of which there are none): ten thousand times all blocks are more than loopback carries.
Some proxies ask about one request after the other, each second one of somebody who is blocked.
"""

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import msgspec
import orjson
import psutil
from aiokafka import AIOKafkaProducer
from rich.console import Console
from rich.table import Table

from schemas import topic
from streams.config import parse
from streams.live import topics
from streams.outputs.cloudevents import record_of
from streams.serve import keys
from tests.bench.enforcers import Enforcer, Pull
from tests.bench.kafka import BUILD, ROOT, STOP_S, broker, producer, scratch
from tests.bench.machine import facts
from tests.streams.pipeline.enforce.saying import block

FILE: Final = BUILD / "serve.json"
START_S: Final = 300.0
KEYS: Final = 50
CHANGED: Final = 100
"""Blocks that are new at each delta."""
ROUNDS: Final = 20
EVERY_S: Final = 10.0
SAID_EACH_S: Final = 2
PROXIES: Final = 16
QUESTIONS: Final = 10_000
TOGETHER: Final = 200
"""Connections that are made at once: they wait in a queue that is not long."""
NOTHING: Final = "startup=true&scopes=nothing"


@dataclass(frozen=True, slots=True)
class Figure:
    """What several pulls took, in ms, and the CPU that the process took for each."""

    what: str
    pulls: int
    p50_ms: float
    p99_ms: float
    max_ms: float
    cpu_ms: float
    wall_s: float
    load: float
    """Of the machine over the minute before."""
    failed: int = 0
    """Pulls that were not answered, and are in no other figure."""


class Server:
    """One ``weir serve``."""

    def __init__(self, config: Path, keys_file: Path) -> None:
        self.log = config.with_suffix(".log")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("WEIR_")}
        environment |= {"WEIR_SERVE__KEYS_FILE": str(keys_file), "WEIR_SERVE__LISTEN": "127.0.0.1:0"}
        command = [sys.executable, "-m", "streams.cli", "serve", "--config", str(config)]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
        self._seen = psutil.Process(self._process.pid)

    async def at(self) -> str:
        """Where it listens, once it has read everything."""
        deadline = time.monotonic() + START_S
        while "is read to its end" not in (text := self.log.read_text(errors="replace")):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"weir serve is not ready: {text[-500:]}")
            await asyncio.sleep(0.02)
        return text.partition("listening at ")[2].partition(";")[0]

    def cpu_s(self) -> float:
        """CPU it has taken so far."""
        times = self._seen.cpu_times()
        return float(times.user + times.system)

    def resident_bytes(self) -> int:
        """Memory it holds."""
        return int(self._seen.memory_info().rss)

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        try:
            self._process.wait(timeout=STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@dataclass(slots=True)
class Run:
    """One server with its topic, and what was found."""

    sink: AIOKafkaProducer
    blocks: str
    """The topic."""
    server: Server
    keys: Sequence[str]
    console: Console
    figures: list[Figure]
    at: str = ""
    said: int = 0

    async def say(self, count: int) -> None:
        """Write blocks on as many addresses that had none, an hour to a day long."""
        now_us = time.time_ns() // 1000
        sent = []
        for n in range(self.said, self.said + count):
            key = f"ip:10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}"
            record = record_of(block(key, 3_600 + n * 7 % 82_800, from_us=now_us), 0)
            sent.append(await self.sink.send(self.blocks, record.value, record.key, headers=record.headers))
        self.said += count
        await asyncio.gather(*sent)

    @contextmanager
    def timed(self, what: str, pulls: list[Pull], right: Sequence[int] = (200,)) -> Iterator[None]:
        """Note what the pulls took that are made meanwhile; a status that is not ``right`` is an error."""
        load, cpu_s, began = float(os.getloadavg()[0]), self.server.cpu_s(), time.perf_counter()
        yield
        wall_s, cpu_s = time.perf_counter() - began, self.server.cpu_s() - cpu_s
        wrong = [pull.status for pull in pulls if pull.status not in right]
        if wrong:
            raise RuntimeError(f"{what}: {len(wrong)} of {len(pulls)} pulls were answered with {set(wrong)}")
        waits = sorted(pull.wall_s * 1e3 for pull in pulls)
        p99 = waits[min(len(waits) - 1, len(waits) * 99 // 100)]
        cpu_ms = cpu_s * 1e3 / len(waits)
        found = Figure(what, len(waits), statistics.median(waits), p99, waits[-1], cpu_ms, wall_s, load)
        self.figures.append(found)
        said = f"{what}: p50 {found.p50_ms:.0f} ms, p99 {found.p99_ms:.0f} ms, {cpu_ms:.2f} ms of CPU each"
        self.console.print(said, style="dim", highlight=False)

    async def one(self, blocks: int) -> None:
        """One enforcer: everything twice, then what has changed."""
        async with Enforcer(self.at, self.keys[0]) as enforcer:
            pulls: list[Pull] = []
            with self.timed("everything, the first time", pulls):
                pulls.append(await enforcer.pull("startup=true", keep=True))
            if len(msgspec.json.decode(pulls[0].body)["new"]) != blocks:
                raise RuntimeError("the first answer has not all blocks")
            again: list[Pull] = []
            with self.timed("everything, again", again):
                again += [await enforcer.pull("startup=true") for _ in range(ROUNDS // 2)]
            deltas: list[Pull] = []
            with self.timed(f"{CHANGED} new blocks", deltas):
                for _ in range(ROUNDS):
                    await self.say(CHANGED)
                    deltas.append(await enforcer.pull())

    async def several(self, count: int) -> None:
        """So many at once: everything, then what has changed."""
        async with AsyncExitStack() as stack:
            chosen = [Enforcer(self.at, self.keys[n % KEYS], n) for n in range(count)]
            for each in chosen:
                await stack.enter_async_context(each)
            pulls: list[Pull] = []
            with self.timed(f"everything, {count} at once", pulls):
                pulls += await asyncio.gather(*(each.pull("startup=true") for each in chosen))
            deltas: list[Pull] = []
            with self.timed(f"{CHANGED} new blocks, {count} at once", deltas):
                for _ in range(ROUNDS // 2):
                    await self.say(CHANGED)
                    deltas += await asyncio.gather(*(each.pull() for each in chosen))

    async def questions(self) -> None:
        """Proxies that ask about requests, each the next one when it has an answer."""
        asked: list[Pull] = []

        async def asking(number: int) -> None:
            async with Enforcer(self.at, self.keys[0], number) as proxy:
                for n in range(number, QUESTIONS, PROXIES):
                    at = n * 7 // 2 % self.said
                    net = 10 if n % 2 else 11
                    asked.append(await proxy.question(f"{net}.{at >> 16 & 255}.{at >> 8 & 255}.{at & 255}"))

        with self.timed(f"requests of {PROXIES} proxies", asked, (200, 403)):
            await asyncio.gather(*map(asking, range(PROXIES)))
        if sum(pull.status == 403 for pull in asked) != QUESTIONS // 2:
            raise RuntimeError("not each second request was of somebody who is blocked")

    async def many(self, count: int, seconds: float) -> None:
        """So many, each at its interval, while blocks go on coming."""
        async with AsyncExitStack() as stack:
            chosen = [Enforcer(self.at, self.keys[n % KEYS], n) for n in range(count)]
            for begin in range(0, count, TOGETHER):
                group = chosen[begin : begin + TOGETHER]
                await asyncio.gather(*(stack.enter_async_context(each) for each in group))
                await asyncio.gather(*(each.pull(NOTHING) for each in group))
            for each in chosen:
                each.pulls.clear()
            until, pulls = time.monotonic() + seconds, list[Pull]()
            with self.timed(f"{count} every {EVERY_S:.0f} s", pulls):
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._go_on_saying(until))
                    for each in chosen:
                        tasks.create_task(each.go_on(EVERY_S, until))
                for each in chosen:
                    pulls += each.pulls
        failed = sum(each.failed for each in chosen)
        if failed:
            self.console.print(f"{failed} of {failed + len(pulls)} pulls were not answered: too much for this machine")
            self.figures[-1] = replace(self.figures[-1], failed=failed)

    async def _go_on_saying(self, until: float) -> None:
        while time.monotonic() < until:
            await self.say(SAID_EACH_S)
            await asyncio.sleep(1)


def main(arguments: Sequence[str]) -> int:
    """The command line behind ``serve``; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench serve", description=__doc__)
    add = parser.add_argument
    add("--blocks", type=int, default=100_000, help="in force (default: 100000)")
    add("--enforcers", type=int, default=200, help="that pull at once (default: 200)")
    add("--many", default="1000,10000", help="that pull every 10 s, comma separated; 0: none (default: 1000,10000)")
    add("--seconds", type=float, default=30.0, help="for how long these do (default: 30)")
    add("--partitions", type=int, default=8, help="of the topic (default: 8)")
    add("--bootstrap", help="a broker to use, instead of starting one")
    given = parser.parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else 120)
    with scratch() as directory, broker(given.bootstrap, directory) as bootstrap:
        body = asyncio.run(measure(given, bootstrap, directory, console))
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_bytes(orjson.dumps(body, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    console.print(f"written to {FILE.relative_to(ROOT)}", highlight=False)
    return 0


async def measure(given: argparse.Namespace, bootstrap: str, directory: Path, console: Console) -> dict[str, object]:
    """All of it; returns what the file holds."""
    name = f"bench-{uuid.uuid4().hex[:8]}"
    text = f'[kafka]\nbootstrap = "{bootstrap}"\nprefix = "{name}-"\npartitions = {given.partitions}\n'
    config, keys_file = directory / f"{name}.toml", directory / "bouncers.json"
    config.write_text(text)
    settings = parse(text, str(config))
    topics.create(settings.kafka, topics.layouts(settings))
    shown = [keys.add(keys_file, f"edge-{n}", ("Ip", "Range"), ("ban", "captcha"), 0) for n in range(KEYS)]
    async with producer(bootstrap) as sink:
        figures: list[Figure] = []
        server = Server(config, keys_file)
        empty_bytes = 0
        try:
            await server.at()
            empty_bytes = server.resident_bytes()
        finally:
            server.stop()
        run = Run(sink, settings.kafka.prefix + topic.BLOCKS.name, server, shown, console, figures)
        await run.say(given.blocks)
        began = time.perf_counter()
        run.server = Server(config, keys_file)
        try:
            run.at = await run.server.at()
            ready_s, ready_cpu_s, read_bytes = (
                time.perf_counter() - began,
                run.server.cpu_s(),
                run.server.resident_bytes(),
            )
            await run.one(given.blocks)
            await run.several(given.enforcers)
            await run.questions()
            for count in filter(None, map(int, given.many.split(","))):
                await run.many(count, given.seconds)
            memory = {"empty": empty_bytes, "read": read_bytes, "at the end": run.server.resident_bytes()}
        finally:
            run.server.stop()
    about = {**facts(), "blocks": given.blocks, "ready_s": round(ready_s, 1), "ready_cpu_s": round(ready_cpu_s, 1)}
    console.print(_table(figures))
    console.print("; ".join(f"{key} {value}" for key, value in about.items()), highlight=False)
    console.print(
        "memory: " + ", ".join(f"{what} {size / 1e6:,.0f} MB" for what, size in memory.items()), highlight=False
    )
    return {**about, "memory_bytes": memory, "pulls": [asdict(one) for one in figures]}


def _table(found: Sequence[Figure]) -> Table:
    table = Table(title="pulls of the stream, ms")
    table.add_column("what", no_wrap=True)
    for name in ("pulls", "p50", "p99", "most", "CPU each", "pulls/s", "failed", "load"):
        table.add_column(name, justify="right")
    for one in found:
        waits = (one.p50_ms, one.p99_ms, one.max_ms)
        table.add_row(
            one.what,
            f"{one.pulls:,}",
            *(f"{each:,.0f}" for each in waits),
            f"{one.cpu_ms:,.2f}",
            f"{one.pulls / one.wall_s:,.0f}",
            f"{one.failed:,}",
            f"{one.load:.1f}",
        )
    return table
