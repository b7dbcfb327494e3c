"""Who is compared with whom: classes of principals by tier, few enough to learn each of them."""

from typing import Final
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from detectors.core.columns import Columns
from schemas.actor import Scope

CLASSES: Final = 8
"""Seven classes of accounts, by a checksum of the tier's name, and one of whoever has no account."""
VISITORS: Final = CLASSES - 1
SHIFT: Final = 6
"""Bits of the checksum left out: then the unnamed tier, free, basic, premium, pro, business and recruiter have a class
each."""


def classes_of(columns: Columns) -> NDArray[np.int64]:
    """Class of each row's actor, in [0, 8): [n]. Tiers may share one; an operator has a handful of them."""
    tiers = np.array([(crc32(tier.encode()) >> SHIFT) % VISITORS for tier in columns.tiers], np.int64)
    return np.where(columns.scope == Scope.ACCOUNT.value, tiers[columns.tier], VISITORS)
