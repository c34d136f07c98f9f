"""The CAP messages of a book of handling as files, and their index: what the route and the command give out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

from flowwatch.feed import atom, cap
from flowwatch.feed.messages import Message, Messages
from flowwatch.journal import Journal

ATOM: Final = "/v1/feeds/atom"
CAP: Final = "/v1/feeds/cap"


class Caps:
    """Gives the messages that `book` holds. `document_of(site)`: its newest compiled document, None where there is none.

    For several threads. Methods raise `JournalError`.
    """

    def __init__(
        self,
        book: Callable[[], Journal | None],
        document_of: Callable[[str], Mapping[str, Any] | None],
        speaker: cap.Speaker,
    ) -> None:
        self.messages = Messages(book)
        self._document_of, self._speaker = document_of, speaker

    def file(self, message: Message) -> bytes:
        """The message as a CAP file."""
        alert = self.messages.alert(message)
        document = self._document_of(message.chain)
        return cap.message(alert, message.at_us, self.messages.earlier(message), self._speaker, document)

    def page(self, sites: Collection[str], site: str | None, before: Message | None, limit: int) -> tuple[bytes, int | None]:
        """A page of the index over HTTP, of these sites (`site` if one was asked for); and when its newest message was told, None without one."""
        found = self.messages.newest(sites, before, limit + 1)
        shown, more = found[:limit], len(found) > limit
        asked = {"site": site, "limit": None if limit == atom.ENTRIES else str(limit)}
        links = atom.Links(
            self._address(ATOM, asked | {"before": None if before is None else before.identifier}),
            self._address(ATOM, asked),
            self._address(ATOM, asked | {"before": shown[-1].identifier}) if more else None,
        )
        page = self._feed(shown, links, site, lambda one: self._address(f"{CAP}/{one.identifier}", {}))
        return page, max((one.at_us for one in shown), default=None)

    def folder(self, newest: Sequence[Message], site: str | None, name: str) -> bytes:
        """The index that lies beside its files, under the name `name`."""
        return self._feed(newest, atom.Links(name, name), site, lambda one: f"{one.identifier}.xml")

    def _feed(self, shown: Sequence[Message], links: atom.Links, site: str | None, href: Callable[[Message], str]) -> bytes:
        items = [atom.Item(self.messages.alert(one), one.identifier, one.at_us, href(one)) for one in shown]
        document = None if site is None else self._document_of(site)
        title = None if document is None else f"{document['title']['zh']} {document['title']['en']}"
        return atom.feed(items, links, self._speaker.sender, site, title)

    def _address(self, path: str, asked: Mapping[str, str | None]) -> str:
        query = urlencode({name: value for name, value in asked.items() if value is not None})
        return f"{(self._speaker.public_url or '').rstrip('/')}{path}{'?' if query else ''}{query}"
