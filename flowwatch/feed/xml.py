"""Text as XML can hold it, whatever somebody wrote: what XML forbids and what turns the direction of writing is shown as a replacement character.

lxml escapes markup by itself and refuses what XML cannot hold at all, so a single stray byte in a headline would keep a message from going out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from lxml import etree

_NOT_SHOWN: Final = re.compile(
    "[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"  # what XML 1.0 forbids: its production Char
    "|[\u007f-\u0084\u0086-\u009f\ufdd0-\ufdef]"  # what it discourages: further control characters, and what is no character
    "|[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"  # what turns the direction: a text could be read as another
)


def shown(text: str) -> str:
    """The text on one line, without anything that cannot be shown.

    >>> shown("stay\\x00\\r\\n calm "), shown("\\ud800<b>&amp;")
    ('stay\ufffd calm', '\ufffd<b>&amp;')
    """
    return " ".join(_NOT_SHOWN.sub("\ufffd", text).split())


def add(parent: etree._Element, name: str, text: str | None = None, attributes: Mapping[str, str] | None = None) -> etree._Element:
    """A new last child in the parent's namespace; texts and attributes as `shown`."""
    of = etree.QName(parent).namespace
    child = etree.SubElement(parent, f"{{{of}}}{name}", {key: shown(value) for key, value in (attributes or {}).items()})
    if text is not None:
        child.text = shown(text)
    return child


def written(root: etree._Element) -> bytes:
    """The document, the same bytes for the same elements."""
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True, pretty_print=True)
