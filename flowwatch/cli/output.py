"""How results leave a command: JSON lines for programs, aligned columns for people, times in UTC or in a site's own zone."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any

import rich_click as click


def line(value: Any) -> None:
    """Print `value` as one JSON object on one line."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, separators=(", ", ": ")) + "\n")


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print `rows` under `head`, in columns wide enough for each; Chinese characters count two, colours nothing."""
    from rich.cells import cell_len

    def width_of(text: str) -> int:
        return cell_len(click.unstyle(text))

    texts = [[str(cell) for cell in row] for row in [list(head), *rows]]
    widths = [max(width_of(text) for text in column) for column in zip(*texts, strict=True)]
    for row in texts:
        click.echo("  ".join(text + " " * (width - width_of(text)) for text, width in zip(row, widths, strict=True)).rstrip())


def number(value: float | None) -> str:
    """A figure as people read it: whole where it is large or whole, else to two places; a dash for none.

    >>> number(12345.6), number(3.0), number(0.125), number(None)
    ('12,346', '3', '0.12', '-')
    """
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.2f}"


def moment(us: int, zone: tzinfo = UTC) -> str:
    """The time `us` (microseconds UTC since the epoch) as ISO 8601 to the second, or to the microsecond where it has a fraction.

    >>> moment(0)
    '1970-01-01T00:00:00Z'
    """
    seconds, rest = divmod(us, 1_000_000)
    at = datetime.fromtimestamp(seconds, zone).replace(microsecond=rest)
    return at.isoformat().replace("+00:00", "Z")
