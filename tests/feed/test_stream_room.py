"""How much room listeners take: no files while they wait, none for those who went, and nobody has all of it."""

from __future__ import annotations

import threading
from pathlib import Path

import httpx
import pytest

from flowwatch.feed import reader
from flowwatch.feed.frames import Frame
from flowwatch.handling.records import Act, Alert, Said, Shown, Step
from flowwatch.service import stream
from tests.feed.live import WAIT_S, Live, until
from tests.service.place import PASSWORD, START

HERE = ("huangpu/yuyuan",)


def written_elsewhere(there: Live, count: int) -> None:
    """So many records of a site that the listener may not see."""
    said = Said("满", "full")
    alert = Alert(site="bund", incident="bund-i1", state="raised", what="stage", subject="p", since_us=START, text=said, shown=Shown.SAME)
    there.written.book.write([("bund", START, alert)] * count)


def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (stream, reader):
        monkeypatch.setattr(module, "PAGE", 2)


def test_one_who_hangs_up_while_much_is_read_that_is_not_for_it_is_noticed(there: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    written_elsewhere(there, 5_000)
    small_pages(monkeypatch)
    monkeypatch.setattr(stream, "HEARTBEAT_S", 600.0)
    read, gone, pages = reader.Reader.page, threading.Event(), list[int]()

    def page(self: reader.Reader) -> list[Frame]:
        found = read(self)
        pages.append(len(found))
        assert gone.wait(WAIT_S)
        return found

    monkeypatch.setattr(reader.Reader, "page", page)
    ear = there.listen("?since=j0-h0", there.token(areas=HERE))
    feed = there.place.service.feed
    until(lambda: len(pages) == 1)
    assert len(feed.streams) == 1
    ear.close()
    gone.set()
    until(lambda: not feed.streams)
    assert len(pages) < 2_500, "it had not come to the end"
    assert not feed.hub.listeners


def test_one_who_is_read_much_that_is_not_for_it_hears_how_far_it_is(there: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    written_elsewhere(there, 5_000)
    small_pages(monkeypatch)
    monkeypatch.setattr(stream, "HEARTBEAT_S", 0.05)
    ear = there.listen("?since=j0-h0", there.token(areas=HERE))
    until(lambda: len(ear.beaten) >= 2)
    assert any(1 < int(place.split("-h")[1].split(".")[0]) < 5_000 for place in ear.beaten)


def files() -> int:
    """How many files this process has open; sockets, of which both ends lie in it, are none."""
    return sum(Path(one).is_file() for one in Path("/proc/self/fd").iterdir())


def test_those_who_read_nothing_hold_no_files(there: Live) -> None:
    note = Step(site="yuyuan", incident="yuyuan-i1", act=Act.NOTE, by="wang", reason="x" * 4_000)
    there.written.book.write([("yuyuan", START, note)] * 2_500)
    there.listen("?since=j0-h0&kinds=zones")
    until(lambda: len(there.place.service.feed.hub.listeners) == 1)
    before = files()
    for _ in range(10):
        there.listen("?since=j0-h0", receive=4096, begin=False)
    feed = there.place.service.feed
    until(lambda: sum(one.sending for one in [*feed.streams]) == 10)
    until(lambda: files() < before + 10)  # a thread that reads for another may have some open for a moment
    assert sum(one.sending for one in [*feed.streams]) == 10


def test_one_identity_does_not_take_all_the_room(there: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "MOST_OF_IDENTITY", 2)
    monkeypatch.setattr(stream, "MOST_OF_MACHINES", 3)
    mine, other = there.token(), there.token()
    assert [there.listen(headers=mine).status for _ in range(3)] == [200, 200, 503]
    assert [there.listen(headers=other).status for _ in range(2)] == [200, 503]


def test_an_open_page_is_no_sign_that_somebody_is_there(there: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    authenticator = there.place.parts.authenticator
    asked, used = authenticator.sessions.user_of, list[bool]()

    def user_of(kept: bytes, *, used: bool = True, into: list[bool] = used) -> str | None:
        into.append(used)
        return asked(kept, used=used) and "viewer"

    monkeypatch.setattr(authenticator.sessions, "user_of", user_of)
    monkeypatch.setattr(stream, "RIGHTS_S", 0.1)
    monkeypatch.setattr(stream, "HEARTBEAT_S", 0.05)
    who = {"name": "viewer", "password": PASSWORD}
    answer = httpx.post(f"http://127.0.0.1:{there.port}/v1/session", json=who, timeout=WAIT_S, trust_env=False)
    there.listen(headers={"cookie": answer.headers["set-cookie"].partition(";")[0]}).next("snapshot")
    used.clear()
    authenticator.forget()
    until(lambda: bool(used))
    assert used[0] is False
