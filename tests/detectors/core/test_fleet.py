"""What the sums over a group's members say, by what is learned; the rest is in `test_cohort`."""

from dataclasses import replace

import numpy as np
import pytest

from detectors.core.columns import AGENTS
from detectors.core.fleet import bare_nats, seldom_bare, suspicion
from detectors.core.model import Model, certainly, empty


def model(furnished: float, bare: float) -> Model:
    """A model that has learned so many views of one class of clients."""
    counts = np.zeros(2 * AGENTS)
    counts[14:16] = furnished, bare
    return replace(empty(), lessons={"bare_view.agents": counts})


def test_nothing_while_nothing_is_learned() -> None:
    """Without lessons a member without furniture is nothing odd."""
    assert bare_nats(empty()) == 0.0


@pytest.mark.parametrize(("share", "nats"), [(0.007, 1.19), (0.1, 1.0), (0.5, 0.40), (0.95, 0.0), (1.0, 0.0)])
def test_by_how_rare_it_is(share: float, nats: float) -> None:
    """It adds the less the more often people's views stand alone, and nothing where assets come from elsewhere."""
    assert bare_nats(model(1e9 * (1 - share), 1e9 * share)) == pytest.approx(nats, abs=0.02)


def test_learned_as_it_comes() -> None:
    """A thousand views weigh as much as the scraper's own share."""
    half = (0.95 * 1_000 + 0) / 2_000
    assert bare_nats(model(1_000, 0)) == pytest.approx(np.log(0.95 / (0.7 * half + 0.3 * 0.95)))


@pytest.mark.parametrize(("share", "seldom"), [(0.199, True), (0.201, False)])
def test_seldom(share: float, seldom: bool) -> None:
    """It is odd of a client to have no furniture up to one honest view in five that has none."""
    assert seldom_bare(model(1e9 * (1 - share), 1e9 * share))[7] == seldom


@pytest.mark.parametrize(("bare", "worth"), [(50, 0.5), (51, 0.0)])
def test_where_everybody_is_bare(bare: float, worth: float) -> None:
    """Where more than one view in five stands alone, beside two hundred that do not, being suspect is worth nothing."""
    assert suspicion(model(0, bare))[7] == worth


def test_a_key_is_never_its_own_mark() -> None:
    """What stands for a certain suspect stands for no other key by chance of few bits."""
    keys = np.array([0, 1, 2**63, 2**64 - 1], np.uint64)
    assert not np.isin(certainly(keys[1:3]), keys).any()
    assert certainly(certainly(keys)).tolist() == keys.tolist()
