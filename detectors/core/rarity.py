"""What a first contact says by how popular the profile is: picked uniformly, or as honest people pick."""

from typing import Annotated, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.core.popularity import Popularity

Share = Annotated[float, msgspec.Meta(ge=0.1, lt=1.0)]
UNIFORM_SHARE: Final = 0.9
"""The scraper's picks are uniform but for a tenth, so that no popular profile clears it."""


def ratios(popularity: Popularity, mix: float) -> NDArray[np.float64]:
    """Log-likelihood ratio of a first contact by popularity bin: [9], at most ln(1 / mix).

    ``mix`` of the scraper's side is mixed into the honest one, the least favourable honest person, so that one contact
    has bounded weight. A bin that neither side reaches says nothing.
    """
    taken = UNIFORM_SHARE * popularity.uniform + (1 - UNIFORM_SHARE) * popularity.honest
    honest = (1 - mix) * popularity.honest + mix * taken
    return np.log(np.divide(taken, honest, out=np.ones_like(taken), where=honest > 0))
