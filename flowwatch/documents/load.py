"""Reading documents, and the one answer: a compiled record, or all of their faults.

The two files are read together because they speak of each other, and neither hides the other's faults: what cannot be read in one of them
only silences the questions that need it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from flowwatch.core.entries import canonical
from flowwatch.documents import compiled, nodes
from flowwatch.documents.faults import DocumentErrors, Faults, TooManyFaultsError
from flowwatch.documents.holes import HOLE, decided
from flowwatch.documents.names import Names
from flowwatch.documents.nodes import Node
from flowwatch.documents.plan import Plan
from flowwatch.documents.rules import RULES, TOGETHER
from flowwatch.documents.site import Site
from flowwatch.documents.walk import Rules, Walk, place_of
from flowwatch.documents.wanted import type_of

TOP: Final = Node(1, 1)
D = TypeVar("D", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class Source:
    """A document's name, as its faults give it, and its bytes, or why there are none."""

    name: str
    data: bytes
    unreadable: str = ""


@dataclass(frozen=True, slots=True)
class Loaded:
    """Documents without a fault: the compiled record, its canonical bytes for the log, and the version that those bytes are."""

    site: dict[str, Any]
    payload: bytes
    version: str


def load(site_file: Path, plan_file: Path | None) -> Loaded:
    """The compiled record of a site file and its plan (None: a site without one); raises `DocumentErrors` with every fault of both."""
    return compile_sources(source(site_file), None if plan_file is None else source(plan_file))


def compile_sources(site: Source, plan: Source | None) -> Loaded:
    """`load`, of bytes already read."""
    parts = [_Part(site, Site)] if plan is None else [_Part(site, Site), _Part(plan, Plan)]
    _understand(parts, RULES)
    if plan is not None:
        parts[1].attempt(lambda: _judge_together(*parts))
    _raise_faults(parts)
    payload = canonical(compiled.record(*(part.value for part in parts), *([None] if plan is None else [])))
    return Loaded(json.loads(payload), payload, hashlib.sha256(payload).hexdigest()[:12])


def read_document(text: Source, cls: type[D], rules: Rules) -> D:
    """A document of any type that is built like a site or a plan (`words.Document`); raises `DocumentErrors` with all of its faults."""
    part = _Part(text, cls)
    _understand([part], rules)
    _raise_faults([part])
    assert isinstance(part.value, cls)
    return part.value


def source(path: Path) -> Source:
    """The file at `path`; never raises, the reading of an unreadable file fails with a fault like any other."""
    name = shown_path(path)
    try:
        with path.open("rb") as file:
            return Source(name, file.read(nodes.MOST_BYTES + 1))
    except (OSError, ValueError) as error:
        return Source(name, b"", getattr(error, "strerror", None) or str(error))


def shown_path(path: Path) -> str:
    """`path` as faults give it: from the current folder where it lies in it."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


class _Part:
    """One file on its way: its faults, its tree, and in the end its struct, which may have holes."""

    def __init__(self, text: Source, cls: type[msgspec.Struct]) -> None:
        self.faults = Faults(text.name)
        self.type = type_of(cls)
        self.tree: Node | None = None
        self.value: Any = HOLE
        if text.unreadable:
            self.faults.add(TOP, (), f"found a file that cannot be read ({text.unreadable}), expected a document")
        else:
            self.attempt(lambda: self._parse(text.data))

    def attempt(self, step: Callable[[], None]) -> None:
        """Do a step of the way; too many faults end the way."""
        try:
            step()
        except TooManyFaultsError:
            self.tree, self.value = None, HOLE

    def _parse(self, data: bytes) -> None:
        self.tree = nodes.read_tree(data, self.faults)

    def collect(self, names: Names) -> None:
        if self.tree is not None:
            names.collect(self.tree, self.type, self.faults)

    def walk(self, names: Names, rules: Rules) -> None:
        if self.tree is not None:
            self.value = Walk(self.faults, names, rules).value(self.tree, self.type)


def _understand(parts: list[_Part], rules: Rules) -> None:
    names = Names()
    for part in parts:
        part.attempt(lambda part=part: part.collect(names))  # type: ignore[misc]
    for part in parts:
        part.attempt(lambda part=part: part.walk(names, rules))  # type: ignore[misc]


def _judge_together(site: _Part, plan: _Part) -> None:
    for rule in TOGETHER:
        for path, text in decided(rule(site.value, plan.value)):
            assert plan.tree is not None
            plan.faults.add(place_of(plan.tree, path), path, text)


def _raise_faults(parts: Iterable[_Part]) -> None:
    faults = [fault for part in parts for fault in part.faults.sorted()]
    if faults:
        raise DocumentErrors(faults)
