"""From a tree of nodes to typed structs, collecting every fault on the way.

msgspec's own conversion stops at the first fault, so this walk goes over the same types (`msgspec.inspect`) and goes on; where a part
cannot be read it leaves a hole. It knows no key of the language: what is special about a word stands beside its type (`words.py`), what is
special about a struct in the table of rules that is handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from msgspec import inspect

from flowwatch.documents import nodes
from flowwatch.documents.faults import Faults, Path, did_you_mean, listed, near, quoted
from flowwatch.documents.holes import HOLE, decided
from flowwatch.documents.names import Names
from flowwatch.documents.nodes import Broken, Node, Scalar
from flowwatch.documents.scalars import READERS, Unfit, scalar
from flowwatch.documents.wanted import Wanted, wanted

Problem = tuple[Path, str]
"""What a rule finds: where, from the part that it judges, and what."""
Rules = Mapping[type, tuple[Callable[[Any], Iterable[Problem]], ...]]
"""What holds for each type of struct, beyond what its fields' types say."""


class Walk:
    """One document's walk: `value` gives what a node says as the type asks, with holes."""

    def __init__(self, faults: Faults, names: Names, rules: Rules) -> None:
        self.faults = faults
        self.names = names
        self.rules = rules

    def value(self, node: Node, kind: inspect.Type, path: Path = ()) -> Any:
        """What `node` says, as `kind`; a hole where it does not say it."""
        want = wanted(kind)
        match node, want.type:
            case Broken(), _:
                return HOLE
            case nodes.Mapping(), inspect.StructType():
                return self._struct(node, want.type, path)
            case nodes.Mapping(), inspect.DictType():
                return self._dict(node, want.type, path)
            case nodes.Listing(), inspect.ListType():
                return self._list(node, want.type, path)
            case Scalar(null=False), _ if type(want.type) in READERS:
                return self._scalar(node, want, path)
        self.faults.add(node, path, f"found {_found(node)}, expected {want}")
        return HOLE

    def _struct(self, node: nodes.Mapping, struct: inspect.StructType, path: Path) -> Any:
        fields = {f.encode_name: f for f in struct.fields}
        values: dict[str, Any] = {}
        absent = fields.keys() - {key.text for key, _ in node.entries}
        for i, key, value in self._entries(node, path):
            if key.text in fields:
                values[fields[key.text].name] = self.value(value, fields[key.text].type, (*path, key.text))
                continue
            told, meant = split_at_comma(node, i) or _withheld(key, struct.cls) or _unknown_key(key, list(fields), absent)
            if meant in fields:
                values[fields[meant].name] = HOLE
            self.faults.add(key, (*path, key.text), told)
        for name, part in fields.items():
            if part.required and part.name not in values:
                values[part.name] = HOLE
                self.faults.add(node, (*path, name), f"found no {quoted(name)}, expected {wanted(part.type)}")
        built = struct.cls(**values)
        for rule in self.rules.get(struct.cls, ()):
            for where, text in decided(rule(built)):
                self.faults.add(place_of(node, where), (*path, *where), text)
        return built

    def _dict(self, node: nodes.Mapping, kind: inspect.DictType, path: Path) -> Any:
        key_type = wanted(kind.key_type)
        values: dict[str, Any] = {}
        sound = self._has_fit_size(node, len(node.entries), kind, path)
        for _, key, value in self._entries(node, path):
            name = self._scalar(key, key_type, (*path, key.text))
            sound = sound and name is not HOLE
            values[key.text] = self.value(value, kind.value_type, (*path, key.text))
        return values if sound else HOLE

    def _list(self, node: nodes.Listing, kind: inspect.ListType, path: Path) -> Any:
        sound = self._has_fit_size(node, len(node.items), kind, path)
        values = [self.value(part, kind.item_type, (*path, i)) for i, part in enumerate(node.items)]
        return values if sound else HOLE

    def _has_fit_size(self, node: Node, length: int, kind: inspect.DictType | inspect.ListType, path: Path) -> bool:
        if length < (kind.min_length or 0):
            self.faults.add(node, path, f"found nothing in it, expected {wanted(kind)}")
        elif kind.max_length is not None and length > kind.max_length:
            self.faults.add(node, path, f"found {length} entries, expected at most {kind.max_length}")
        else:
            return True
        return False

    def _entries(self, node: nodes.Mapping, path: Path) -> Iterator[tuple[int, Scalar, Node]]:
        first: dict[str, Scalar] = {}
        for i, (key, value) in enumerate(node.entries):
            if key.text in first:
                told = f"found the key {quoted(key.text)} again (first in line {first[key.text].line}), expected it once"
                self.faults.add(key, (*path, key.text), told)
            else:
                first[key.text] = key
                yield i, key, value

    def _scalar(self, node: Scalar, want: Wanted, path: Path) -> Any:
        try:
            value = scalar(node, want)
        except Unfit as unfit:
            found = quoted(want.extra["shown"](node.text)) if "shown" in want.extra else _found(node)
            self.faults.add(node, path, f"found {found}, expected {want}{unfit}")
            return HOLE
        wrong = self.names.unfit(node.text, want.extra, self.faults.file)
        if wrong:
            self.faults.add(node, path, wrong)
            return HOLE
        return value


