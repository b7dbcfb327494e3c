"""The private names of Faust and aiokafka that batches lean on, and a check that they are where they were.

Both are pinned to exact versions. Whoever raises one reads the changes of every name below first: the check sees a name
or a parameter that moved, not a meaning that did.
"""

import importlib
import inspect
from collections.abc import Iterator
from importlib.metadata import version
from typing import Final

VERSIONS: Final = {"aiokafka": "0.14.0", "faust-streaming": "0.15.3"}

NAMES: Final = """
aiokafka.consumer.consumer    AIOKafkaConsumer :_client :_subscription :_fetcher :_closed :_coordinator
aiokafka.consumer.group_coordinator GroupCoordinator .check_errors() .fetch_committed_offsets(partitions)
aiokafka.consumer.group_coordinator NoGroupCoordinator .check_errors()
aiokafka.consumer.consumer    AIOKafkaConsumer :_check_crcs :_consumer_timeout :_retry_backoff_ms :_auto_offset_reset
aiokafka.consumer.consumer    AIOKafkaConsumer :_client_rack
aiokafka.consumer.fetcher     Fetcher ._proc_fetch_request(assignment,node_id,request)
aiokafka.consumer.fetcher     Fetcher .fetched_records(partitions,timeout,max_records) .close() ._notify(future)
aiokafka.consumer.fetcher     Fetcher ._create_fetch_waiter() :_client
aiokafka.consumer.fetcher     Fetcher :_records :_subscriptions :_closed :_fetch_waiters :_wait_consume_future
aiokafka.consumer.fetcher     Fetcher :_fetch_task :_pending_tasks ._set_error(tp,error)
aiokafka.consumer.fetcher     FetchResult .has_more() .check_assignment(tp) ._update_position() :_partition_records
aiokafka.consumer.fetcher     FetchResult :_assignment
aiokafka.consumer.fetcher     FetchError .check_raise()
aiokafka.consumer.fetcher     PartitionRecords ._consume_aborted_up_to(batch_offset) ._contains_abort_marker(next_batch)
aiokafka.consumer.fetcher     PartitionRecords :_tp :_records :_aborted_transactions :_aborted_producers :_check_crcs
aiokafka.consumer.fetcher     PartitionRecords :_isolation_level :next_fetch_offset :_records_iterator
aiokafka.consumer.subscription_state SubscriptionState .fetch_context() .reassignment_in_progress .subscription
aiokafka.consumer.subscription_state Assignment .state_value(tp) .tps
aiokafka.consumer.subscription_state TopicPartitionState :lso :highwater .has_valid_position .position
aiokafka.consumer.subscription_state TopicPartitionState .awaiting_reset .seek(position)
aiokafka.record.memory_records MemoryRecords .has_next .next_batch
aiokafka.record.default_records DefaultRecordBatch .base_offset .next_offset .producer_id .is_control_batch
aiokafka.record.default_records DefaultRecordBatch .is_transactional .validate_crc
aiokafka.record.default_records DefaultRecord .offset .timestamp .key .value .headers
faust.app.base                App ._on_agent_error(agent,exc) .consumer_generation_id .flow_control
faust.app.base                App .on_rebalance_complete
faust.agents                  current_agent .__call__
mode.services                 Service ._execute_task(task)
faust.channels                Channel .queue :_queue :maxsize
faust.transport.conductor     Conductor .__iter__() .acks_enabled_for(topic)
faust.transport.consumer      Consumer ._getmany(active_partitions,timeout) ._to_message(tp,record) ._new_offset(tp)
faust.transport.consumer      Consumer ._add_gap(tp,offset_from,offset_to) .ack(message) .wait_empty() .perform_seek()
faust.transport.consumer      Consumer .force_commit(topics,start_new_transaction) .on_task_error(exc)
faust.transport.consumer      Consumer .commit(topics,start_new_transaction) .maybe_wait_for_commit_to_finish()
faust.transport.consumer      Consumer .on_partitions_revoked(revoked) :_acked :_acked_index :_committed_offset
faust.transport.consumer      Consumer :_unacked_messages .resume_partitions(tps) .on_buffer_drop(tp)
faust.transport.consumer      Consumer ._wait_next_records(timeout) ._get_active_partitions()
faust.transport.consumer      Consumer ._is_changelog_tp(tp) ._filter_tps_with_pending_acks(topics)
faust.transport.consumer      ThreadDelegateConsumer ._new_consumer_thread() .seek_wait(partitions)
faust.transport.consumer      ThreadDelegateConsumer .earliest_offsets(partitions) .highwaters(partitions)
faust.transport.consumer      ThreadDelegateConsumer .seek_to_committed()
faust.tables.recovery         Recovery ._resume_streams(generation_id)
faust.transport.drivers       TRANSPORTS .aliases
faust.transport.drivers.aiokafka AIOKafkaConsumerThread .on_start() ._ensure_consumer() ._consumer .crash(exc)
faust.transport.drivers.aiokafka AIOKafkaConsumerThread ._commit(offsets) .assignment() .on_thread_stop()
faust.transport.drivers.aiokafka ensure_aiokafka_TP .__call__
faust.transport.base          Transport .__init__(url,app,loop) .Consumer
faust.types.tuples            ConsumerMessage .acked .generation_id .refcount
faust.types.tuples            ack_lock .acquire
mode.threads                  QueueServiceThread .call_thread(fun,args,kwargs)
mode.utils.queues             FlowControlQueue .in_pressure_high_state(callback) .force_put_nowait(item)
"""
"""``.name`` is on the class, ``.name(parameters)`` a method of it, ``:name`` set on an instance by its constructor."""


class PinError(Exception):
    """Faust or aiokafka are not those the batch transport was written for.

    Operator: install the versions of Weir's lock file; nothing was read or committed.
    """


def check_pins() -> None:
    """Look every name up.

    Raises:
        PinError: says in one line what moved, or which version is not the pinned one.
    """
    for line in NAMES.strip().splitlines():
        module, owner, *names = line.split()
        for name in names:
            check_name(module, owner, name)
    for package, pinned in VERSIONS.items():
        if version(package) != pinned:
            raise PinError(
                f"{package} {version(package)} is not {pinned}, for which Weir's batch transport was written"
            )


def check_name(module: str, owner: str, name: str) -> None:
    """Look one name up, written as in `NAMES`.

    Raises:
        PinError: it is gone, or takes other parameters.
    """
    found = getattr(importlib.import_module(module), owner, None)
    plain, _, parameters = name[1:].partition("(")
    if found is None:
        raise moved(module, owner, "is gone")
    if name.startswith(":"):
        if plain not in set(instance_names(found)):
            raise moved(module, f"{owner}().{plain}", "is gone")
    elif not hasattr(found, plain):
        raise moved(module, f"{owner}.{plain}", "is gone")
    elif parameters:
        taken = ",".join(list(inspect.signature(getattr(found, plain)).parameters)[1:])
        if taken != parameters.removesuffix(")"):
            raise moved(module, f"{owner}.{plain}", f"takes ({taken}) and not ({parameters}")


def instance_names(owner: type) -> Iterator[str]:
    """Names that the constructors of ``owner`` and its bases touch."""
    for each in owner.__mro__:
        code = getattr(vars(each).get("__init__"), "__code__", None)
        if code is not None:
            yield from code.co_names


def moved(module: str, name: str, how: str) -> PinError:
    """The error that says ``how`` a name is not what it was."""
    package = {"faust": "faust-streaming", "mode": "mode-streaming"}.get(top := module.partition(".")[0], top)
    return PinError(f"{package} {version(package)}: {module}.{name} {how}; Weir's batch transport leans on it")
