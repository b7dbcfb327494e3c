"""What is done to a running Weir, and how each is undone."""

import contextlib
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from kafka.errors import KafkaError

from deploy.kafka.cluster import STOP_S, Cluster, Node, wait_until
from tests.broker.installation import Installation, Worker
from tests.faults.links import Links

WORKERS_MIN: Final = 2
WORKERS_MAX: Final = 4
SEVERAL: Final = 2
"""Workers that come or go at once; one alone is another fault."""
PAUSE_S: Final = (7.0, 11.0)
"""Longer than the session of 6 s: the group goes on without the worker, which then wakes and knows nothing of it."""
SHORT_PAUSE_S: Final = (0.5, 4.0)
OUTAGE_S: Final = (2.0, 6.0)
"""How long a broker is down."""
NEXT_S: Final = (1.0, 4.0)
"""Between two faults: less than it takes to recover from one."""


@dataclass(slots=True)
class Site:
    """Where faults happen: workers, and brokers with the connections to them where these may be touched."""

    weir: Installation
    chance: random.Random
    cluster: Cluster | None = None
    links: Links | None = None
    workers_min: int = WORKERS_MIN
    """A supervisor keeps so many up."""
    down: int | None = None
    """The node that was killed, or stands still."""
    starting: threading.Thread | None = None
    """Brings it back."""
    later: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    """What undoes a fault, and when, by the monotonic clock."""
    paused: list[Worker] = field(default_factory=list)
    ended: dict[str, str] = field(default_factory=dict)
    """Workers that ended by themselves, by log: their last words."""
    known_dead: set[int] = field(default_factory=set)

    def alive(self) -> list[Worker]:
        """Workers whose process has not ended."""
        return [worker for worker in self.weir.workers if worker.process.poll() is None]

    def awake(self) -> list[Worker]:
        """Likewise, without those that stand still."""
        return [worker for worker in self.alive() if worker not in self.paused]

    def tend(self) -> None:
        """Undo what is due, and start a worker in the place of each one too few, as a supervisor does."""
        now = time.monotonic()
        due = [act for at, act in self.later if at <= now]
        self.later = [(at, act) for at, act in self.later if at > now]
        for act in due:
            act()
        for worker in self.weir.workers:
            status = worker.process.poll()
            if status is not None and worker.process.pid not in self.known_dead:
                self.known_dead.add(worker.process.pid)
                if status not in (0, -signal.SIGKILL, -signal.SIGTERM):  # of the last, one that was only starting
                    self.ended[worker.log.name] = f"status {status}: {_last_words(worker)}"
        for _ in range(self.workers_min - len(self.awake())):
            self.weir.start()

    def undo(self) -> None:
        """Undo everything now."""
        self.later = [(0.0, act) for _, act in self.later]
        self.tend()
        if self.starting is not None:
            self.starting.join(180)

    def after(self, span_s: tuple[float, float], act: Callable[[], None]) -> None:
        """Do ``act`` some time within ``span_s`` from now."""
        self.later.append((time.monotonic() + self.chance.uniform(*span_s), act))


def _last_words(worker: Worker) -> str:
    told = ("CRITICAL", "Error", "weir: ")
    lines = [line for line in worker.output().splitlines() if any(word in line for word in told)]
    return lines[-1][:300] if lines else "without a word"


def kill_worker(site: Site) -> bool:
    """End a worker as the kernel would; another one starts."""
    worker = site.chance.choice(site.alive())
    worker.kill()
    if worker in site.paused:
        site.paused.remove(worker)
    return True


def stop_worker(site: Site) -> bool:
    """Ask a worker to end, as a deployment does."""
    awake = site.awake()
    if len(awake) < WORKERS_MIN:
        return False
    site.chance.choice(awake).process.send_signal(signal.SIGTERM)
    return True


def join_worker(site: Site) -> bool:
    """One worker more."""
    if len(site.alive()) >= WORKERS_MAX:
        return False
    site.weir.start()
    return True


def scale_out(site: Site) -> bool:
    """As many workers as there may be, at once."""
    missing = WORKERS_MAX - len(site.alive())
    if missing < SEVERAL:
        return False
    for _ in range(missing):
        site.weir.start()
    return True


def scale_in(site: Site) -> bool:
    """All workers but the least are asked to end, at once."""
    awake = site.awake()
    many = len(awake) - site.workers_min
    if many < SEVERAL:
        return False
    for worker in site.chance.sample(awake, many):
        worker.process.terminate()
    return True


