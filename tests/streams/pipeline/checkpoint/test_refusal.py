"""A checkpoint that does not fit, or is damaged, is refused with a word on what is wrong, and never half believed."""

from typing import Final

import pytest

from schemas.errors import CheckpointError
from schemas.mode import Mode
from streams import config
from streams.pipeline.assess.assessor import Assessor
from streams.pipeline.checkpoint import blob
from streams.pipeline.checkpoint.snapshot import restore
from streams.pipeline.model.models import Models
from streams.settings import Settings
from tests import days
from tests.streams.pipeline.checkpoint.stretch import PLAIN, Kept, Run

BUCKET: Final = "bucket/0003"


@pytest.fixture(scope="module")
def kept() -> Kept:
    """Two checkpoints, the second of which wrote a part."""
    run, kept = Run(PLAIN), Kept()
    while run.at < 10:
        run.step()
    kept.write(run.assessors[0])
    run.assessors[0].actors.touched.actors[3] = True
    kept.write(run.assessors[0])
    return kept


def fresh(settings: Settings = days.QUICK, partition: int = 0, but_for: str = "") -> Assessor:
    """A new assessor without one of the detectors."""
    detectors = [each for each in config.detectors(settings, Mode.ENFORCE) if each[0].name != but_for]
    return Assessor(settings, detectors, Models(settings.model, 1), "sha256:test", partition, 1)


def refusal(blobs: dict[str, bytes], into: Assessor | None = None) -> str:
    """What is said of the blobs."""
    with pytest.raises(CheckpointError) as caught:
        restore(into or fresh(), blobs)
    return str(caught.value)


def test_fits(kept: Kept) -> None:
    """As it is it is taken, whatever else lies beside it."""
    restore(fresh(), kept.blobs | {"bucket/9999": b"of another time"})


@pytest.mark.parametrize("name", ["rest", BUCKET, "recent/02/0000"])
def test_missing(kept: Kept, name: str) -> None:
    """A blob that is not there is named."""
    assert refusal({each: value for each, value in kept.blobs.items() if each != name}) == (
        f"checkpoint, {name}: is missing"
    )


@pytest.mark.parametrize("name", ["rest", BUCKET])
@pytest.mark.parametrize("left", [0, 3, 15, 16, 40, -1])
def test_cut_off(kept: Kept, name: str, left: int) -> None:
    """Wherever a blob ends too soon."""
    assert refusal(kept.blobs | {name: kept.blobs[name][:left]}).startswith(f"checkpoint, {name}: ")


@pytest.mark.parametrize("name", ["rest", BUCKET])
def test_one_bit(kept: Kept, name: str) -> None:
    """Any bit that has turned over is found, in the head and behind it."""
    whole = kept.blobs[name]
    for at in [*range(16), *range(16, len(whole), len(whole) // 40)]:
        spoilt = bytearray(whole)
        spoilt[at] ^= 1 << at % 8
        assert refusal(kept.blobs | {name: bytes(spoilt)}).startswith(f"checkpoint, {name}: ")


def test_another_version(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both versions are named."""
    monkeypatch.setattr(blob, "VERSION", blob.VERSION + 1)
    assert (
        refusal(kept.blobs)
        == f"checkpoint, rest: is of version {blob.VERSION - 1}, this Weir reads version {blob.VERSION}"
    )


def test_other_detectors(kept: Kept) -> None:
    """Columns that one side lacks are named."""
    said = refusal(kept.blobs, fresh(but_for="pacing"))
    assert "detectors is" in said
    assert "principals.nats is 14x<f4, not 13x<f4" in said or "nats" in said


def test_another_partition(kept: Kept) -> None:
    """Actors of one partition are none of another's."""
    assert refusal(kept.blobs, fresh(partition=1)) == "checkpoint, rest: is of partition 0, not 1"


def test_mixed(kept: Kept) -> None:
    """A blob of an earlier or a later checkpoint than `rest` says is none of this one's."""
    run, other = Run(PLAIN), Kept()
    for _ in range(3):
        run.step()
        other.write(run.assessors[0], everything=True)
    assert refusal(kept.blobs | {BUCKET: other.blobs[BUCKET]}) == (
        f"checkpoint, {BUCKET}: is of checkpoint 3 of partition 0, not of 1 of 0"
    )


def test_another_name(kept: Kept) -> None:
    """A blob under another's name is not taken for it."""
    assert refusal(kept.blobs | {BUCKET: kept.blobs["bucket/0004"]}) == (
        f"checkpoint, {BUCKET}: holds bucket/0004 instead"
    )
