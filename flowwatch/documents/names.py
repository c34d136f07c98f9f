"""The names that documents define, so that the order of a file's keys, and of the files, means nothing to what refers to them.

A type that defines the names of a kind says so itself (`words.py`): as the keys of a mapping (`gates:`), or as a field of the items of a
list (`- stage: normal`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from msgspec import inspect

from flowwatch.documents import nodes
from flowwatch.documents.faults import Faults, Path, did_you_mean, listed, near, quoted
from flowwatch.documents.nodes import Node, Scalar
from flowwatch.documents.wanted import wanted


@dataclass(slots=True)
class Names:
    """Kind -> name -> where it is defined, and the file. Of a kind that is not in it the definitions could not be read."""

    defined: dict[str, dict[str, Node]] = field(default_factory=dict)
    file: dict[str, str] = field(default_factory=dict)
    instead: Mapping[str, Callable[[str], str | None]] = field(default_factory=dict)
    """Kind -> what to say of a name that there is not, where more is known of it than that; None where not."""

    def child(self) -> Names:
        """Names for one more file that knows these and adds its own, so that two plans may both have a stage `normal`."""
        return Names({kind: dict(table) for kind, table in self.defined.items()}, dict(self.file), self.instead)

    def collect(self, node: Node, kind: inspect.Type, faults: Faults, path: Path = ()) -> None:
        """Take in what `node` defines; a name that a list defines twice is a fault (in a mapping it is a repeated key)."""
        want = wanted(kind)
        match node, want.type:
            case nodes.Mapping(), inspect.StructType():
                self._collect_fields(node, want.type, faults, path)
            case nodes.Mapping(entries=[_, *_]), inspect.DictType(key_type=key_type, value_type=value_type):
                table = self._table(key_type, faults)
                for key, value in node.entries:
                    if table is not None:
                        table.setdefault(key.text, key)
                    self.collect(value, value_type, faults, (*path, key.text))
            case nodes.Listing(), inspect.ListType(item_type=item):
                for i, part in enumerate(node.items):
                    self.collect(part, item, faults, (*path, i))
            case Scalar(null=False), inspect.StrType():
                table = self._table(kind, faults)
                first = node if table is None else table.setdefault(node.text, node)
                if first is not node:
                    what = want.extra["defines"]
                    told = f"found the {what} {quoted(node.text)} again (first in line {first.line}), expected another name"
                    faults.add(node, path, told)

    def _collect_fields(self, node: nodes.Mapping, struct: inspect.StructType, faults: Faults, path: Path) -> None:
        values = {key.text: value for key, value in reversed(node.entries)}
        for part in struct.fields:
            if part.encode_name in values:
                self.collect(values[part.encode_name], part.type, faults, (*path, part.encode_name))
            elif not part.required and isinstance(left_out := wanted(part.type).type, inspect.DictType):
                self._table(left_out.key_type, faults)

    def _table(self, kind: inspect.Type, faults: Faults) -> dict[str, Node] | None:
        """The names of the kind that the type `kind` defines, if it defines any."""
        what = wanted(kind).extra.get("defines")
        if what is None:
            return None
        self.file.setdefault(what, faults.file)
        return self.defined.setdefault(what, {})

    def unfit(self, name: str, extra: Mapping[str, Any], file: str) -> str | None:
        """What is wrong with using `name` in `file` where a type's `extra` defines or refers to names; None if nothing is."""
        if name in extra.get("reserved", ()):
            return f"found {quoted(name)}, which is a word of the language, expected another name"
        kind = extra.get("refers")
        if kind is None or kind not in self.defined or name in self.defined[kind] or name in extra["also"]:
            return None
        told = self.instead[kind](name) if kind in self.instead else None
        if told is not None:
            return told
        known = [*self.defined[kind], *extra["also"]]
        where = "" if self.file[kind] == file else f" in {self.file[kind]}"
        end = f"; {extra['hints'][name]}" if name in extra["hints"] else did_you_mean(near(name, known))
        return f"found {quoted(name)}, but there is no such {kind}{where}, expected {listed(known)}{end}"
