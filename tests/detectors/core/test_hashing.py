import numpy as np
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.core.hashing import destination, key_within, xxh64
from schemas.actor import Scope
from tests.streams.pipeline.observe.records import key_of

WORD = st.integers(0, 2**64 - 1)


@settings(deadline=None)  # the first example compiles
@given(before=st.binary(max_size=9), value=st.binary(max_size=200), after=st.binary(max_size=9), seed=WORD)
def test_xxh64_is_that_of_the_reference(before: bytes, value: bytes, after: bytes, seed: int) -> None:
    """A span hashes as the reference hashes its bytes, wherever it lies and whatever lies around it."""
    data = np.frombuffer(before + value + after + b"\0", np.uint8)
    assert xxh64(data, len(before), len(value), np.uint64(seed)) == xxhash.xxh64_intdigest(value, seed=seed)


@settings(deadline=None)  # the first example compiles
@given(session=st.text(min_size=1), accounts=st.lists(st.text(min_size=1), min_size=2, max_size=5, unique=True))
def test_a_session_id_has_a_key_for_each_account(session: str, accounts: list[str]) -> None:
    """The same session id under different accounts is different actors, none of them the session without account."""
    key = np.uint64(key_of(session, Scope.SESSION))
    keys = {int(key_within(key, np.uint64(key_of(account, Scope.ACCOUNT)))) for account in accounts}
    assert len(keys) == len(accounts)
    assert int(key) not in keys


def test_a_session_that_is_named_like_its_account_has_a_key_of_its_own() -> None:
    """Equal keys do not cancel out: one session for each account, all different."""
    keys = {int(key_within(np.uint64(key), np.uint64(key))) for key in range(1000)}
    assert len(keys) == 1000


@settings(deadline=None)  # the first example compiles
@given(home=WORD, destinations=st.integers(1, 5000))
def test_a_destination_is_the_scaled_high_half(home: int, destinations: int) -> None:
    """The destination is ``floor(home / 2^32 * destinations / 2^32)``, and so lies in ``[0, destinations)``."""
    assert destination(np.uint64(home), destinations) == (home >> 32) * destinations >> 32


def test_actors_of_a_destination_differ_in_their_low_bits() -> None:
    """What decides the destination leaves the bits above the scope free: the tables of a partition fill evenly."""
    keys = [key_of(f"u{number}", Scope.ACCOUNT) for number in range(4096)]
    low = {key >> 3 & 15 for key in keys if destination(np.uint64(key), 16) == 5}
    assert low == set(range(16))
