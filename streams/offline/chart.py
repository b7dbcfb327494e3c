"""The rows of `weir tune` as a chart: what a setting costs people against what it lets scrapers take."""

import io
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from schemas.errors import UsageError
from streams.offline.tune import Row

SUFFIXES: Final = (".png", ".html")
_INCHES: Final = (9.0, 6.0)
_STYLE: Final = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:62rem;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%}th,td{padding:.3rem .6rem;text-align:right;"
    "border-bottom:1px solid #ddd}svg{width:100%;height:auto}"
)


class Point(NamedTuple):
    """One row in the plane."""

    hit: int
    leaked: int
    name: str


class Axes(NamedTuple):
    """What the two directions mean."""

    hit: str
    leaked: str


LABELLED: Final = Axes("people blocked or denied a request", "profiles leaked to scrapers")
UNLABELLED: Final = Axes("accounts and addresses blocked", "profiles leaked before the first block")


def points_of(rows: Sequence[Row]) -> tuple[Axes, list[Point]]:
    """Where each row lies: to the left hits few, at the bottom leaks little."""
    if rows[0].labelled is None:
        plain = [Point(row.accounts_blocked + row.addresses_blocked, row.exposure_before_block, "") for row in rows]
    else:
        plain = [Point(row.labelled.people_hurt, row.labelled.leaked, "") for row in rows if row.labelled]
    names = [name_of(row) for row in rows]
    return (
        UNLABELLED if rows[0].labelled is None else LABELLED,
        [point._replace(name=name) for point, name in zip(plain, names, strict=True)],
    )


def name_of(row: Row) -> str:
    """The last part of each key with its value; ``as is`` for the configuration as it stands."""
    changed = (f"{key.rpartition('.')[2]} {msgspec.json.encode(value).decode()}" for key, value in row.set.items())
    return ", ".join(changed).replace('"', "") or "as is"


def best(points: Sequence[Point]) -> set[int]:
    """Places of the points that no other one beats in both directions (the Pareto front)."""
    return {
        place
        for place, one in enumerate(points)
        if not any(
            other.hit <= one.hit and other.leaked <= one.leaked and other[:2] != one[:2]
            for at, other in enumerate(points)
            if at != place
        )
    }


def require_kind(path: Path) -> None:
    """Refuse a name that says of no kind what is to be drawn; raises `UsageError`."""
    if path.suffix not in SUFFIXES:
        raise UsageError(f"--chart {path}: must end in {' or '.join(SUFFIXES)}")


def draw(rows: Sequence[Row], path: Path) -> None:
    """Write a chart; the ending of ``path`` says of which kind.

    Raises:
        UsageError: it is of no kind that can be drawn, cannot be written, or the library that draws is missing.
    """
    require_kind(path)
    image = _image(rows, "png" if path.suffix == ".png" else "svg")
    content = image if path.suffix == ".png" else _page(rows, image.decode()).encode()
    try:
        path.write_bytes(content)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from error


def _image(rows: Sequence[Row], kind: str) -> bytes:
    try:
        from matplotlib import rc_context  # noqa: PLC0415 - optional, and slow to import
        from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise UsageError("--chart needs matplotlib: install weir[chart]") from error
    axes, points = points_of(rows)
    front = best(points)
    # Fixed, so that the same rows give the same bytes.
    with rc_context({"svg.hashsalt": "weir", "svg.fonttype": "none"}):
        figure = Figure(figsize=_INCHES, layout="constrained")
        FigureCanvasAgg(figure)
        plane = figure.add_subplot()
        for place, point in enumerate(points):
            colour = "#0b6e4f" if place in front else "#999999"
            plane.scatter(point.hit, point.leaked, color=colour, marker="D" if place == 0 else "o", zorder=3)
            plane.annotate(point.name, (point.hit, point.leaked), (6, 6), textcoords="offset points", fontsize=9)
        plane.set_xlabel(axes.hit)
        plane.set_ylabel(axes.leaked)
        plane.set_xlim(left=min(0, *plane.get_xlim()))
        plane.set_ylim(bottom=0)
        plane.grid(visible=True, color="#eeeeee")
        written = io.BytesIO()
        metadata = {"Date": None} if kind == "svg" else {"Software": None}
        figure.savefig(written, format=kind, dpi=144, metadata=metadata)
    return written.getvalue()


def _page(rows: Sequence[Row], image: str) -> str:
    """One file that needs nothing else: the chart, and all figures below it."""
    axes, points = points_of(rows)
    front = best(points)
    heads = "".join(f"<th>{escape(each)}</th>" for each in ("", axes.hit, axes.leaked, "alerts", "incidents", "blocks"))
    lines = "".join(
        f"<tr><td>{'<b>' if place in front else ''}{escape(point.name)}{'</b>' if place in front else ''}</td>"
        f"<td>{point.hit:,}</td><td>{point.leaked:,}</td>"
        f"<td>{row.alerts:,}</td><td>{row.incidents:,}</td><td>{row.blocks:,}</td></tr>"
        for place, (row, point) in enumerate(zip(rows, points, strict=True))
    )
    picture = image[image.index("<svg") :]
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>weir tune</title>'
        f"<style>{_STYLE}</style><h1>What each setting would have cost</h1>"
        "<p>To the left hits few people, at the bottom leaks little. Green, and bold in the table: no other row is "
        "better in both. The diamond is the configuration as it stands.</p>"
        f"{picture}<table><tr>{heads}</tr>{lines}</table></html>\n"
    )
