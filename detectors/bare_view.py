"""Bare views: who takes profiles and nothing else.

Seen: first contacts by a view with no other request of the principal within a minute either side: no page, no asset, no
call, no search. People do not view so, since a browser or an app fetches what stands around a profile. A program that
asks for the profile alone saves itself the rest.

It is judged by what is past. A view that finds a touch within the minute before is furnished at once; any other waits,
counted in a ring of cells of ten seconds, until a touch furnishes it, or a later request of the principal finds that
the minute is over:

    cells        |--view--|--------|  ...  |--touch-|     furnished: at most six cells apart
    event time                                      ^ touch arrives, at the end of its cell

Touches are known by the cell, so a minute is one of 60 to 70 seconds. Each view adds the log-likelihood ratio of bare
or furnished, by the share of bare views that is usual with the class of its user agent. Where assets are served by
somebody whose requests are not in the stream every view is bare, the usual share is at least that of a scraper, and
nothing follows from it. While nothing is learned it is the scraper's own share, and nothing follows either.

Some people's clients fetch nothing (7 in 1,000 of those simulated), so it is worth at most five nats and speaks only
together with others.

Blind spots: headless browsers that load everything; whoever mixes searches with the views; the last views before
somebody leaves; an unknown client of the platform's own, until its class is learned.

Source: Tan, Kumar 2002, on requests of pages without images; Page 1954.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.core.columns import AGENTS, US, Columns
from detectors.core.compiled import compiled
from detectors.core.contract import Detector, DetectorConfig, Evidence, Explanation, State
from detectors.core.model import Model
from detectors.core.prefetch import AHEAD, prefetch
from schemas.sighting import Kind

Share = Annotated[float, msgspec.Meta(ge=0.1, lt=1.0)]
TAKEN_BARE: Final = 0.95
"""Share of a scraper's views that are bare."""
FEW: Final = 50.0
"""Observations that what is usual in general counts for in a class, and the scraper's share in general."""
CELL_US: Final = 10 * US
REACH: Final = 6
"""Cells either side in which a touch furnishes a view."""
RING: Final = REACH + 2
WAITING_MAX: Final = 65_535
_VIEW: Final = int(Kind.VIEW)
_LOOKUP: Final = int(Kind.LOOKUP)


class Config(DetectorConfig, frozen=True, kw_only=True):
    """``[detectors.bare_view]``."""

    cap: Annotated[float, msgspec.Meta(ge=0.0)] = 5.0
    mix: Share = 0.3
    """Share of the scraper's side mixed into the honest one; more is more cautious, and a tenth the least."""
    half_life_s: Annotated[int, msgspec.Meta(ge=3600)] = 302_400


@compiled
def _settle(ring: NDArray[np.uint16], last: int, before: int) -> int:
    """Take what waits in the cells before ``before``, where ``last`` is the newest one in use; returns how much."""
    found = 0
    for cell in range(last - ring.size + 1, min(before, last + 1)):
        found += ring[cell % ring.size]
        ring[cell % ring.size] = 0
    return found


@compiled
def _wait(ring: NDArray[np.uint16], cell: int) -> None:
    """Let one more view wait in its cell."""
    ring[cell % ring.size] = min(ring[cell % ring.size] + 1, WAITING_MAX)


