"""The run books over HTTP: for anybody, in the language that is asked for, with nothing inline."""

from __future__ import annotations

import itertools
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import sync_playwright

from flowwatch.handling import runbooks
from flowwatch.service.leaf import LANGUAGES, leaf
from flowwatch.words import Language
from tests.service.conftest import Run
from tests.service.place import Place

ROOT: Final = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("query", "accepted", "expected"),
    [
        ("", "", "en"),
        ("", "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("", "en-US,en;q=0.9,zh;q=0.8", "en"),
        ("", "fr;q=nonsense, zh;q=0.1", "zh"),
        ("?lang=zh", "en", "zh"),
        ("?lang=en", "zh", "en"),
    ],
)
def test_a_page_comes_in_the_language_that_is_asked_for(place: Place, run: Run, query: str, accepted: str, expected: str) -> None:
    async def work() -> None:
        for path in ("/runbooks", "/runbooks/fire"):
            answer = await place.client.get(f"{path}{query}", headers={"accept-language": accepted})
            assert answer.status_code == 200
            assert answer.headers["content-language"] == expected
            assert answer.headers["vary"] == "Accept-Language"
            assert answer.headers["content-type"] == "text/html; charset=utf-8"
            assert ("处置手册" in answer.text) == (expected == "zh")

    run(work())


def test_a_page_brings_its_own_style_and_nothing_inline(place: Place, run: Run) -> None:
    async def work() -> None:
        page = await place.client.get("/runbooks/fire")
        policy = page.headers["content-security-policy"]
        assert "unsafe" not in policy
        assert "style-src 'self'" in policy
        assert not re.search(r"<script|<style|style=|\son\w+=", page.text)
        style = await place.client.get(re.findall(r'<link rel="stylesheet" href="([^"]+)">', page.text)[0])
        assert style.status_code == 200
        assert style.headers["content-type"].startswith("text/css")
        assert "url(" not in style.text

    run(work())


def test_every_link_of_every_page_is_answered(place: Place, run: Run) -> None:
    async def work() -> None:
        seen = set[str]()
        waiting = ["/runbooks?lang=en"]
        while waiting:
            path = waiting.pop()
            if path in seen:
                continue
            seen.add(path)
            answer = await place.client.get(path)
            assert answer.status_code == 200, path
            waiting += re.findall(r'href="([^"]+)"', answer.text)
        assert {f"/runbooks/{kind}?lang={lang}" for kind in runbooks.kinds() for lang in LANGUAGES} <= seen

    run(work())


def test_a_kind_that_is_none_is_told_with_what_was_meant(place: Place, run: Run) -> None:
    async def work() -> None:
        answer = await place.client.get("/runbooks/gate_lots")
        assert answer.status_code == 404
        assert answer.json()["did_you_mean"] == "gate_lost"
        for name in ("..%2f..%2findex", "index.md", "%3Cscript%3E"):
            assert (await place.client.get(f"/runbooks/{name}")).status_code == 404

    run(work())


def test_a_language_that_is_none_is_refused(place: Place, run: Run) -> None:
    async def work() -> None:
        assert (await place.client.get("/runbooks/fire?lang=fr")).status_code == 422

    run(work())


class Balance(HTMLParser):
    """Collects the tags that a page opens and does not close."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "link", "br", "hr"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("kind", [*runbooks.kinds(), runbooks.INDEX])
def test_a_page_closes_every_tag_that_it_opens(kind: str, lang: Language) -> None:
    balance = Balance()
    balance.feed(leaf(kind, lang).decode())
    assert balance.open == []


def test_what_stands_in_a_page_is_text_and_never_html(monkeypatch: pytest.MonkeyPatch) -> None:
    evil = "# <script>a</script> & b\n\n<img src=x onerror=alert(1)>\n\n[x](javascript:alert(1)) `<b>`\n"
    monkeypatch.setattr(runbooks, "text", lambda kind, lang: evil)
    page = leaf.__wrapped__("fire", "en").decode()
    assert "<script" not in page
    assert "<img" not in page
    assert 'href="javascript' not in page
    assert "<code>&lt;b&gt;</code>" in page


@pytest.mark.slow
def test_no_page_is_wider_than_a_phone() -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed")
    style = (ROOT / "flowwatch" / "service" / "pages" / "runbooks.css").read_text(encoding="utf-8")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 360, "height": 740})
        wide = []
        for lang, kind in itertools.product(LANGUAGES, [*runbooks.kinds(), runbooks.INDEX]):
            page.set_content(leaf(kind, lang).decode())
            page.add_style_tag(content=style)
            if page.evaluate("document.documentElement.scrollWidth") > 360:
                wide.append((lang, kind))
        browser.close()
    assert wide == []
