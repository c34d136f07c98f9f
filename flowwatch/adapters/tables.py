"""Delimited text as columns of distinct cells.

Decides how a table is cut into lines and cells: a row is one line (a quoted cell cannot hold a line break), cells are quoted with '"' where
they hold the delimiter, blank lines are no rows. A line with another number of cells than the header, or with a quote that is not closed, is
a bad row by itself and has no effect on others. Knows nothing of what cells mean.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc

from flowwatch.adapters.mapping import Encoding
from flowwatch.core.readings import Ints

DAMAGED: Final = "\ufffd"
"""Stands for bytes that are not in the declared encoding; Unicode's own sign for that."""


@dataclass(frozen=True, slots=True)
class Cells:
    """A column of n cells: `texts[codes[i]]` is cell i, without the blanks around it. A text is None where its bytes are damaged."""

    codes: Ints
    texts: list[str | None]


@dataclass(frozen=True, slots=True)
class Rows:
    """A block's lines. `good` (g,): which of them are rows; `cells`: of these, by the column's place in the header, columns of g cells."""

    lines: list[bytes]
    good: Ints
    cells: dict[int, Cells]


def header(line: bytes, delimiter: bytes, encoding: Encoding) -> list[str]:
    """The names in a table's first line, without the blanks around them. Raises UnicodeDecodeError and csv.Error."""
    rows = list(csv.reader([line.decode(encoding.value)], delimiter=delimiter.decode()))
    return [name.strip() for name in rows[0]] if rows else []


class Table:
    """Cuts blocks of lines into cells."""

    def __init__(self, width: int, wanted: Sequence[int], delimiter: bytes, encoding: Encoding) -> None:
        """`width`: cells in a row; `wanted`: the places of the columns that are needed."""
        self._names = [str(i) for i in range(width)]
        self._wanted = sorted(set(wanted))
        self._encoding = encoding
        self._closing = b"-" + delimiter * (width - 1) + b"\n"
        self._parse = pc.ParseOptions(delimiter=delimiter.decode(), newlines_in_values=False)
        self._convert = pc.ConvertOptions(
            column_types=dict.fromkeys(self._names, pa.binary()),
            include_columns=[self._names[i] for i in self._wanted],
            strings_can_be_null=False,
            check_utf8=False,
        )

    def rows(self, block: bytes) -> Rows:
        """The rows of a block of whole lines."""
        if b"\r" in block:
            block = block.replace(b"\r\n", b"\n")
        lines = [line for line in block.split(b"\n") if line.strip()]
        texts = self._as_utf_8(lines, block)
        pieces: list[tuple[Ints, pa.Table]] = []
        self._cut(texts, np.array([i for i, text in enumerate(texts) if b"\r" not in text], np.int64), pieces)
        if not pieces:
            return Rows(lines, np.zeros(0, np.int64), {i: Cells(np.zeros(0, np.int64), []) for i in self._wanted})
        table = pa.concat_tables([piece for _, piece in pieces])
        cells = {i: self._cells(table.column(self._names[i])) for i in self._wanted}
        return Rows(lines, np.concatenate([good for good, _ in pieces]), cells)

    def _as_utf_8(self, lines: list[bytes], block: bytes) -> list[bytes]:
        """The lines as UTF-8, with `DAMAGED` for bytes that are not in the declared encoding."""
        if self._encoding is Encoding.UTF_8:
            with suppress(UnicodeDecodeError):
                block.decode()
                return lines
        return [line.decode(self._encoding.value, "replace").encode() for line in lines]

    def _cut(self, texts: list[bytes], chosen: Ints, pieces: list[tuple[Ints, pa.Table]]) -> None:
        """Add the good rows among the `chosen` texts: together if that works, else half by half.

        A line whose quote is not closed takes those after it with it. So there is a line of known width at the end, and unless every line
        was either a row or skipped for its width, some line did that.
        """
        if not len(chosen):
            return
        skipped: list[int] = []

        def skip(row: pc.InvalidRow) -> Literal["skip"]:
            skipped.append((row.number or 0) - 1)
            return "skip"

        self._parse.invalid_row_handler = skip
        block = b"\n".join([*(texts[i] for i in chosen.tolist()), self._closing])
        reading = pc.ReadOptions(use_threads=False, column_names=self._names, block_size=len(block) + 1)
        try:
            table = pc.read_csv(BytesIO(block), reading, self._parse, self._convert)
        except pa.ArrowInvalid:
            table = None
        if table is not None and table.num_rows + len(skipped) == len(chosen) + 1:
            pieces.append((np.delete(chosen, skipped), table.slice(0, table.num_rows - 1)))
        elif len(chosen) > 1:
            half = len(chosen) // 2
            self._cut(texts, chosen[:half], pieces)
            self._cut(texts, chosen[half:], pieces)

    def _cells(self, column: pa.ChunkedArray[Any]) -> Cells:
        encoded = pa.concat_arrays(column.chunks).dictionary_encode()
        distinct: list[Any] = encoded.dictionary.to_pylist()
        texts = [cell.decode().strip() for cell in distinct]
        return Cells(encoded.indices.to_numpy().astype(np.int64), [None if DAMAGED in text else text for text in texts])
