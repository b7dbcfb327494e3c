"""How tables are printed: on a terminal within its width, elsewhere a row a line; and nothing of them is cut.

Rows of many keys and times are a line each on a terminal, too: folded into narrow columns nobody could copy them.
"""

import sys
from typing import Final

from rich.console import Console
from rich.table import Column

WIDE: Final = 4096
"""Characters a row may take in a file or a pipe: more than any has."""


def table_console(*, long_rows: bool = False) -> Console:
    """Where tables are printed: as wide as the terminal; `WIDE` without one, or for rows longer than a terminal is."""
    return Console(width=None if sys.stdout.isatty() and not long_rows else WIDE)


def columns(*names: str) -> list[Column]:
    """Columns that a narrow terminal folds: keys, ids and times are there to be copied."""
    return [Column(name, overflow="fold") for name in names]
