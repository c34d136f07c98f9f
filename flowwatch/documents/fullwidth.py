"""The marks of Chinese input methods where YAML wants its own: ： ， “ ” in the place of : , and ".

In texts for people they are right, so only what stands where a document's own mark must stand is meant here: a colon after a key, a comma
before one, quotes around a whole value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_KEY: Final = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
_COLON: Final = re.compile(rf"(?:^\s*(?:- +)*|[{{,，]\s*){_KEY}\s*(：)")
_COMMA: Final = re.compile(rf"(，)\s*{_KEY}\s*[:：]")
_QUOTES: Final = re.compile(r"[:：,，\[{]\s*([“”])")
_QUOTED: Final = re.compile(r"""(?<=[\s:,\[{：，])(?:"[^"]*"|'[^']*')|\s#.*""")
_SPLIT: Final = re.compile(rf"\s*，\s*(?={_KEY}：)")
_ENTRY: Final = re.compile(rf"({_KEY})：\s*(.*)", re.DOTALL)

COLON: Final = 'found the full-width colon "：", expected ": "'
COMMA: Final = 'found the full-width comma "，", expected ", "'
QUOTES: Final = 'found the full-width quotes "“ ”", expected plain ones'
_NEAR_LINES: Final = 3
"""libyaml stumbles at the mark's line, or as many lines later at most."""


def marks(text: str, line: int) -> list[tuple[int, int, str]]:
    """(line, column, what is wrong) of the marks that a document of no YAML has, the first of each line, if that is why it is none.

    `line` is where libyaml stumbled; both are counted from 1.

    >>> marks("plan: a\\nsite：b\\ntitle: c", 3)
    [(2, 5, 'found the full-width colon "：", expected ": "')]
    """
    lines = [_QUOTED.sub(lambda found: " " * len(found[0]), row) for row in text.split("\n")]
    found = [(i, *first) for i, row in enumerate(lines, 1) if (first := _first(row))]
    if any(line - _NEAR_LINES <= i <= line for i, *_ in found):
        return found
    quotes = _QUOTES.search(lines[line - 1]) if line <= len(lines) else None
    return [(line, quotes.start(1) + 1, QUOTES)] if quotes else []


def _first(row: str) -> tuple[int, str] | None:
    places = [(match.start(1) + 1, told) for sign, told in ((_COLON, COLON), (_COMMA, COMMA)) if (match := sign.search(row))]
    return min(places, default=None)


def entries(key: str) -> Iterator[tuple[int, str, str]]:
    """The (offset of the colon, key, value) that were meant by a key with nothing behind it; none where it has no full-width colon after a name.

    >>> list(entries("zh：满，en：Full"))
    [(2, 'zh', '满'), (7, 'en', 'Full')]
    """
    start = 0
    for part in _SPLIT.split(key):
        match = _ENTRY.fullmatch(part)
        if match is None:
            return
        start = key.index(part, start)
        yield start + match.end(1), match[1], match[2]
        start += len(part)