def kill_all_workers(site: Site) -> bool:
    """End all workers as the kernel would; others begin with nothing but what is on the brokers."""
    for worker in site.alive():
        worker.kill()
    site.paused.clear()
    return True


def _pause(site: Site, span_s: tuple[float, float]) -> bool:
    awake = site.awake()
    if len(site.paused) > 1 or not awake:
        return False
    worker = site.chance.choice(awake)
    worker.process.send_signal(signal.SIGSTOP)
    site.paused.append(worker)

    def wake() -> None:
        if worker.process.poll() is None:
            worker.process.send_signal(signal.SIGCONT)
        if worker in site.paused:
            site.paused.remove(worker)

    site.after(span_s, wake)
    return True


def pause_worker(site: Site) -> bool:
    """A worker stands still until the group has given its partitions away, then goes on."""
    return _pause(site, PAUSE_S)


def pause_worker_shortly(site: Site) -> bool:
    """A worker stands still for less than its session."""
    return _pause(site, SHORT_PAUSE_S)


def kill_broker(site: Site) -> bool:
    """End a broker, with the partitions and perhaps the controller it leads, as a power cut would."""
    return site.cluster is not None and _kill(site, site.cluster, site.chance.choice(site.cluster.nodes))


def kill_controller(site: Site) -> bool:
    """Likewise the one that decides which broker leads what: another one has to take that over first."""
    if site.cluster is None or site.down is not None:
        return False
    with contextlib.suppress(KafkaError):
        (quorum,) = site.weir.broker.admin.describe_metadata_quorum()["topics"]
        leader = quorum["partitions"][0]["leader_id"]
        return leader > 0 and _kill(site, site.cluster, site.cluster.nodes[leader - 1])
    return False


def _kill(site: Site, cluster: Cluster, node: Node) -> bool:
    if site.down is not None:
        return False
    cluster.kill(node)
    _bring_back(site, cluster, node)
    return True


def _bring_back(site: Site, cluster: Cluster, node: Node) -> None:
    """Start a node again after its outage, counted from when it was told to end."""
    site.down = node.number

    def start() -> None:
        wait_until(lambda: node.pid is None, STOP_S)
        cluster.kill(node)  # waits for the very end: one on its way out would count as running, and not be started
        cluster.start()
        site.down = None

    def begin() -> None:
        # On a busy machine a node takes half a minute: the other faults go on meanwhile.
        site.starting = threading.Thread(target=start, name="broker", daemon=True)
        site.starting.start()

    site.after(OUTAGE_S, begin)


def stop_broker(site: Site) -> bool:
    """Ask a broker to end, as when brokers are upgraded one after the other: it hands over what it leads."""
    if site.cluster is None or site.down is not None:
        return False
    node = site.chance.choice(site.cluster.nodes)
    pid = node.pid
    if pid is None:
        return False
    os.kill(pid, signal.SIGTERM)
    _bring_back(site, site.cluster, node)
    return True


def pause_broker(site: Site) -> bool:
    """A broker stands still with its connections open, as behind a disk that hangs, then goes on."""
    if site.cluster is None or site.down is not None:
        return False
    node = site.chance.choice(site.cluster.nodes)
    pid = node.pid
    if pid is None:
        return False
    os.kill(pid, signal.SIGSTOP)
    site.down = node.number

    def wake() -> None:
        os.kill(pid, signal.SIGCONT)
        site.down = None

    site.after(PAUSE_S, wake)
    return True


def cut_connections(site: Site) -> bool:
    """Break every connection to every broker, those between brokers too."""
    if site.links is None:
        return False
    return site.links.cut() > 0


KINDS: Final[Mapping[str, tuple[Callable[[Site], bool], int]]] = {
    "worker killed": (kill_worker, 5),
    "worker stopped": (stop_worker, 2),
    "worker joined": (join_worker, 2),
    "scaled out": (scale_out, 2),
    "scaled in": (scale_in, 2),
    "all workers killed": (kill_all_workers, 1),
    "worker paused beyond its session": (pause_worker, 2),
    "worker paused shortly": (pause_worker_shortly, 1),
    "broker killed": (kill_broker, 2),
    "controller killed": (kill_controller, 1),
    "broker paused": (pause_broker, 1),
    "broker stopped": (stop_broker, 1),
    "connections cut": (cut_connections, 2),
}
"""Name, what it does (False: not possible now), and how often it is drawn."""


def strike(site: Site) -> str | None:
    """Do one fault, drawn at random; its name, or None where it was not possible."""
    names = list(KINDS)
    name = site.chance.choices(names, [KINDS[each][1] for each in names])[0]
    return name if KINDS[name][0](site) else None
