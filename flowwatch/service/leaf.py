"""A run book as a page of HTML: its Markdown rendered without any HTML of its own, in a frame that brings nothing inline.

What stands in a run book comes with flowwatch and not from anybody who asks; it is escaped all the same.
"""

from __future__ import annotations

import html
import re
from functools import cache
from typing import Final

from markdown_it import MarkdownIt

from flowwatch.handling import runbooks
from flowwatch.words import Language, say

LANGUAGES: Final[tuple[Language, ...]] = ("zh", "en")
_FRAME: Final = """<!doctype html>
<html lang="{tag}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · flowwatch</title>
<link rel="stylesheet" href="/docs/runbooks.css">
</head>
<body>
<header><nav><a href="{up}">{all}</a><a href="{there}" lang="{other_tag}" hreflang="{other_tag}">{other}</a></nav></header>
<main>
{body}</main>
</body>
</html>
"""
_TAGS: Final = {"zh": "zh-CN", "en": "en"}
_WEIGHT: Final = re.compile(r"\s*([A-Za-z]{1,8}|\*)(?:-[A-Za-z0-9-]*)?\s*(?:;\s*q=([01](?:\.\d{0,3})?))?\s*")


@cache
def leaf(kind: str, lang: Language) -> bytes:
    """The page of a kind, or of `runbooks.INDEX`, UTF-8. Raises `NoRunbookError`."""
    page = runbooks.linked(runbooks.text(kind, lang), f"[{{text}}]({runbooks.PATH}/{{kind}}?lang={lang})")
    other: Language = say(lang, "en", "zh")  # type: ignore[assignment]  # `say` gives back one of the two
    where = runbooks.PATH if kind == runbooks.INDEX else f"{runbooks.PATH}/{kind}"
    made = _FRAME.format(
        tag=_TAGS[lang],
        title=html.escape(runbooks.title(kind, lang)),
        up=f"{runbooks.PATH}?lang={lang}",
        all=say(lang, "处置手册", "Run books"),
        there=f"{where}?lang={other}",
        other_tag=_TAGS[other],
        other=say(lang, "English", "中文"),
        body=MarkdownIt("commonmark", {"html": False}).enable("table").render(page),
    )
    return made.encode()


def preferred(accepted: str) -> Language:
    """The language that an Accept-Language header asks for; English where it asks for neither, or for nothing.

    >>> preferred("fr, zh-CN;q=0.9, en;q=0.8"), preferred("en-GB,zh;q=0.5"), preferred("zh;q=0"), preferred("")
    ('zh', 'en', 'en', 'en')
    """
    best: Language = "en"
    most = 0.0
    for part in accepted.split(",")[:50]:
        found = _WEIGHT.fullmatch(part)
        if found is None:
            continue
        weight = 1.0 if found[2] is None else float(found[2])
        for lang in LANGUAGES:
            if found[1].lower() == lang and weight > most:
                best, most = lang, weight
    return best