@compiled
def _judge(
    slot: NDArray[np.int32],
    time_us: NDArray[np.int64],
    kind: NDArray[np.uint8],
    contact: NDArray[np.bool_],
    agent: NDArray[np.uint16],
    llr: NDArray[np.float64],
    half_life_us: float,
    ring: NDArray[np.uint16],
    seen_us: NDArray[np.int64],
    touched: NDArray[np.uint32],
    waiting_agent: NDArray[np.uint16],
    total: NDArray[np.float64],
    since_us: NDArray[np.int64],
    bare: NDArray[np.uint32],
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Move on by every row of a principal; returns sum, start of its rise, bare views since, and lesson: [n] each.

    ``llr`` is [agents, 2], furnished and bare. Rows without a slot report zeros and no lesson. ``touched`` is one more
    than the newest cell with a touch, 0 before the first. The views that wait are taken for those of the last one's
    agent.
    """
    n = slot.size
    sums, since, count, lesson = np.zeros(n), np.zeros(n, np.int64), np.zeros(n, np.int64), np.full(n, -1, np.int64)
    for i in range(n):
        prefetch(slot[min(i + AHEAD, n - 1)], (ring, seen_us, touched, waiting_agent, total, since_us, bare))
        s = slot[i]
        if s < 0:
            continue
        now = max(time_us[i], seen_us[s])
        last = seen_us[s] // CELL_US
        total[s] *= 2.0 ** ((seen_us[s] - now) / half_life_us)
        seen_us[s] = now
        is_touch = kind[i] != _VIEW and kind[i] != _LOOKUP
        # The touch of a cell comes at its end: a view's last chance is over once the sixth cell after its own is.
        found = _settle(ring[s], last, -(-now // CELL_US) - 1 - REACH)
        furnished = 0
        of = waiting_agent[s]
        if is_touch:
            cell = (time_us[i] - 1) // CELL_US
            touched[s] = max(touched[s], cell + 1)
            found += _settle(ring[s], now // CELL_US, cell - REACH)
            furnished = _settle(ring[s], now // CELL_US, now // CELL_US + 1)
        elif contact[i]:
            if touched[s] > 0 and now // CELL_US - (touched[s] - 1) <= REACH:
                furnished = 1
                of = agent[i]
            else:
                _wait(ring[s], now // CELL_US)
                waiting_agent[s] = agent[i]
        if found > 0 or furnished > 0:
            level = total[s] + found * llr[of, 1] + furnished * llr[of, 0]
            lesson[i] = 2 * of + (1 if found > 0 else 0)
            if total[s] <= 0.0 or level <= 0.0:
                since_us[s] = now
                bare[s] = 0
            bare[s] += found
            total[s] = max(level, 0.0)
        sums[i], since[i], count[i] = total[s], since_us[s], bare[s]
    return sums, since, count, lesson


class BareView(Detector[Config]):
    """See the module."""

    Config = Config
    principals_only: ClassVar[bool] = True
    principal_state: ClassVar[Mapping[str, str]] = {
        "waiting": f"({RING},)u2",
        "seen_us": "i8",
        "touched": "u4",
        "waiting_agent": "u2",
        "sum": "f8",
        "since_us": "i8",
        "bare": "u4",
    }
    lessons: ClassVar[Mapping[str, int]] = {"agents": 2 * AGENTS}
    control: ClassVar[str] = "R4"
    blind_spots: ClassVar[tuple[str, ...]] = (
        "headless browsers that load everything",
        "whoever mixes searches with the views",
        "deployments whose assets are served by somebody else",
    )

    def usual(self, model: Model) -> NDArray[np.float64]:
        """Usual share of bare views by class of user agent, never above a scraper's own: [1024]."""
        seen = model.counts("bare_view.agents", 2 * AGENTS).reshape(AGENTS, 2)
        furnished, bare = seen.sum(axis=0)
        general = (bare + FEW * TAKEN_BARE) / (furnished + bare + FEW)
        share = (seen[:, 1] + FEW * general) / (seen.sum(axis=1) + FEW)
        usual: NDArray[np.float64] = np.minimum(share, TAKEN_BARE)
        return usual

    def ratios(self, usual: NDArray[np.float64]) -> NDArray[np.float64]:
        """Log-likelihood ratio of a furnished and of a bare view by class, at most ln(1 / mix): [1024, 2]."""
        taken = np.array([1 - TAKEN_BARE, TAKEN_BARE])
        honest = (1 - self.config.mix) * np.stack([1 - usual, usual], axis=1) + self.config.mix * taken
        ratios: NDArray[np.float64] = np.log(taken / honest)
        return ratios

    def judge(self, columns: Columns, state: State, model: Model) -> Evidence:
        """Nats: the floored sum. No level: an odd client is a trait."""
        kept: dict[str, Any] = dict(state)
        usual = self.reckon(self.usual, model)
        total, since, bare, lesson = _judge(
            columns.principal_slot,
            columns.time_us,
            columns.kind,
            columns.viewed_first(),
            columns.agent,
            self.ratios(usual),
            float(self.config.half_life_s * US),
            *(kept[name] for name in ("waiting", "seen_us", "touched", "waiting_agent", "sum", "since_us", "bare")),
        )
        n = len(columns)
        numbers = {"bare": bare.astype(np.float64), "usual": usual[columns.agent]}
        return Evidence(
            np.zeros(n),
            since,
            bare,
            np.zeros(n, np.bool_),
            numbers,
            nats=total,
            moved=lesson >= 0,
            lessons={"agents": lesson},
        )

    def explain(self, columns: Columns, evidence: Evidence, row: int) -> Explanation:
        """Name the bare views and what is usual with such a client."""
        bare, usual = int(evidence.numbers["bare"][row]), float(evidence.numbers["usual"][row])
        nats = 0.0 if evidence.nats is None else float(evidence.nats[row])
        return Explanation(
            reason=f"{bare} profiles were viewed with no other request within a minute; with such a client "
            f"{usual:.0%} of views are so",
            public_reason="profiles without the pages around them",
            evidence={"bare_views": bare, "usual_share": round(usual, 4), "nats": round(nats, 3)},
        )
