import pytest

from streams.pipeline.observe import warm_up


@pytest.fixture(scope="session", autouse=True)
def _compiled() -> None:
    """Every kernel is compiled before the first test, so that no deadline of a test meets the compiler."""
    warm_up()
