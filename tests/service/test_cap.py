"""CAP files and their feed over HTTP: what one may see, what did not change, what is not there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import feedparser  # type: ignore[import-untyped]
import pytest

from flowwatch.service.auth.identity import Scope
from tests.feed.test_atom import alerts, link
from tests.feed.told import NOON, SECOND, alert, one, valid, write
from tests.service.conftest import Run
from tests.service.place import Place, make

FEED = "/v1/feeds/atom"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A service without a desk: the tests write the book, and only one may."""
    with ExitStack() as owned:
        yield make(tmp_path, owned, attended=False)


def links(text: str) -> list[str]:
    page = feedparser.parse(text, response_headers={"content-type": "application/atom+xml"})
    assert not page.bozo
    return [str(link(entry, "alternate")) for entry in page.entries]


def test_every_link_of_the_feed_leads_to_a_valid_file(place: Place, run: Run) -> None:
    async def work() -> None:
        write(place.workspace.handling, alerts(6))
        token = place.token(Scope.READ)
        feed = await place.client.get(FEED, headers=token)
        assert feed.headers["content-type"].startswith("application/atom+xml")
        assert len(links(feed.text)) == 6
        for path in links(feed.text):
            answer = await place.client.get(path, headers=token)
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith("application/cap+xml")
            assert one(valid(answer.content), "identifier") == path.rpartition("/")[2]
        root = valid(answer.content)
        assert one(root, "sent") == "2026-10-01T14:03:00+08:00"
        assert answer.headers["last-modified"] == "Thu, 01 Oct 2026 06:03:00 GMT"

    run(work())


def test_what_did_not_change_is_not_sent_again(place: Place, run: Run) -> None:
    async def work() -> None:
        write(place.workspace.handling, pages := alerts(2))
        token = place.token(Scope.READ)
        for path in (FEED, f"/v1/feeds/cap/{pages[0][2].cap}"):
            first = await place.client.get(path, headers=token)
            tag = first.headers["etag"]
            assert tag[0] == tag[-1] == '"'
            for known in (tag, f'"other", W/{tag}', "*"):
                again = await place.client.get(path, headers=token | {"if-none-match": known})
                assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
            assert (await place.client.get(path, headers=token | {"if-none-match": '"other"'})).status_code == 200
            assert first.headers["cache-control"] == "private, no-cache"

    run(work())


def test_a_new_alert_is_another_feed_and_the_files_stay_as_they_are(place: Place, run: Run) -> None:
    async def work() -> None:
        write(place.workspace.handling, pages := alerts(2, ["yuyuan"]))
        token, file = place.token(Scope.READ), f"/v1/feeds/cap/{pages[0][2].cap}"
        before = [(await place.client.get(path, headers=token)).headers["etag"] for path in (FEED, file)]
        at = NOON + 99 * SECOND
        later = alert(incident=pages[0][2].incident, state="cleared", cap=f"{str(pages[0][2].cap)[:15]}20261001140439_0")
        write(place.workspace.handling, [("yuyuan", at, later)])
        after = [(await place.client.get(path, headers=token)).headers["etag"] for path in (FEED, file)]
        assert after[0] != before[0]
        assert after[1] == before[1]
        cancel = valid((await place.client.get(f"/v1/feeds/cap/{later.cap}", headers=token)).content)
        assert one(cancel, "msgType") == "Cancel"
        assert str(pages[0][2].cap) in one(cancel, "references")

    run(work())


def test_of_sites_that_one_does_not_see_nothing_is_found(place: Place, run: Run) -> None:
    async def work() -> None:
        write(place.workspace.handling, pages := alerts(4))
        viewer = await place.signed_in("viewer")
        assert len(links((await place.client.get(FEED, headers=viewer)).text)) == 2
        told: dict[str, Any] = {}
        for _, _, said in pages:
            answer = await place.client.get(f"/v1/feeds/cap/{said.cap}", headers=viewer)
            assert answer.status_code == (200 if said.site == "yuyuan" else 404)
            told[said.site] = answer
        nothing = await place.client.get("/v1/feeds/cap/31010100000001_20991231235959_0", headers=viewer)
        assert nothing.json()["detail"].partition('" ')[2] == told["bund"].json()["detail"].partition('" ')[2]
        assert (await place.client.get(FEED, params={"site": "bund"}, headers=viewer)).status_code == 404
        hidden = next(said.cap for of, _, said in pages if of == "bund")
        for before in (hidden, "nothing"):
            answer = await place.client.get(FEED, params={"before": str(before)}, headers=viewer)
            assert (answer.status_code, answer.json()["type"]) == (400, "urn:flowwatch:problem:bad-cursor")

    run(work())


def test_pages_follow_each_other_over_http(place: Place, run: Run) -> None:
    async def work() -> None:
        write(place.workspace.handling, pages := alerts(7, ["yuyuan"]))
        token, found, path = place.token(Scope.READ), list[str](), f"{FEED}?site=yuyuan&limit=3"
        while path:
            answer = await place.client.get(path, headers=token)
            assert answer.status_code == 200
            page = feedparser.parse(answer.text, response_headers={"content-type": "application/atom+xml"})
            found += [entry.id.rpartition(":")[2] for entry in page.entries]
            path = link(page.feed, "next") or ""
        assert found == [said.cap for _, _, said in reversed(pages)]

    run(work())


def test_before_the_first_alert_there_is_an_empty_feed(place: Place, run: Run) -> None:
    async def work() -> None:
        answer = await place.client.get(FEED, headers=place.token(Scope.READ))
        assert (answer.status_code, links(answer.text)) == (200, [])
        assert "last-modified" not in answer.headers

    run(work())
