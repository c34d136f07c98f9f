"""What stands where a part of a document could not be read, and how rules get along with it.

A hole raises `Undecidable` as soon as anyone looks into it. So rules are written as if documents were whole; one that meets a hole says
nothing more, while all others still speak.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, NoReturn, TypeVar

T = TypeVar("T")


class Undecidable(Exception):  # noqa: N818 - no error: a question that has no answer yet
    """Raised by a hole that is looked into."""


class Hole:
    """Stands for a part of a document that is missing or wrong, and whose fault is told."""

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        raise Undecidable

    def _touched(self, *_: object) -> NoReturn:
        raise Undecidable

    __getitem__ = __contains__ = __iter__ = __len__ = __bool__ = __str__ = __format__ = __float__ = __int__ = __index__ = _touched
    __hash__ = __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __add__ = __radd__ = __sub__ = __rsub__ = _touched
    __mul__ = __rmul__ = _touched


HOLE: Final[Any] = Hole()


def decided(found: Iterable[T]) -> Iterator[T]:
    """What is found until a hole is met."""
    try:
        yield from found
    except Undecidable:
        return
