from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import pytest

from schemas.errors import UsageError
from streams.offline.chart import best, draw, name_of, points_of
from streams.offline.tune import LabelledRow, Row

PLAIN = Row(
    set={},
    config="sha256:00",
    alerts=9,
    incidents=3,
    blocks=2,
    accounts_blocked=4,
    addresses_blocked=1,
    requests_denied=7,
    exposure_before_block=120,
)


def row(limit: int, hurt: int, leaked: int) -> Row:
    """A row with labels."""
    label = LabelledRow(people_alerted=0, people_hurt=hurt, leaked=leaked, scrapers=4, found=4, blocked=3)
    return msgspec.structs.replace(PLAIN, set={"detectors.long_tail.limit": limit}, labelled=label)


ROWS = [msgspec.structs.replace(row(0, 2, 900), set={}), row(8, 5, 200), row(12, 2, 400), row(16, 0, 1_500)]


def test_people_hit_against_profiles_leaked() -> None:
    """With labels people and scrapers, without them who was blocked and what had leaked before."""
    axes, points = points_of(ROWS)
    assert axes.hit == "people blocked or denied a request"
    assert [point[:2] for point in points] == [(2, 900), (5, 200), (2, 400), (0, 1500)]
    axes, points = points_of([PLAIN])
    assert (axes.hit, points[0][:2]) == ("accounts and addresses blocked", (5, 120))


def test_the_front_is_what_nothing_beats() -> None:
    """A row is left out when another one hits as few and leaks less, or the other way round; equals stay together."""
    points = points_of(ROWS)[1]
    assert best(points) == {1, 2, 3}
    assert best([points[1], points[1]]) == {0, 1}


def test_a_row_is_named_by_what_it_changes() -> None:
    """By the last part of each key."""
    assert [name_of(each) for each in ROWS] == ["as is", "limit 8", "limit 12", "limit 16"]


def test_a_page_needs_nothing_else(tmp_path: Path) -> None:
    """The chart with every row in it, the figures, no script and nothing from elsewhere; the same bytes each time."""
    first, second = tmp_path / "a.html", tmp_path / "b.html"
    hostile = msgspec.structs.replace(row(9, 1, 1), set={"detectors.x.<script>": "</svg>&"})
    for path in (first, second):
        draw([*ROWS, hostile], path)
    text = first.read_text()
    assert text == second.read_text()
    assert "<script" not in text
    assert "src=" not in text
    picture = ET.fromstring(text[text.index("<svg") : text.index("</svg>") + 6])
    said = "".join(picture.itertext())
    assert all(name_of(each) in said for each in ROWS)
    assert "<td>1,500</td>" in text


def test_a_picture(tmp_path: Path) -> None:
    """A PNG, of rows without labels as well."""
    draw([PLAIN], tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["a.jpg", "a", "no/such/directory/a.png"])
def test_what_cannot_be_written_is_refused(tmp_path: Path, name: str) -> None:
    """In words."""
    with pytest.raises(UsageError, match=r"a(\.jpg|\.png)?: "):
        draw(ROWS, tmp_path / name)
