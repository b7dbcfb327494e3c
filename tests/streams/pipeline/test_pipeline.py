"""The whole of it in one process."""

from streams.pipeline.batch import Batch
from tests import days
from tests.requests import START_S, request_of, views


def test_every_partition_hears_of_every_batch() -> None:
    """A batch whose sightings all belong to one partition moves time on in all of them."""
    flow = days.pipeline(days.QUICK, partitions=6)
    values = views(START_S, 20, account="u1", ip=None)
    flow.feed(Batch(days.TOPIC, 0, 0, len(values), values), lambda: 0)
    assert {assessor.release.bound() for assessor in flow.assessors} == {(START_S + 19) * 1_000_000 - 500_000}
    assert sorted(len(assessor.actors) for assessor in flow.assessors) == [0, 0, 0, 0, 0, 1]


def test_an_account_and_its_sessions_lie_together() -> None:
    """Whatever the number of partitions, a session of an account is where the account is."""
    flow = days.pipeline(days.QUICK, partitions=12)
    values = [request_of(START_S + n, "x", account=f"u{n}", session=f"s{n}", ip=None) for n in range(40)]
    days.run_whole(flow, values)
    for assessor in flow.assessors:
        names = {assessor.actors.actor(slot).key for slot in range(len(assessor.actors))}
        assert {name.replace("account:u", "session:s") for name in names if name.startswith("account")} == {
            name for name in names if name.startswith("session")
        }


def test_old_models_are_dropped() -> None:
    """A replay of many epochs keeps only the models that epochs to come may ask for."""
    flow = days.pipeline(days.QUICK, partitions=2)
    values = [request_of(START_S + hour * 3_600, f"p{hour}", account=f"u{hour}") for hour in range(60)]
    days.run_whole(flow, values, step=7)
    assert len(flow.models._models) <= 4
    assert flow.models.serve(flow.assessors[0].epoch).label == "2027-01-17T17:50:00"


def test_idle_lets_everything_go() -> None:
    """At the end of the input nothing is left waiting."""
    flow = days.pipeline(days.QUICK, partitions=3)
    days.run_whole(flow, views(START_S, 30, account="u1"))
    assert [assessor.release.held for assessor in flow.assessors] == [0, 0, 0]
    assert sum(assessor.judged for assessor in flow.assessors) == 30 * 3
