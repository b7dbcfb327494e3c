import msgspec
import pytest

from schemas.errors import RecordError
from schemas.override import OVERRIDE_CODEC, decode_override
from tests.contract.golden_file import lines

GOLDEN = lines("override.v1")


def test_a_tombstone_takes_back() -> None:
    """No value, no override."""
    assert decode_override(None) is None


@pytest.mark.parametrize("line", GOLDEN)
@pytest.mark.parametrize("name", ["actor", "action", "detector", "config", "until"])
def test_what_is_not_named_is_refused(line: bytes, name: str) -> None:
    """Whatever a kind needs must be there: one that hits nobody, or everybody, is worse than none."""
    override = OVERRIDE_CODEC.decode(line)
    if getattr(override, name) is None:
        return
    without = OVERRIDE_CODEC.encode(msgspec.structs.replace(override, **{name: None}))
    with pytest.raises(RecordError):
        decode_override(without)


def test_what_is_too_much_is_refused() -> None:
    """An actor beside a detector could mean two things."""
    switch = OVERRIDE_CODEC.decode(GOLDEN[2])
    both = msgspec.structs.replace(switch, actor=OVERRIDE_CODEC.decode(GOLDEN[0]).actor)
    with pytest.raises(RecordError, match="kind kill_switch names detector and nothing else"):
        decode_override(OVERRIDE_CODEC.encode(both))


@pytest.mark.parametrize(
    ("place", "key"),
    [(0, "account:42"), (1, "net:203.0.113.0/24"), (2, "kill_switch:*"), (3, "revoke:sha256:9f86d081884c7d65")],
)
def test_each_names_what_it_decides_about_in_its_key(place: int, key: str) -> None:
    """A later word on the same thing takes the place of the earlier one."""
    override = decode_override(GOLDEN[place])
    assert override is not None
    assert override.key == key
