from hypothesis import given
from hypothesis import strategies as st

from streams.watch.lines import Lines

pieces = st.lists(st.binary(max_size=12) | st.just(b"\n") | st.just(b"abc\r\n"), max_size=30)


@given(pieces)
def test_lines_do_not_depend_on_how_they_come(chunks: list[bytes]) -> None:
    """Whatever the cuts, the lines are those of the whole, and each end is the place behind its line end."""
    lines, all_bytes = Lines(1_000), b"".join(chunks)
    for chunk in chunks:
        lines.take_in(chunk)
    *whole, rest = all_bytes.split(b"\n")
    assert lines.whole == [line.removesuffix(b"\r") for line in whole]
    assert [all_bytes[end - 1 : end] for end in lines.ends] == [b"\n"] * len(whole)
    lines.finish()
    assert lines.whole[len(whole) :] == ([rest.removesuffix(b"\r")] if rest else [])


@given(st.integers(1, 50), st.lists(st.integers(0, 200), min_size=1, max_size=8), st.integers(1, 70))
def test_a_long_line_is_cut_and_costs_only_itself(most: int, sizes: list[int], step: int) -> None:
    """One byte more than allowed stays, so that the line is refused as too long; those behind it stay whole."""
    text = b"".join(b"x" * size + b"\n" for size in sizes)
    lines = Lines(most)
    for at in range(0, len(text), step):
        lines.take_in(text[at : at + step])
    assert lines.whole == [b"x" * min(size, most + 1) for size in sizes]
    assert lines.ends[-1] == len(text)


@given(st.lists(st.integers(0, 5), max_size=20))
def test_lines_are_taken_in_order_with_their_place(counts: list[int]) -> None:
    """As many as asked for, if there are so many; the place is where the next one begins."""
    lines = Lines(10)
    lines.take_in(b"a\nbb\nccc\n")
    taken: list[bytes] = []
    for count in counts:
        some, end = lines.take(count)
        taken += some
        assert not some or end == len(b"".join(line + b"\n" for line in taken))
    assert taken == [b"a", b"bb", b"ccc"][: sum(counts)]
