"""Whether a broker is there and sees the others: one request of Kafka's protocol, with the standard library only."""

import socket
import struct
from collections.abc import Iterator
from typing import Final

HOST: Final = "127.0.0.1"


def answers(port: int, cluster_id: str, brokers: int) -> bool:
    """Whether the broker says that it belongs to this cluster and sees so many brokers."""
    try:
        with socket.create_connection((HOST, port), timeout=5) as peer:
            return describe_cluster(peer) == (cluster_id, brokers)
    except (OSError, struct.error, IndexError):
        return False


def describe_cluster(peer: socket.socket) -> tuple[str, int]:
    """Cluster id and number of brokers: Kafka's DescribeCluster (key 60, version 0), by hand.

    An open port is not enough: a node listens some time before the others know it.
    """
    # api key, api version, correlation id, no client id, no tags; then: no authorised operations, no tags.
    request = struct.pack(">hhihBBB", 60, 0, 1, -1, 0, 0, 0)
    peer.sendall(struct.pack(">i", len(request)) + request)
    reply = iter(receive(peer, struct.unpack(">i", receive(peer, 4))[0]))
    take(reply, 4 + 1 + 4 + 2)  # correlation id, tags, throttle time, error code
    compact_string(reply)  # error message
    cluster_id = compact_string(reply)
    take(reply, 4)  # controller id
    return cluster_id, uvarint(reply) - 1


def receive(peer: socket.socket, count: int) -> bytes:
    """Exactly so many bytes."""
    data = b""
    while len(data) < count:
        more = peer.recv(count - len(data))
        if not more:
            raise ConnectionError("closed in the middle of an answer")
        data += more
    return data


def take(data: Iterator[int], count: int) -> bytes:
    """The next bytes, fewer at the end."""
    return bytes(byte for _, byte in zip(range(count), data, strict=False))


def uvarint(data: Iterator[int]) -> int:
    """Kafka's unsigned varint: seven bits a byte, lowest first."""
    value = shift = 0
    for byte in data:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
    return value


def compact_string(data: Iterator[int]) -> str:
    """Length plus one, then UTF-8; null is read as empty."""
    return take(data, max(uvarint(data) - 1, 0)).decode()
