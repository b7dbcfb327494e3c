"""Limits in a source, and a source in which one of them is another."""

import ast
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

COUNT_MAX: Final = 10_000
"""A limit below is a count, of which one more or less is the other side of it; from here on it is a time or a size."""
SMALL: Final = 100
"""Likewise of constants, which are measures more often."""
FINITE: Final = "10.0"
"""In place of no bound: most evidence is bounded elsewhere, so that a high one would be none."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A number in a source, with what would be other limits in its place."""

    name: str
    """As ``Config.limit`` or ``NEAR``."""
    line: int
    at: tuple[int, int]
    """Where it begins and ends in the text, in bytes: half-open."""
    old: str
    new: tuple[str, ...]
    is_field: bool
    """Whether a class holds it, or is made with it; loops are handed such a number, and any other is compiled in."""

    def mutant(self, source: str, new: str) -> str:
        """The source with ``new`` in its place, in lines that stand where they stood."""
        text = source.encode()
        return (text[: self.at[0]] + new.encode() + text[self.at[1] :]).decode()


def limits(source: str) -> Iterator[Limit]:
    """Numbers in what is assigned in modules and classes: to ``Final`` names, to capital ones, and to all in classes.

    Places of a tuple that numbers them, as ``A, B = 0, 1``, are labels and no limits.
    """
    text, starts = source.encode(), [0]
    for line in text.split(b"\n"):
        starts.append(starts[-1] + len(line) + 1)
    for name, value, in_class in _assigned(ast.parse(source).body, ""):
        for node, is_field in _numbers(value, is_field=in_class):
            assert node.end_lineno is not None
            assert node.end_col_offset is not None
            begin, end = starts[node.lineno - 1] + node.col_offset, starts[node.end_lineno - 1] + node.end_col_offset
            old = text[begin:end].decode()
            new = tuple(_others(old, COUNT_MAX if is_field else SMALL))
            yield Limit(name, node.lineno, (begin, end), old, new, is_field)


def _assigned(body: list[ast.stmt], owner: str) -> Iterator[tuple[str, ast.expr, bool]]:
    for each in body:
        if isinstance(each, ast.ClassDef):
            yield from _assigned(each.body, f"{each.name}.")
        elif isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name) and each.value is not None:
            if owner or "Final" in ast.unparse(each.annotation):
                yield owner + each.target.id, each.value, bool(owner)
        elif isinstance(each, ast.Assign) and isinstance(each.targets[0], ast.Name) and each.targets[0].id.isupper():
            yield owner + each.targets[0].id, each.value, bool(owner)


def _numbers(node: ast.expr, *, is_field: bool) -> Iterator[tuple[ast.expr, bool]]:
    """Literals of numbers, and ``float("inf")``; with whether each is a field's rather than part of a reckoning."""
    if ast.unparse(node) == "float('inf')" or (isinstance(node, ast.Constant) and type(node.value) in {int, float}):
        yield node, is_field
    elif isinstance(node, ast.Call):
        for argument in node.args:
            yield from _numbers(argument, is_field=is_field)
        for named in node.keywords:
            yield from _numbers(named.value, is_field=True)
    elif isinstance(node, ast.Tuple | ast.List | ast.BinOp | ast.UnaryOp):
        for part in ast.iter_child_nodes(node):
            if isinstance(part, ast.expr):
                yield from _numbers(part, is_field=is_field)


def _others(old: str, count_max: int) -> Iterator[str]:
    """One more and one less of a count, a tenth more and less of anything else; something in place of nothing."""
    value: int | float = math.inf if "inf" in old else ast.literal_eval(old)
    if value == math.inf:
        yield FINITE
    elif value == 0:
        yield "1" if isinstance(value, int) else "1.0"
    elif isinstance(value, int):
        step = 1 if value < count_max else round(value / 10)
        yield from (str(value + step), str(value - step))
    else:
        yield from (repr(float(f"{value * factor:.6g}")) for factor in (1.1, 0.9))
