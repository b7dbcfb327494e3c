from schemas.topic import ALERTS, CATALOGUE, FORMATS, Cleanup


def test_catalogue_holds_the_topics_of_the_contract() -> None:
    """Section 3 of the contract, name by name."""
    assert {topic.name for topic in CATALOGUE} == {
        "http.requests",
        "weir.alerts.v1",
        "weir.blocks.v1",
        "weir.deadletters.v1",
        "weir.audit.v1",
        "weir.config.v1",
        "weir.overrides.v1",
        "weir.activity.v1",
        "weir.model.v1",
        "weir.state.v1",
    }


def test_state_is_compacted_and_streams_are_not() -> None:
    """A topic whose last record by key is the whole truth is compacted, and no other."""
    compacted = {topic.name for topic in CATALOGUE if topic.cleanup is Cleanup.COMPACT}
    assert compacted == {"weir.blocks.v1", "weir.config.v1", "weir.overrides.v1", "weir.model.v1", "weir.state.v1"}


def test_formats_are_copies_of_the_alerts() -> None:
    """Keyed and cleaned up as the alerts are, under the name of the format; they exist only where they are wanted."""
    for name, topic in FORMATS.items():
        assert topic.name == f"weir.alerts.{name}.v1"
        assert (topic.key, topic.cleanup) == (ALERTS.key, ALERTS.cleanup)
        assert topic not in CATALOGUE