def _found(node: Node) -> str:
    match node:
        case nodes.Mapping():
            return "a mapping"
        case nodes.Listing():
            return "a list"
        case Scalar(null=False):
            return quoted(node.text)
    return "nothing"


def _withheld(key: Scalar, cls: type) -> tuple[str, None] | None:
    """What to say of a key that a struct keeps out on purpose."""
    instead = getattr(cls, "withheld", {}).get(key.text)
    return None if instead is None else (f"found the key {quoted(key.text)}, expected {instead}", None)


def _unknown_key(key: Scalar, known: list[str], absent: Iterable[str]) -> tuple[str, str | None]:
    meant = near(key.text, absent)
    return f"found the unknown key {quoted(key.text)}, expected {listed(known)}{did_you_mean(meant)}", meant


def split_at_comma(node: nodes.Mapping, index: int) -> tuple[str, str] | None:
    """What to say of a key that is the rest of an unquoted text or number: `{zh: a, b}` is {zh: a} and a key b without a value.

    Also the key whose value that was. None where the key number `index` of `node` is no such rest.
    """
    if not (node.flow and index and _is_rest(node.entries[index])):
        return None
    first = index - 1
    while first and _is_rest(node.entries[first]):
        first -= 1
    name, start = node.entries[first]
    if not isinstance(start, Scalar) or start.null or not start.plain:
        return None
    key = node.entries[index][0].text
    how = "whole"
    words = [start.text, *(k.text for k, _ in node.entries[first + 1 : index + 1])]
    if all(word.isdigit() for word in words):
        split, whole = f'the number "{",".join(words)}"', "".join(words)
    else:
        split, whole = f"the text {quoted(', '.join(words))}", quoted(", ".join(words))
    if words[0][:1] == "“" and words[-1][-1:] == "”":
        how, whole = "whole and in plain quotes", quoted(", ".join(words)[1:-1])
    return f"found the key {quoted(key)}: {split} is split at its comma, expected it {how}: {name.text}: {whole}", name.text


def _is_rest(entry: tuple[Scalar, Node]) -> bool:
    return entry[0].plain and isinstance(entry[1], Scalar) and entry[1].null


def place_of(node: Node, path: Path) -> Node:
    """Where to point for `path` below `node`: at a word itself, at the key of a list or mapping, at what lacks a part that is missing."""
    place = node
    for step in path:
        if isinstance(node, nodes.Mapping):
            entry = next(((k, v) for k, v in node.entries if k.text == step), None)
            if entry is None:
                return place
            node, place = entry[1], entry[1] if isinstance(entry[1], Scalar) and not entry[1].null else entry[0]
        elif isinstance(node, nodes.Listing) and isinstance(step, int):
            node = place = node.items[step]
    return place
