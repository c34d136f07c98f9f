"""What a word, number or text says as the type that is wanted there: the text itself decides, never YAML's guess at it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import yaml
from msgspec import inspect

from flowwatch.documents.amounts import ascii_of
from flowwatch.documents.faults import did_you_mean, near, quoted
from flowwatch.documents.nodes import Scalar
from flowwatch.documents.wanted import Wanted

_WHOLE: Final = re.compile(r"[+-]?[0-9]{1,15}")
_DECIMAL: Final = re.compile(r"[+-]?[0-9]{1,15}(\.[0-9]{1,15})?")
FULL_WIDTH: Final = "its marks are full-width"
_YAML: Final = yaml.resolver.Resolver()
_OTHER_BOOLS: Final = {"yes": "true", "on": "true", "true": "true", "no": "false", "off": "false", "false": "false"}


class Unfit(Exception):  # noqa: N818 - an answer
    """Raised where a scalar is not what its type asks for; the message is the end of the fault's sentence, often empty."""


def scalar(node: Scalar, want: Wanted) -> Any:
    """The value of `node`; raises `Unfit`."""
    return READERS[type(want.type)](node, want)


def _text(node: Scalar, want: Wanted) -> str:
    assert isinstance(want.type, inspect.StrType)
    text = node.text
    if want.extra.get("prose"):
        text = text.strip()
        if node.plain and _YAML.resolve(yaml.ScalarNode, text, (True, False)) != "tag:yaml.org,2002:str":  # type: ignore[no-untyped-call]
            raise Unfit("; put it in quotes if it is meant as text")
    if not _is_well_formed(text, want.type, want.extra.get("read")):
        raise Unfit(_meant(text, want, want.type))
    return text


def _meant(text: str, want: Wanted, kind: inspect.StrType) -> str:
    """The end of the sentence: what was probably meant, above all where only the marks of an input method are in the way."""
    read, near_to = want.extra.get("read"), want.extra.get("near", lambda _: None)
    plain = unquoted(text)
    if plain != text and _is_well_formed(plain, kind, read):
        return f"; {FULL_WIDTH}: write {quoted(plain)}"
    items = [part.strip() for part in ascii_of(text).split(",")]
    if len(items) > 1 and "，" in text and all(_is_well_formed(item, kind, read) for item in items):
        return f"; {FULL_WIDTH}: write {', '.join(items)}"
    meant = near_to(text)
    return did_you_mean(meant if meant and _is_well_formed(meant, kind, read) else None)


def unquoted(text: str) -> str:
    """`text` in plain characters, without the full-width quotes around it."""
    plain = ascii_of(text).strip()
    return plain[1:-1].strip() if text.strip()[:1] in "“”‘’" and plain[-1:] in "\"'" else plain


def _is_well_formed(text: str, kind: inspect.StrType, read: Callable[[str], object] | None) -> bool:
    if kind.pattern is not None and not re.fullmatch(kind.pattern, text):
        return False
    if len(text) < (kind.min_length or 0) or (kind.max_length is not None and len(text) > kind.max_length):
        return False
    try:
        if read is not None:
            read(text)
    except ValueError:
        return False
    return True


def _enum(node: Scalar, want: Wanted) -> Any:
    assert isinstance(want.type, inspect.EnumType)
    words = {str(member.value): member for member in want.type.cls}
    if node.text not in words:
        plain = unquoted(node.text)
        raise Unfit(f"; {FULL_WIDTH}: write {plain}" if plain in words else did_you_mean(near(node.text, words)))
    return words[node.text]


def _number(node: Scalar, want: Wanted) -> Any:
    assert isinstance(want.type, (inspect.IntType, inspect.FloatType))
    whole = isinstance(want.type, inspect.IntType)
    if not node.plain or not (_WHOLE if whole else _DECIMAL).fullmatch(node.text):
        plain = unquoted(node.text)
        fits = node.plain and plain != node.text and (_WHOLE if whole else _DECIMAL).fullmatch(plain)
        raise Unfit(f"; {FULL_WIDTH}: write {plain}" if fits else "")
    number = int(node.text) if whole else float(node.text)
    low, above, high = want.type.ge, want.type.gt, want.type.le
    if (low is not None and number < low) or (above is not None and number <= above) or (high is not None and number > high):
        raise Unfit
    return number


def _bool(node: Scalar, _: Wanted) -> bool:
    if not node.plain or node.text not in ("true", "false"):
        raise Unfit(did_you_mean(_OTHER_BOOLS.get(node.text.casefold())))
    return node.text == "true"


READERS: Final[dict[type[inspect.Type], Callable[[Scalar, Wanted], Any]]] = {
    inspect.StrType: _text,
    inspect.EnumType: _enum,
    inspect.IntType: _number,
    inspect.FloatType: _number,
    inspect.BoolType: _bool,
}
