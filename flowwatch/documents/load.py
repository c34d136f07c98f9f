"""Reading documents, and the one answer: a compiled record, or all of their faults.

A site file and its plans are read together because they speak of each other, and none hides another's faults: what cannot be read in one of
them only silences the questions that need it. The names that a plan defines are its own; all plans know the site's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from flowwatch.core.entries import canonical
from flowwatch.documents import compiled, nodes
from flowwatch.documents.faults import DocumentErrors, Faults, TooManyFaultsError
from flowwatch.documents.faults import Path as FaultPath
from flowwatch.documents.holes import HOLE, decided
from flowwatch.documents.names import Names
from flowwatch.documents.nodes import Node
from flowwatch.documents.plan import Plan
from flowwatch.documents.rules import RULES
from flowwatch.documents.site import Site
from flowwatch.documents.together import TOGETHER, Role, named_before
from flowwatch.documents.walk import Problem, Rules, Walk, place_of
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

    @property
    def digest(self) -> str:
        """The whole SHA-256 of the payload in hex, whose first 12 digits are the version."""
        return hashlib.sha256(self.payload).hexdigest()


def load(site_file: Path, plan_files: Sequence[Path] = ()) -> Loaded:
    """The compiled record of a site file and its plans; raises `DocumentErrors` with every fault of all of them.

    The first of `plan_files` is the main plan, the others are the zone plans and cases beside it; none: a site without a plan.
    """
    return compile_sources(source(site_file), [source(file) for file in plan_files])


def compile_sources(site: Source, plans: Sequence[Source] = ()) -> Loaded:
    """`load`, of bytes already read."""
    place, parts = _Part(site, Site), [_Part(plan, Plan) for plan in plans]
    names = Names()
    _understand(place, names, RULES)
    for i, part in enumerate(parts):
        _understand(part, names.child(), RULES)
        _judge_together(place, parts[: i + 1])
    _raise_faults([place, *parts])
    payload = canonical(compiled.record(place.value, [part.value for part in parts]))
    return Loaded(json.loads(payload), payload, hashlib.sha256(payload).hexdigest()[:12])


def read_document(text: Source, cls: type[D], rules: Rules, names: Names | None = None) -> D:
    """A document of any type that is built like a site or a plan (`words.Document`); raises `DocumentErrors` with all of its faults.

    `names` are those that it may refer to, defined elsewhere; of a kind that is not in it nothing is checked.
    """
    part = _Part(text, cls)
    _understand(part, names or Names(), rules)
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


def place(files: Sequence[Path], plan: str | None, path: FaultPath) -> tuple[Path, int, int]:
    """(file, line, column) of `path` in the one of `files` that is the plan named `plan` (None: in the first file)."""
    for file in files:
        tree = nodes.read_tree(source(file).data, Faults(""))
        named = isinstance(tree, nodes.Mapping) and any(k.text == "plan" and getattr(v, "text", None) == plan for k, v in tree.entries)
        if tree is not None and (plan is None or named):
            found = place_of(tree, path)
            return file, found.line, found.column
    return files[0], TOP.line, TOP.column


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

    def tell(self, problems: Iterable[Problem]) -> None:
        """Keep what rules found in this file."""
        for path, text in problems:
            self.faults.add(TOP if self.tree is None else place_of(self.tree, path), path, text)


def _understand(part: _Part, names: Names, rules: Rules) -> None:
    part.attempt(lambda: part.collect(names))
    part.attempt(lambda: part.walk(names, rules))


def _judge_together(site: _Part, plans: Sequence[_Part]) -> None:
    """The last of `plans` at its site and beside those before it."""
    plan, role = plans[-1], Role.MAIN if len(plans) == 1 else Role.COMPANION

    def judge() -> None:
        for rule in TOGETHER:
            plan.tell(decided(rule(site.value, plan.value, role)))
        plan.tell(decided(named_before([(part.faults.file, part.value) for part in plans])))

    plan.attempt(judge)


def _raise_faults(parts: Iterable[_Part]) -> None:
    faults = [fault for part in parts for fault in part.faults.sorted()]
    if faults:
        raise DocumentErrors(faults)
