"""An index of CAP messages as an Atom feed (RFC 4287): one entry a message with one link to its file.

The last written stand first: that is the order of time, but for a site whose partition lagged, and the only one in which pages lose nothing while
the book grows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from lxml import etree

from flowwatch.feed import cap
from flowwatch.feed.xml import add, written
from flowwatch.handling.records import Alert

NAMESPACE: Final = "http://www.w3.org/2005/Atom"
MEDIA_TYPE: Final = "application/atom+xml"
ENTRIES: Final = 50
"""Of one page, if nobody says how many: more than a day's messages of a site."""
MOST: Final = 200
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Item:
    """One message in the index: what it is called, when it was told (microseconds), and the address of its file."""

    alert: Alert
    identifier: str
    at_us: int
    href: str


@dataclass(frozen=True, slots=True)
class Links:
    """The addresses of the page itself, of the first, and of the one with older messages, None where there are none."""

    this: str
    first: str
    older: str | None = None


def feed(items: Sequence[Item], links: Links, sender: str, site: str | None = None, title: str | None = None) -> bytes:
    """The page. `items`: the last written first; `site` and its `title`: of which site, None for all that the reader may see."""
    root = etree.Element(f"{{{NAMESPACE}}}feed", nsmap={None: NAMESPACE})
    add(root, "id", identity(sender, site))
    add(root, "title", f"{title or site}：预警消息 / alerts" if site is not None else "预警消息 / Alerts")
    add(root, "updated", _moment(max((item.at_us for item in items), default=0)))
    add(add(root, "author"), "name", sender)
    add(root, "link", None, {"rel": "self", "type": MEDIA_TYPE, "href": links.this})
    add(root, "link", None, {"rel": "first", "type": MEDIA_TYPE, "href": links.first})
    if links.older is not None:
        add(root, "link", None, {"rel": "next", "type": MEDIA_TYPE, "href": links.older})
    for item in items:
        _entry(root, item)
    return written(root)


def identity(sender: str, site: str | None) -> str:
    """The feed's name, the same for ever: of one sender and one site, or all.

    >>> identity("flowwatch@localhost", None) == identity("flowwatch@localhost", None) != identity("flowwatch@localhost", "yuyuan")
    True
    """
    return uuid5(NAMESPACE_URL, f"urn:flowwatch:cap:{sender}:{site or ''}").urn


def _entry(root: etree._Element, item: Item) -> None:
    alert, entry = item.alert, add(root, "entry")
    add(entry, "id", f"urn:flowwatch:cap:{item.identifier}")
    add(entry, "title", f"{cap.headline(alert, 'zh')} / {cap.headline(alert, 'en')}")
    add(entry, "updated", _moment(item.at_us))
    add(entry, "published", _moment(item.at_us))
    add(entry, "link", None, {"rel": "alternate", "type": cap.MEDIA_TYPE, "href": item.href})
    for scheme, term in (("state", alert.state), ("what", alert.what), ("site", alert.site), ("incident", alert.incident)):
        add(entry, "category", None, {"scheme": f"urn:flowwatch:{scheme}", "term": term})
    if cap.is_exercise(alert):
        add(entry, "category", None, {"scheme": "urn:flowwatch:status", "term": "Exercise"})


def _moment(at_us: int) -> str:
    """To the microsecond, so that two alerts of one second stand in their order."""
    return (_EPOCH + timedelta(microseconds=at_us)).isoformat(timespec="microseconds").replace("+00:00", "Z")
