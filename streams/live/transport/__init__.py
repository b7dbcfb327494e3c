"""Faust transport ``batch://``: all records of one partition's fetch as one message."""

from streams.live.transport.failure import explain_with, stop_process
from streams.live.transport.options import Assigned, Beginning, FetchOptions, TopicOptions
from streams.live.transport.transport import (
    PartitionState,
    batch_topic,
    configure,
    let_commit,
    let_go,
    on_last_call,
    partition_states,
    register,
)

__all__ = [
    "Assigned",
    "Beginning",
    "FetchOptions",
    "PartitionState",
    "TopicOptions",
    "batch_topic",
    "configure",
    "explain_with",
    "let_commit",
    "let_go",
    "on_last_call",
    "partition_states",
    "register",
    "stop_process",
]
