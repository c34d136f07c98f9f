"""YAML text as a tree of nodes that know their line and column.

The parts of YAML that surprise people are refused here, before anyone asks what the document says: anchors and aliases (a few lines of
them unfold to gigabytes), tags, several documents in a file, keys that are no plain words, deep nesting, text that is not UTF-8. The tree
is built from libyaml's events and not by `yaml.compose`, because compose follows aliases silently and takes hours over half a megabyte
of "[" where events can stop at the depth limit.

A scalar stays text: whether "05:00" is a time or "no" a word is decided by what the document's types expect, not by YAML's guess.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from flowwatch.documents import fullwidth
from flowwatch.documents.faults import Faults, quoted

MOST_BYTES: Final = 1 << 20
DEEPEST: Final = 24

_UNPRINTABLE: Final = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""The complement of YAML 1.1's printable characters (its section 5.1)."""

_HINTS: Final = (
    ("mapping values are not allowed", "a text that holds a colon and a space must stand in quotes, and keys of one mapping in one column"),
    ("cannot start any token", "a text that begins with one of @ ` % or a tab must stand in quotes"),
    ("could not find expected ':'", "a key is followed by a colon and a space"),
    ("did not find expected key", "keys of one mapping stand in one column, and a quote within quoted text is written twice"),
    ("did not find expected '-'", "the items of a list stand in one column, each after a dash"),
    ("did not find expected ',' or", "entries within braces or brackets are parted by commas, and the bracket is closed"),
    ("unexpected end of stream", "quotes and brackets that are opened must be closed"),
)
"""What usually lies behind a complaint of libyaml's, in the planner's words."""


@dataclass(frozen=True, slots=True)
class Node:
    """A part of the document; line and column (in characters) count from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Scalar(Node):
    """A word, number or text as it is written, without its quotes."""

    text: str
    plain: bool = True

    @property
    def null(self) -> bool:
        """Whether nothing stands here (for YAML, `~` and `null` are nothing too)."""
        return self.plain and self.text in ("", "~", "null", "Null", "NULL")


@dataclass(frozen=True, slots=True)
class Listing(Node):
    """A list."""

    items: list[Node]


@dataclass(frozen=True, slots=True)
class Mapping(Node):
    """Keys with what stands behind them, in the file's order, repeated keys included; `flow` if it is written in braces."""

    entries: list[tuple[Scalar, Node]]
    flow: bool


@dataclass(frozen=True, slots=True)
class Broken(Node):
    """A part that cannot be used; its fault is already told."""


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not come yet."""

    event: Any
    nodes: list[Node] = field(default_factory=list)


def read_tree(data: bytes, faults: Faults) -> Node | None:
    """The document in `data`, or None where it is no YAML at all; what is wrong with it goes to `faults`."""
    text = _text(data, faults)
    if text is None:
        return None
    try:
        return _build(text, faults)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Node(1, 1) if mark is None else Node(mark.line + 1, mark.column + 1)
        stray = fullwidth.marks(text, place.line)
        for line, column, told in stray:
            faults.add(Node(line, column), (), told)
        if not stray:
            faults.add(place, (), _syntax(error, text, place))
    except yaml.YAMLError as error:
        faults.add(Node(1, 1), (), f"found no YAML: {error}")
    return None


def _text(data: bytes, faults: Faults) -> str | None:
    if len(data) > MOST_BYTES:
        faults.add(Node(1, 1), (), f"found {len(data)} bytes, expected a document of at most {MOST_BYTES}")
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8-sig", "replace")
        faults.add(_place(before), (), f"found the byte 0x{data[error.start]:02x}, which is not UTF-8, expected the file saved as UTF-8")
        return None
    stray = _UNPRINTABLE.search(text)
    if stray:
        place = _place(text[: stray.start()])
        faults.add(place, (), f"found the control character U+{ord(stray.group()):04X}, expected text without it")
        return None
    return text


def _place(before: str) -> Node:
    lines = before.split("\n")
    return Node(len(lines), len(lines[-1]) + 1)


def _syntax(error: yaml.MarkedYAMLError, text: str, place: Node) -> str:
    problem = f"{error.problem}, {error.context}" if error.context else str(error.problem)
    lines = text.split("\n")
    line = lines[place.line - 1] if place.line <= len(lines) else ""
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return "found a tab at the start of the line, expected spaces"
    hint = next((hint for sign, hint in _HINTS if sign in problem), "a YAML document")
    return f"found text that is no YAML ({problem}), expected: {hint}"


def _build(text: str, faults: Faults) -> Node:
    """Turn events to nodes; a stack of open lists and mappings instead of recursion."""
    stack = [_Open(None)]
    documents = 0
    event: Any
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        place = Node(event.start_mark.line + 1, event.start_mark.column + 1)
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                faults.add(place, (), 'found a second document after "---", expected one in a file')
                break
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            if len(stack) > DEEPEST:
                faults.add(place, (), f"found lists and mappings nested more than {DEEPEST} deep, expected fewer")
                return Broken(place.line, place.column)
            stack.append(_Open(event))
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            closed = stack.pop()
            stack[-1].nodes.append(_checked(closed.event, _container(closed, faults), faults))
        elif isinstance(event, yaml.ScalarEvent):
            scalar = Scalar(place.line, place.column, event.value, plain=event.implicit[0])
            stack[-1].nodes.append(_checked(event, scalar, faults))
        elif isinstance(event, yaml.AliasEvent):
            faults.add(place, (), f"found the alias {quoted(f'*{event.anchor}')}, expected the thing itself written out")
            stack[-1].nodes.append(Broken(place.line, place.column))
    return stack[0].nodes[0] if stack[0].nodes else Scalar(1, 1, "")


def _checked(event: Any, node: Node, faults: Faults) -> Node:
    if event.anchor is not None:
        faults.add(node, (), f"found the anchor {quoted('&' + event.anchor)}, expected none")
    if event.tag is not None:
        tag = event.tag.replace("tag:yaml.org,2002:", "!!")
        faults.add(node, (), f"found the tag {quoted(tag)}, expected none")
        return Broken(node.line, node.column)
    return node


def _container(closed: _Open, faults: Faults) -> Node:
    mark, nodes = closed.event.start_mark, closed.nodes
    line, column = mark.line + 1, mark.column + 1
    if isinstance(closed.event, yaml.SequenceStartEvent):
        return Listing(line, column, nodes)
    entries: list[tuple[Scalar, Node]] = []
    stray: list[Node] = []
    for key, value in zip(nodes[0::2], nodes[1::2], strict=True):
        if isinstance(key, Scalar):
            meant = _meant(key, value) if key.plain else []
            stray += [Node(name.line, name.column + len(name.text)) for name, _ in meant]
            entries += meant or [(key, value)]
        elif not isinstance(key, Broken):
            faults.add(key, (), "found a list or mapping as a key, expected a word")
    if stray:
        times = f" ({len(stray)} times within these braces)" if len(stray) > 1 else ""
        faults.add(stray[0], (), fullwidth.COLON + times)
    return Mapping(line, column, entries, bool(closed.event.flow_style))


def _meant(key: Scalar, value: Node) -> list[tuple[Scalar, Node]]:
    """The keys that a full-width colon keeps from being keys, with their values, so that its fault is the only one."""
    alone = isinstance(value, Scalar) and value.null
    found: list[tuple[Scalar, Node]] = []
    for at, name, text in fullwidth.entries(key.text):
        start = key.column + at
        found.append(
            (Scalar(key.line, start - len(name), name), Scalar(key.line, start + 1, text) if alone else Broken(key.line, start + 1))
        )
    return found
