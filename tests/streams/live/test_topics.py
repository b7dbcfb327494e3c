"""The topics on a broker."""

import dataclasses
import gc
import uuid
from collections.abc import Iterator
from dataclasses import replace

import pytest
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from msgspec import structs

from schemas import topic as catalogue
from schemas.errors import TransportError
from schemas.topic import Cleanup
from streams.live import topics
from streams.live.topics import DAY_MS, EXISTS, FOREVER, Difference, Layout, check, create, layouts, partitions
from streams.notify.setting import NotifySettings
from streams.settings import InputSettings, KafkaSettings, Settings
from tests.brokers import Broker

SETTINGS = Settings(kafka=KafkaSettings(partitions=4))


@pytest.fixture
def wanted() -> tuple[Layout, ...]:
    """Every topic, under names that no other test uses."""
    prefix = f"test-{uuid.uuid4().hex[:8]}"
    return tuple(
        replace(layout, topic=structs.replace(layout.topic, name=f"{prefix}.{layout.topic.name}"))
        for layout in layouts(SETTINGS)
    )


def blocks(wanted: tuple[Layout, ...]) -> Layout:
    """The layout of the topic of blocks."""
    return next(layout for layout in wanted if layout.topic.name.endswith(catalogue.BLOCKS.name))


def make(broker: Broker, layout: Layout, partitions: int, **changes: str) -> None:
    """Create a topic as it should be but for ``changes``, in which `_` stands for the dots of Kafka's names."""
    configs = {**layout.settings(1), **{key.replace("_", "."): value for key, value in changes.items()}}
    options = {"num_partitions": partitions, "replication_factor": 1, "configs": configs}
    broker.admin.create_topics({layout.topic.name: options})
    broker.admin.wait_for_topics([layout.topic.name])


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nobody is waited for; the sockets that kafka-python leaves open when it gives up go with this test."""
    monkeypatch.setattr(topics, "ANSWER_MS", 300)
    yield
    gc.collect()


class TestLayouts:
    """What stands in the catalogue."""

    def test_every_topic_of_the_catalogue_has_a_layout(self) -> None:
        """None is forgotten, none is there twice, and the order is the same."""
        assert [layout.topic for layout in layouts(Settings())] == list(catalogue.CATALOGUE)

    def test_formats_that_are_asked_for_have_topics(self) -> None:
        """Behind all others, each once, whatever the order in which they are named."""
        found = [layout.topic for layout in layouts(Settings(notify=NotifySettings(formats=("ecs", "ocsf", "ecs"))))]
        assert found == [*catalogue.CATALOGUE, catalogue.ALERTS_OCSF, catalogue.ALERTS_ECS]

    def test_the_topic_of_requests_is_named_by_the_configuration(self) -> None:
        """`input.topic` replaces the name, and only that topic is somebody else's."""
        found = layouts(Settings(input=InputSettings(topic="edge.access")))
        assert [layout.topic.name for layout in found if not layout.ours] == ["edge.access"]

    def test_requests_and_activity_have_a_partition_for_every_worker(self) -> None:
        """`kafka.partitions` counts for these two and for state; 48 without a configuration."""
        counts = {layout.topic.name: layout.partitions for layout in layouts(SETTINGS)}
        assert (counts["http.requests"], counts["weir.activity.v1"], counts["weir.model.v1"]) == (4, 4, 1)
        assert counts["weir.state.v1"] == 4
        assert {layout.partitions for layout in layouts(Settings())} == {48, 6, 1}

    def test_state_is_compacted_soon(self) -> None:
        """Its keys are written again and again: segments close at 64 MiB, where nobody else's are limited."""
        sizes = {layout.topic.name: layout.settings(1).get("segment.bytes") for layout in layouts(SETTINGS)}
        assert {name: size for name, size in sizes.items() if size} == {"weir.state.v1": str(64 << 20)}

    def test_only_the_model_is_compacted_and_forgotten(self) -> None:
        """Blocks, configuration and overrides stay while they hold; an old epoch of the model goes after 60 days."""
        policies = {layout.topic.name: layout.cleanup for layout in layouts(SETTINGS)}
        compacted = {name for name, policy in policies.items() if policy == "compact"}
        assert compacted == {"weir.blocks.v1", "weir.config.v1", "weir.overrides.v1", "weir.state.v1"}
        assert [name for name, policy in policies.items() if policy == "compact,delete"] == ["weir.model.v1"]

    def test_a_dead_letter_is_larger_than_any_request(self) -> None:
        """The longest request that the topic takes fits into the dead letters with headers to spare."""
        sizes = {layout.topic.name: layout.record_max_bytes for layout in layouts(SETTINGS)}
        assert sizes["weir.deadletters.v1"] >= sizes["http.requests"] + 64_000
        assert sizes["http.requests"] > Settings().input.record_max_bytes

    @pytest.mark.parametrize(("copies", "insync"), [(1, "1"), (2, "1"), (3, "2"), (5, "2")])
    def test_one_broker_may_fail_without_stopping_writers(self, copies: int, insync: str) -> None:
        """Two of three copies are demanded; of fewer only one, or nothing could be written while a broker is away."""
        assert blocks(layouts(SETTINGS)).settings(copies)["min.insync.replicas"] == insync

    def test_segments_close_well_within_the_retention(self) -> None:
        """What is to be deleted after two days is not kept seven because its segment is still open."""
        for layout in layouts(SETTINGS):
            assert layout.segment_ms <= (7 * DAY_MS if layout.retention_ms == FOREVER else layout.retention_ms // 8)


class TestCreate:
    """Making topics."""

    def test_twice_is_once(self, broker: Broker, wanted: tuple[Layout, ...]) -> None:
        """The first call makes all of them as they are needed, the second none."""
        assert create(broker.kafka, wanted) == tuple(layout.topic.name for layout in wanted)
        assert create(broker.kafka, wanted) == ()
        assert check(broker.kafka, wanted) == ()

    def test_an_existing_topic_is_left_alone(self, broker: Broker, wanted: tuple[Layout, ...]) -> None:
        """A topic with another policy and fewer partitions keeps both; the others are made beside it."""
        layout = blocks(wanted)
        make(broker, layout, 2, cleanup_policy="delete")
        made = create(broker.kafka, wanted)
        assert (layout.topic.name in made, len(made)) == (False, len(wanted) - 1)
        assert check(broker.kafka, wanted) != ()
        assert len(broker.admin.describe_topics([layout.topic.name])[0]["partitions"]) == 2

    def test_a_broker_that_refuses_is_said_in_one_line(self, broker: Broker, wanted: tuple[Layout, ...]) -> None:
        """More copies than brokers: an error that names the broker."""
        if broker.kind == "embedded":
            pytest.skip("the embedded broker takes any replication factor")
        with pytest.raises(TransportError, match=f"kafka {broker.bootstrap}: .*[Rr]eplication") as caught:
            create(broker.kafka, wanted, replication=3)
        assert "\n" not in str(caught.value)

    def test_somebody_else_may_be_quicker(
        self, broker: Broker, wanted: tuple[Layout, ...], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A topic that appears between the look and the making is not counted as made, and is no error."""
        make(broker, wanted[0], 4)
        monkeypatch.setattr(KafkaAdminClient, "list_topics", lambda _: [])
        assert create(broker.kafka, wanted[:1]) == ()


class TestCheck:
    """Saying what differs."""

    def test_a_missing_topic(self, broker: Broker, wanted: tuple[Layout, ...]) -> None:
        """It does not exist, and nothing else is said of it."""
        layout = blocks(wanted)
        assert check(broker.kafka, [layout]) == (Difference(layout.topic.name, EXISTS, "no", "yes"),)

    def test_fewer_partitions_and_another_policy(self, broker: Broker, wanted: tuple[Layout, ...]) -> None:
        """Each is a difference of its own, with what was found and what is needed."""
        layout = blocks(wanted)
        make(broker, layout, 5, cleanup_policy="delete", delete_retention_ms=str(8 * DAY_MS))
        found = check(broker.kafka, [layout])
        assert [(each.what, each.found, each.needed_in_words) for each in found] == [
            ("partitions", "5", "at least 6"),
            ("cleanup.policy", "delete", "compact"),
        ]

    @pytest.mark.parametrize(("bytes_", "differs"), [(topics.RECORD_BYTES - 1, True), (topics.RECORD_BYTES, False)])
    def test_the_limit_of_a_number(
        self, broker: Broker, wanted: tuple[Layout, ...], bytes_: int, differs: bool
    ) -> None:
        """A byte less than needed is a difference, the same is none."""
        layout = blocks(wanted)
        make(broker, layout, 6, max_message_bytes=str(bytes_))
        assert [each.what for each in check(broker.kafka, [layout])] == ["max.message.bytes"] * differs

    def test_more_than_needed_is_no_difference(self, broker: Broker, wanted: tuple[Layout, ...]) -> None:
        """Unlimited retention, a larger record and more partitions serve as well."""
        layout = next(each for each in wanted if each.topic.name.endswith(catalogue.ALERTS.name))
        make(broker, layout, 7, retention_ms="-1", max_message_bytes=str(2 * topics.RECORD_BYTES))
        assert check(broker.kafka, [layout]) == ()

    def test_the_topic_of_requests_only_has_to_exist(self, broker: Broker, wanted: tuple[Layout, ...]) -> None:
        """One partition of an hour is its owner's business."""
        make(broker, wanted[0], 1, retention_ms="3600000")
        assert check(broker.kafka, wanted[:1]) == ()

    def test_three_copies_demand_two_in_sync(self, broker: Broker, wanted: tuple[Layout, ...]) -> None:
        """Topics of a single copy do not serve a cluster where three are wanted."""
        layout = blocks(wanted)
        create(broker.kafka, [layout])
        assert [each.what for each in check(broker.kafka, [layout], replication=3)] == [
            "replication",
            "min.insync.replicas",
        ]

    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # see `impatient`
    @pytest.mark.parametrize("address", ["127.0.0.1:1", "[::1]:1,127.0.0.1:1"])
    def test_nobody_there(self, impatient: None, address: str) -> None:
        """A broker that cannot be reached is one line with its address."""
        with pytest.raises(TransportError) as caught:
            check(KafkaSettings(bootstrap=address), layouts(SETTINGS))
        assert str(caught.value) == f"kafka {address}: no answer within 0.3 s"

    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # see `impatient`
    def test_an_address_that_is_none(self, impatient: None) -> None:
        """A port that is no number is told apart from silence."""
        with pytest.raises(TransportError, match=r"^kafka broker:kafka: this is not host:port"):
            check(KafkaSettings(bootstrap="broker:kafka"), layouts(SETTINGS))


class TestPartitions:
    """Counting partitions."""

    def test_of_each_topic(self, broker: Broker, wanted: tuple[Layout, ...]) -> None:
        """As many as the broker has, not as many as were wanted."""
        make(broker, wanted[0], 3)
        make(broker, blocks(wanted), 2)
        names = [wanted[0].topic.name, blocks(wanted).topic.name]
        assert partitions(broker.kafka, names) == dict(zip(names, (3, 2), strict=True))

    def test_missing_topics_are_all_named(self, broker: Broker, wanted: tuple[Layout, ...]) -> None:
        """One line names every topic that does not exist, and the command that makes them."""
        make(broker, wanted[0], 3)
        names = [layout.topic.name for layout in wanted[:3]]
        with pytest.raises(TransportError, match=f"no topic {', '.join(sorted(names[1:]))}; weir topics create"):
            partitions(broker.kafka, names)


def test_kafka_keeps_what_it_was_told(kafka_broker: Broker, wanted: tuple[Layout, ...]) -> None:
    """On Apache Kafka, every setting of every layout is read back as it was written."""
    create(kafka_broker.kafka, wanted)
    resources = [ConfigResource(ConfigResourceType.TOPIC, layout.topic.name) for layout in wanted]
    told = kafka_broker.admin.describe_configs(resources, config_filter="all")["topic"]
    for layout in wanted:
        needed = layout.settings(1)
        assert {key: told[layout.topic.name][key]["value"] for key in needed} == needed


def test_a_layout_cannot_be_changed() -> None:
    """Layouts are values: shared, never altered."""
    layout = Layout(catalogue.BLOCKS, 1)
    assert layout.topic.cleanup is Cleanup.COMPACT
    with pytest.raises(dataclasses.FrozenInstanceError):
        layout.partitions = 2  # type: ignore[misc]
