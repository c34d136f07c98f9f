"""What the types of a document ask for at a place, without msgspec's wrappings, and how an error names it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec
from msgspec import inspect

from flowwatch.documents.faults import listed


@dataclass(frozen=True, slots=True)
class Wanted:
    """A type with msgspec's own constraints, and what the language adds to it (`extra`, see `words.py`)."""

    type: inspect.Type
    extra: Mapping[str, Any]

    def __str__(self) -> str:
        if "what" in self.extra:
            return str(self.extra["what"])
        of = f" of {self.extra['of']}" if "of" in self.extra else ""
        match self.type:
            case inspect.StructType(fields=fields):
                text = f"a mapping with the keys {', '.join(f.encode_name for f in fields)}"
            case inspect.DictType(value_type=value):
                text = f"a mapping of names, each to {wanted(value)}"
            case inspect.ListType(item_type=item):
                text = f"a list, each item {wanted(item)}"
            case inspect.EnumType(cls=enum):
                text = listed([str(member.value) for member in enum])
            case inspect.IntType() | inspect.FloatType():
                text = f"a {'whole ' if isinstance(self.type, inspect.IntType) else ''}number{of}{_bounds(self.type)}"
            case inspect.BoolType():
                text = "true or false"
            case _:
                text = "a text"
        return text


def _bounds(number: inspect.IntType | inspect.FloatType) -> str:
    low = f" above {number.gt:,}" if number.gt is not None else f" from {number.ge:,}" if number.ge is not None else ""
    return low + (f" up to {number.le:,}" if number.le is not None else "")


@cache
def type_of(cls: type) -> inspect.Type:
    """msgspec's description of a struct."""
    return inspect.type_info(cls)


def wanted(kind: inspect.Type) -> Wanted:
    """Unwrap annotations, and "may be left out" (a union with UNSET; the language has no other unions)."""
    extra: dict[str, Any] = {}
    while True:
        if isinstance(kind, inspect.Metadata):
            extra = {**(kind.extra or {}), **extra}
            kind = kind.type
        elif isinstance(kind, inspect.UnionType):
            (kind,) = (t for t in kind.types if not (isinstance(t, inspect.CustomType) and t.cls is msgspec.UnsetType))
        else:
            return Wanted(kind, extra)
