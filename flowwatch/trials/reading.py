"""Reading a test file against the site and plans that it tests: the tests, or all of the faults.

Series are texts with a language of their own (`series.py`); their faults point into the text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from flowwatch.documents.faults import DocumentErrors, Faults, Path, TooManyFaultsError
from flowwatch.documents.holes import HOLE, Undecidable
from flowwatch.documents.load import TOP, Source
from flowwatch.documents.nodes import Listing, Mapping, Node, Scalar, read_tree
from flowwatch.documents.walk import Walk, place_of
from flowwatch.documents.wanted import type_of
from flowwatch.trials.language import Trial, Trials
from flowwatch.trials.rules import rules
from flowwatch.trials.series import Run, Series, SeriesError, parse
from flowwatch.trials.stock import Stock


@dataclass(frozen=True, slots=True)
class Test:
    """One test as it is run: `lines` are those of its expectations, `acts` those of its actions."""

    __test__ = False  # for pytest: this is no test of flowwatch

    file: str
    line: int
    trial: Trial
    series: dict[str, Series]
    readings: dict[str, Series]
    lines: tuple[int, ...]
    acts: tuple[int, ...]


def read(text: Source, stock: Stock) -> list[Test]:
    """The tests in a file. Raises `DocumentErrors` with every fault of it."""
    faults = Faults(text.name)
    try:
        tests = list(_tests(text, stock, faults))
    except TooManyFaultsError:
        tests = []
    if faults.found:
        raise DocumentErrors(faults.sorted())
    return tests


def _tests(text: Source, stock: Stock, faults: Faults) -> Iterator[Test]:
    if text.unreadable:
        faults.add(TOP, (), f"found a file that cannot be read ({text.unreadable}), expected tests")
        return
    tree = read_tree(text.data, faults)
    if tree is None:
        return
    names = stock.names()
    names.collect(tree, type_of(Trials), faults)
    value: Any = Walk(faults, names, rules(stock)).value(tree, type_of(Trials))
    pointer = _Pointer(faults, tree, text.data.decode("utf-8-sig").split("\n"), stock)
    tests = _part(tree, ("tests",))
    found = [pointer.both(("tests", i)) for i in range(len(tests.items))] if isinstance(tests, Listing) else []
    try:
        for i, trial in enumerate(value.tests):
            if trial is not HOLE:
                yield Test(text.name, place_of(tree, ("tests", i)).line, trial, *found[i], *pointer.places(("tests", i)))
    except Undecidable:
        return


def _part(node: Node | None, path: Path) -> Node | None:
    """What stands at `path` below `node`."""
    for step in path:
        if isinstance(node, Mapping):
            node = next((value for key, value in node.entries if key.text == step), None)
        elif isinstance(node, Listing) and isinstance(step, int):
            node = node.items[step]
        else:
            return None
    return node


@dataclass(frozen=True, slots=True)
class _Pointer:
    """Reads series where they stand, whatever else is wrong around them, and points at what is wrong within one."""

    faults: Faults
    tree: Node
    lines: list[str]
    stock: Stock

    def both(self, path: Path) -> tuple[dict[str, Series], dict[str, Series]]:
        """The figures and the readings of the test at `path`."""
        return (
            {name: self._figures((*path, "series", name), said) for name, said in self._texts((*path, "series"))},
            {name: self._sent((*path, "readings", name), name, said) for name, said in self._texts((*path, "readings"))},
        )

    def places(self, path: Path) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The lines of the expectations and of the actions of the test at `path`."""
        expect, acts = (_part(self.tree, (*path, key)) for key in ("expect", "actions"))
        one, two = (tuple(item.line for item in part.items) if isinstance(part, Listing) else () for part in (expect, acts))
        return one, two

    def _texts(self, path: Path) -> list[tuple[str, str]]:
        table = _part(self.tree, path)
        entries = table.entries if isinstance(table, Mapping) else []
        return [(key.text, value.text) for key, value in entries if isinstance(value, Scalar) and not value.null]

    def _figures(self, path: Path, said: str) -> Series:
        """Figures: numbers."""
        made = self._parsed(path, said)
        pair = next((run for run in made.runs if run.start is not None and run.start[1] is not None), None)
        if pair is not None:
            self._tell(path, said, pair.column, f'found the pair "{pair}", expected one number for a figure')
        return made

    def _sent(self, path: Path, counter: str, said: str) -> Series:
        """What a counter sends: whole numbers, and pairs only where it tells directions."""
        made = self._parsed(path, said)
        declared = self.stock.counters.get(counter)
        for run in made.runs:
            wrong = None if declared is None else _unsent(run, str(declared["counts"]))
            if wrong:
                self._tell(path, said, run.column, f'found "{run}", expected {wrong}')
                break
        return made

    def _parsed(self, path: Path, said: str) -> Series:
        try:
            return parse(said)
        except SeriesError as error:
            self._tell(path, said, error.column, str(error))
            return Series((Run((0, None)),))

    def _tell(self, path: Path, said: str, column: int, text: str) -> None:
        """A fault at character `column` of the text at `path`; of a text that is spread over lines, at its beginning."""
        node = place_of(self.tree, path)
        start = node.column - 1 + (isinstance(node, Scalar) and not node.plain)
        if self.lines[node.line - 1].startswith(said, start):
            node = Node(node.line, start + column)
        self.faults.add(node, path, f"at character {column}: {text}")


def _unsent(run: Run, counts: str) -> str | None:
    """What a counter that sends `counts` would have sent instead of `run`."""
    numbers = [part for value in run.values() if value is not None for part in value if part is not None]
    if any(part < 0 or part % 1000 for part in numbers):
        return "whole numbers from 0 on: people are counted"
    if counts == "absolute" and run.start is not None and run.start[1] is not None:
        return "one number: the people in view"
    return None
