"""`python -m deploy.kafka up|down|status`, from the top of the repository."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final, NoReturn

from deploy.kafka.cluster import Cluster
from deploy.kafka.programs import BUILD, ClusterError

DEFAULT_PORT: Final = 9092


def clusters() -> list[Cluster]:
    """Those under the build directory."""
    found = (Cluster.at(directory) for directory in sorted(BUILD.glob("data-*")))
    return [cluster for cluster in found if cluster is not None]


def up(brokers: int, port: int, directory: Path | None) -> int:
    """Start a cluster and say where it is."""
    cluster = Cluster(directory or BUILD / f"data-{brokers}", brokers, port)
    cluster.start()
    print(cluster.bootstrap)
    return 0


def down(directory: Path | None) -> int:
    """Stop one cluster, or every one under the build directory; the data stays."""
    for cluster in chosen(directory):
        cluster.stop()
    return 0


def status(directory: Path | None) -> int:
    """One line a cluster; 0 when any was found and all run, else 1."""
    found = chosen(directory)
    for cluster in found:
        print(f"{cluster.bootstrap}  {'running' if cluster.running else 'stopped'}  {cluster.directory}")
    return 0 if found and all(cluster.running for cluster in found) else 1


def chosen(directory: Path | None) -> list[Cluster]:
    """The cluster of a directory, or all under the build directory."""
    if directory is None:
        return clusters()
    cluster = Cluster.at(directory)
    if cluster is None:
        raise ClusterError(f"{directory} holds no cluster")
    return [cluster]


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Real Apache Kafka on loopback, for development and tests.")
    parser.add_argument("action", choices=("up", "down", "status"))
    parser.add_argument("--brokers", type=int, choices=(1, 3), default=1, help="nodes of the cluster (up)")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="of the first broker; 0: any free one (up)")
    parser.add_argument("--data", type=Path, metavar="DIR", help="where it lives; default build/kafka/data-BROKERS")
    options = parser.parse_args(arguments)
    actions: dict[str, Callable[[], int]] = {
        "up": lambda: up(options.brokers, options.port, options.data),
        "down": lambda: down(options.data),
        "status": lambda: status(options.data),
    }
    try:
        return actions[options.action]()
    except ClusterError as error:
        print(f"kafka: {error}", file=sys.stderr)
        return 2


def _leave() -> NoReturn:
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    _leave()
