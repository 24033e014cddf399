"""Tables for the terminal that stay legible at 80 columns."""

from rich import box
from rich.table import Table


def table(*columns: str, folded: str, title: str | None = None) -> Table:
    """A table of these columns; only the column `folded` is broken over lines."""
    out = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False)
    for name in columns:
        out.add_column(name, no_wrap=name != folded, overflow="fold")
    return out
