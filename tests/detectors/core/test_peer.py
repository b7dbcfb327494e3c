"""Classes of principals by tier."""

from detectors.core.peer import classes_of
from schemas.actor import Scope
from tests.detectors.columns_of import columns_of

TIERS = ("", "free", "basic", "premium", "pro", "business", "recruiter")


def test_usual_tiers_have_a_class_each() -> None:
    """Seven of them, and whoever has no account has the eighth, whatever the tier."""
    columns = columns_of([0.0] * 7, tiers=TIERS, tier=range(7))
    assert sorted(classes_of(columns).tolist()) == [0, 1, 2, 3, 4, 5, 6]
    assert classes_of(columns_of([0.0] * 7, tiers=TIERS, tier=range(7), scope=Scope.IP)).tolist() == [7] * 7
