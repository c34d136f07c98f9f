"""The Atom feed of CAP messages: read by feedparser, over HTTP and from a folder, with every link leading to its file."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import feedparser  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowwatch.core.entries import Entry, EntryKind, canonical
from flowwatch.core.entries import link as chained
from flowwatch.feed import atom
from flowwatch.feed.cap import MEDIA_TYPE, Speaker
from flowwatch.feed.cap_names import CapNames
from flowwatch.feed.caps import Caps
from flowwatch.feed.folder import CapFolder
from flowwatch.feed.messages import Messages
from flowwatch.handling.book import Book
from flowwatch.handling.records import Act, Alert, Said, Step
from flowwatch.journal import Journal
from tests.feed.test_cap import HOSTILE
from tests.feed.told import CODE, NOON, SECOND, SENDER, SPEAKER, alert, valid, write
from tests.journal.story import site

DOCUMENT = json.loads(site())
SITES = ("yuyuan", "bund")


def alerts(count: int, sites: Sequence[str] = SITES, names: CapNames | None = None) -> list[tuple[str, int, Alert]]:
    """So many alerts, of the sites in turn, ten seconds from each other."""
    made, named = [], names or CapNames(CODE)
    for i in range(count):
        of, at = sites[i % len(sites)], NOON + i * 10 * SECOND
        made.append((of, at, alert(site=of, incident=f"{of}-i{i}", since_us=at, cap=named.next(at, "Asia/Shanghai"))))
    return made


def read(page: bytes) -> Any:
    """The page as feedparser reads it, without anything to complain of."""
    found = feedparser.parse(page, response_headers={"content-type": "application/atom+xml; charset=utf-8"})
    assert not found.bozo, found.get("bozo_exception")
    assert found.version == "atom10"
    return found


def link(of: Any, rel: str) -> str | None:
    """The address of a feed's or an entry's one link of that kind."""
    found = [one["href"] for one in of.links if one["rel"] == rel]
    assert len(found) <= 1
    return found[0] if found else None


# -- pages ----------------------------------------------------------------------------------------------------------------------------


def test_the_newest_come_first_and_each_has_one_link_to_its_file(tmp_path: Path) -> None:
    write(tmp_path / "handling.db", pages := alerts(3))
    with Journal.open(tmp_path / "handling.db") as book:
        page = read(Caps(lambda: book, lambda _: DOCUMENT, SPEAKER).page(SITES, None, None, 50)[0])
    assert [entry.id for entry in page.entries] == [f"urn:flowwatch:cap:{said.cap}" for _, _, said in reversed(pages)]
    assert [link(entry, "alternate") for entry in page.entries] == [
        f"https://flowwatch.example.cn/v1/feeds/cap/{said.cap}" for _, _, said in reversed(pages)
    ]
    assert {one["type"] for entry in page.entries for one in entry.links} == {MEDIA_TYPE}
    assert page.entries[0].title == f"{alert().text.zh} / {alert().text.en}"
    assert page.entries[0].updated == "2026-10-01T06:03:20.000000Z" == page.feed.updated
    assert page.feed.author == SENDER
    assert link(page.feed, "next") is None


def test_pages_lead_to_all_older_ones_and_to_none_twice(tmp_path: Path) -> None:
    write(tmp_path / "handling.db", pages := alerts(23))
    mine = [said.cap for of, _, said in reversed(pages) if of == "yuyuan"]
    with Journal.open(tmp_path / "handling.db") as book:
        caps, found, before, ids = Caps(lambda: book, lambda _: None, Speaker(SENDER)), list[str](), None, set[str]()
        while True:
            page = read(caps.page(["yuyuan"], "yuyuan", before, 5)[0])
            ids.add(page.feed.id)
            found += [entry.id.rpartition(":")[2] for entry in page.entries]
            older = link(page.feed, "next")
            if older is None:
                break
            asked = dict(pair.split("=") for pair in urlsplit(older).query.split("&"))
            assert (asked["site"], asked["limit"]) == ("yuyuan", "5")
            before = caps.messages.find(asked["before"])
            assert before is not None
    assert found == mine
    assert ids == {atom.identity(SENDER, "yuyuan")}


def test_a_feed_of_nothing_is_a_feed(tmp_path: Path) -> None:
    page = read(Caps(lambda: None, lambda _: None, SPEAKER).page(SITES, None, None, 50)[0])
    assert page.entries == []


@pytest.mark.parametrize("text", HOSTILE)
def test_whatever_a_text_holds_the_feed_is_one(text: str, tmp_path: Path) -> None:
    write(tmp_path / "handling.db", [("yuyuan", NOON, alert(text=Said(text.encode("utf-8", "replace").decode(), "x")))])
    with Journal.open(tmp_path / "handling.db") as book:
        caps = Caps(lambda: book, lambda _: DOCUMENT | {"title": {"zh": text, "en": text}}, SPEAKER)
        page = read(caps.page(["yuyuan"], "yuyuan", None, 50)[0])
        assert link(page.entries[0], "alternate") == f"https://flowwatch.example.cn/v1/feeds/cap/{alert().cap}"


# -- what is found in the book --------------------------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 6), max_size=12), st.integers(1, 7))
def test_what_the_book_gets_is_found_at_once_in_any_mix_of_writing_and_asking(
    tmp_path_factory: pytest.TempPathFactory, bursts: list[int], limit: int
) -> None:
    path, names, said = tmp_path_factory.mktemp("mix") / "handling.db", CapNames(CODE), list[str]()
    book = Book.open(path)
    messages = Messages(lambda: book.journal)
    for burst in bursts:
        pages = alerts(burst, names=names)
        for page in pages:
            book.write([page])
        book.write([("yuyuan", NOON, Step(site="yuyuan", incident="x", act=Act.NOTE, by="wang"))] * (burst % 2))
        said += [str(one.cap) for _, _, one in pages]
        assert [one.identifier for one in messages.newest(SITES, None, limit)] == said[::-1][:limit]
        for name in said[-3:]:
            found = messages.find(name)
            assert found is not None
            assert messages.alert(found).cap == name
    book.close()


def test_a_book_that_took_the_place_of_another_is_read_anew(tmp_path: Path) -> None:
    write(tmp_path / "one.db", alerts(4))
    write(tmp_path / "other.db", others := alerts(3, names=CapNames("99999999999999")))
    with Journal.open(tmp_path / "one.db") as one, Journal.open(tmp_path / "other.db") as other:
        now = [one]
        messages = Messages(lambda: now[0])
        assert len(messages.newest(SITES, None, 9)) == 4
        now[0] = other
        assert [m.identifier for m in messages.newest(SITES, None, 9)] == [said.cap for _, _, said in reversed(others)]


def test_a_record_that_is_no_alert_is_passed_over_and_said_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    bad = [
        alert(cap="../../etc/passwd"),
        alert(cap=f"{CODE}_20261001140300_0", site="bund"),
        alert(cap=f"{CODE}_20261001140300_1"),
        alert(cap=f"{CODE}_20261001140300_1"),
    ]
    write(tmp_path / "handling.db", [("yuyuan", NOON, one) for one in bad])
    with Journal.open(tmp_path / "handling.db") as book:
        last = book.get("yuyuan-4")
        body = canonical({"cap": 7, "site": "yuyuan", "x": '"cap":"'})
        broken = body.replace(b"7", b'"cap":"')
        book.append([Entry("yuyuan", 5, EntryKind.ALERT, NOON, broken, chained(last.hash, "alert", NOON, broken))])
        found = Messages(lambda: book).newest(SITES, None, 9)
    assert [m.entry for m in found] == ["yuyuan-3"]
    assert [r.getMessage().split()[2] for r in caplog.records] == ["yuyuan-1", "yuyuan-2", "yuyuan-4", "yuyuan-5"]


def test_several_threads_may_ask_at_once(tmp_path: Path) -> None:
    write(tmp_path / "handling.db", pages := alerts(300))
    with Journal.open(tmp_path / "handling.db") as book:
        messages, found = Messages(lambda: book), list[list[str]]()

        def ask() -> None:
            found.append([one.identifier for one in messages.newest(SITES, None, 500)])

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == [[said.cap for _, _, said in reversed(pages)]] * 8


# -- a folder of files ----------------------------------------------------------------------------------------------------------------


def test_a_folder_has_every_file_and_an_index_whose_links_lead_to_them(tmp_path: Path) -> None:
    write(tmp_path / "handling.db", pages := alerts(5))
    out = tmp_path / "out"
    out.mkdir()
    with Journal.open(tmp_path / "handling.db") as book:
        assert CapFolder(out, book, Speaker(SENDER), lambda: {"yuyuan": DOCUMENT}).write() == (5, 0)
    page = read((out / "atom.xml").read_bytes())
    links = [str(link(entry, "alternate")) for entry in page.entries]
    assert links == [f"{said.cap}.xml" for _, _, said in reversed(pages)]
    for name in links:
        valid((out / name).read_bytes())
    assert sorted(file.name for file in out.iterdir()) == sorted([*links, "atom.xml"])


def test_a_file_that_is_there_and_the_same_is_left_and_another_is_replaced(tmp_path: Path) -> None:
    write(tmp_path / "handling.db", pages := alerts(3))
    out = tmp_path / "out"
    out.mkdir()
    with Journal.open(tmp_path / "handling.db") as book:
        CapFolder(out, book, Speaker(SENDER), dict).write()
        before = {file.name: file.stat().st_ino for file in out.iterdir()}
        half = out / f"{pages[1][2].cap}.xml"
        half.write_bytes(half.read_bytes()[:100])
        assert CapFolder(out, book, Speaker(SENDER), dict).write() == (1, 2)
        after = {file.name: file.stat().st_ino for file in out.iterdir()}
    assert {name for name in before if before[name] != after[name]} == {half.name}
    valid(half.read_bytes())


def test_a_folder_follows_the_book_and_keeps_to_its_site_and_time(tmp_path: Path) -> None:
    names, out = CapNames(CODE), tmp_path / "out"
    out.mkdir()
    book = Book.open(tmp_path / "handling.db")
    book.write(alerts(4, names=names))
    folder = CapFolder(out, book.journal, Speaker(SENDER), dict, "yuyuan", NOON + 10 * SECOND)
    assert folder.write() == (1, 0)
    assert folder.write() == (0, 0)
    book.write([("yuyuan", NOON + 60 * SECOND, alert(incident="yuyuan-i99", cap=names.next(NOON + 60 * SECOND, "Asia/Shanghai")))])
    assert folder.write() == (1, 0)
    assert len(read((out / "atom.xml").read_bytes()).entries) == 2
    book.close()
