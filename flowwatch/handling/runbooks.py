"""Run books: what people do when an incident of a kind is shown, a page each in Chinese and English (`docs/runbooks`).

They ship with the package. The service shows them to anybody under `address`, which alerts link to, `flowwatch runbook` in the terminal.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Final

from flowwatch.documents import shipped
from flowwatch.words import Language

PATH: Final = "/runbooks"
"""Where the service shows them."""
INDEX: Final = "index"
"""The page that leads to the others and says what they have in common."""
OPERATIONS: Final = ("certificate", "engine_stands", "readings_refused", "service_trouble", "storage")
"""Pages for what is wrong with flowwatch itself and is no incident: alerts by its figures lead there (`config/prometheus`)."""
_LINK: Final = re.compile(r"\[([^\]]+)\]\(([a-z_]+)\.md\)")


class NoRunbookError(LookupError):
    """There is no page of that kind; `kinds` are those that there are."""

    def __init__(self, kind: str, kinds: tuple[str, ...]) -> None:
        super().__init__(f'no run book "{kind:.80}"; expected one of {", ".join(kinds)}')
        self.kind = kind
        self.kinds = kinds


def folder(lang: Language) -> Path:
    """Where the pages of a language lie: in the installed package, or in the checkout that it runs from."""
    return shipped() / "docs" / "runbooks" / lang


@cache
def kinds() -> tuple[str, ...]:
    """The kinds of incidents that have a page, and `OPERATIONS`, sorted."""
    return tuple(sorted(file.stem for file in folder("en").glob("*.md") if file.stem != INDEX))


def address(kind: str, public_url: str | None = None) -> str:
    """Where the page of a kind is read: under the address by which people reach the service, or the path alone where nobody named one.

    >>> address("fire", "https://flowwatch.example.cn/"), address("fire")
    ('https://flowwatch.example.cn/runbooks/fire', '/runbooks/fire')
    """
    return f"{(public_url or '').rstrip('/')}{PATH}/{kind}"


@cache
def text(kind: str, lang: Language) -> str:
    """The page of a kind (or `INDEX`), Markdown. Raises `NoRunbookError`."""
    if kind != INDEX and kind not in kinds():
        raise NoRunbookError(kind, kinds())
    return (folder(lang) / f"{kind}.md").read_text(encoding="utf-8")


def title(kind: str, lang: Language) -> str:
    """Its heading. Raises `NoRunbookError`."""
    return text(kind, lang).partition("\n")[0].removeprefix("# ").strip()


def linked(page: str, form: str) -> str:
    """A page whose links to other pages are written anew: as `form` with their {text} and the {kind} that they lead to.

    >>> linked("see [the fire](fire.md)", "{text} (`{kind}`)")
    'see the fire (`fire`)'
    """
    return _LINK.sub(lambda found: form.format(text=found[1], kind=found[2]), page)
