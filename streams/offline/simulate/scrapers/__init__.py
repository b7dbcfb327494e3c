"""Kinds of scrapers. A new kind is one function here, one entry in `KINDS` and its name in `plan.SCRAPER_KINDS`."""

from collections.abc import Callable
from typing import Final

from streams.offline.simulate.plan import SCRAPER_KINDS
from streams.offline.simulate.scrapers.account import (
    burst,
    headless,
    low_and_slow,
    metronome,
    mixed,
    new_account,
    stolen_session,
    unpopular,
)
from streams.offline.simulate.scrapers.by_id import canary_toucher, guessing, id_walk, id_walks
from streams.offline.simulate.scrapers.by_list import (
    graph_walk,
    import_block,
    import_order,
    import_random,
    sweep_alphabet,
    sweep_surname,
)
from streams.offline.simulate.scrapers.group import (
    farm_aged,
    farm_furnished,
    farm_net,
    farm_scattered,
    fleet,
    fleet_common,
    fleets,
    one_shot,
)
from streams.offline.simulate.scrapers.stage import Scraper, Stage
from streams.offline.simulate.world import World

__all__ = ["KINDS", "Scraper", "Stage", "scrapers"]

KINDS: Final[dict[str, Callable[[Stage], list[Scraper]]]] = {
    "burst": burst,
    "low_and_slow": low_and_slow,
    "fleet": fleet,
    "id_walk": id_walk,
    "unpopular": unpopular,
    "mixed": mixed,
    "id_walks": id_walks,
    "guessing": guessing,
    "fleets": fleets,
    "fleet_common": fleet_common,
    "one_shot": one_shot,
    "farm_net": farm_net,
    "farm_scattered": farm_scattered,
    "farm_furnished": farm_furnished,
    "stolen_session": stolen_session,
    "import_order": import_order,
    "import_block": import_block,
    "import_random": import_random,
    "sweep_alphabet": sweep_alphabet,
    "sweep_surname": sweep_surname,
    "graph_walk": graph_walk,
    "new_account": new_account,
    "metronome": metronome,
    "headless": headless,
    "canary_toucher": canary_toucher,
    "farm_aged": farm_aged,
}


def scrapers(world: World) -> list[Scraper]:
    """The scrapers of a plan, by kind; none without days for them."""
    if world.plan.scraper_days == 0:
        return []
    kinds = [(slot, kind) for slot, kind in enumerate(SCRAPER_KINDS) if kind in world.plan.scrapers]
    return [scraper for slot, kind in kinds for scraper in KINDS[kind](Stage(world, slot))]
