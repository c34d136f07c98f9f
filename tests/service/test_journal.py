"""The journal by pages: nothing skipped, nothing twice, whoever writes meanwhile; and only what may be seen."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowwatch.core.entries import GENESIS, Entry, EntryKind, canonical, link
from flowwatch.journal import Journal
from flowwatch.journal.pages import Mark, Sought, StaleMarkError
from flowwatch.service.auth.identity import Scope
from tests.service.conftest import Run
from tests.service.place import Place, document


class Chains:
    """Makes entries that link."""

    def __init__(self) -> None:
        self.heads: dict[str, tuple[int, bytes]] = {}

    def next(self, chain: str, at: int, kind: EntryKind = EntryKind.TASK) -> Entry:
        seq, head = self.heads.get(chain, (0, GENESIS))
        body = canonical({"n": seq + 1})
        hash_ = link(head, kind.value, at, body)
        self.heads[chain] = seq + 1, hash_
        return Entry(chain, seq + 1, kind, at, body, hash_)


STEPS = st.lists(st.tuples(st.sampled_from(["a", "b", "@p00"]), st.integers(1, 4), st.integers(0, 1000), st.booleans()), max_size=25)


@settings(max_examples=40)
@given(
    steps=STEPS, limit=st.integers(1, 5), sites=st.sampled_from([None, ("a",), ("a", "b")]), kind=st.sampled_from([None, EntryKind.TASK])
)
def test_pages_give_every_entry_once_in_any_mix_of_reading_and_writing(
    tmp_path_factory: pytest.TempPathFactory, steps: Any, limit: int, sites: Any, kind: Any
) -> None:
    chains, written, read = Chains(), [], []
    mark: Mark | None = None
    with Journal.open(tmp_path_factory.mktemp("pages") / "journal.db") as journal:
        for chain, count, at, reads in steps:
            entries = [chains.next(chain, at, EntryKind.TASK if i % 2 else EntryKind.COMMAND) for i in range(count)]
            journal.append(entries)
            written += [e.id for e in entries if (sites is None or e.chain in sites) and kind in (None, e.kind)]
            if reads:
                found, mark = journal.page(Sought(sites, kind), mark, limit)
                read += [e.id for e in found]
        while True:
            found, mark = journal.page(Sought(sites, kind), mark, limit)
            if not found:
                break
            read += [e.id for e in found]
        assert read == written
        back, mark = journal.page(Sought(sites, kind), None, 1_000, newest=True)
        assert [e.id for e in back] == written[::-1]


def test_a_mark_of_a_rebuilt_journal_is_refused(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder, chains = tmp_path_factory.mktemp("marks"), Chains()
    entries = [chains.next("a", 1), chains.next("b", 1)]
    with Journal.open(folder / "one.db") as one, Journal.open(folder / "other.db") as other:
        one.append(entries)
        other.append(entries[1:])
        _, mark = one.page(Sought(), None, 1)
        with pytest.raises(StaleMarkError):
            other.page(Sought(), mark, 1)


async def pages(place: Place, headers: dict[str, str], **query: Any) -> list[str]:
    found: list[str] = []
    after: dict[str, str] = {}
    while True:
        answer = await place.client.get("/v1/journal", params=query | after, headers=headers)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += [entry["id"] for entry in page["entries"]]
        if not page["more"]:
            return found
        after = {"after": page["next"]}


def test_pages_over_http_go_on_while_the_engine_decides(place: Place, run: Run) -> None:
    async def work() -> None:
        token = place.token(Scope.READ)
        first = (await place.client.get("/v1/journal", params={"limit": 3}, headers=token)).json()
        recount = {"zone": "mall", "count": 1600}
        await place.client.post("/v1/sites/yuyuan/actions/recount", json=recount, headers=await place.signed_in("operator"))
        place.live.drain(10)
        rest = await pages(place, token, limit=2, after=first["next"]) if not first["more"] else []
        after: str | None = first["next"]
        while after:
            page = (await place.client.get("/v1/journal", params={"limit": 2, "after": after}, headers=token)).json()
            rest += [entry["id"] for entry in page["entries"]]
            after = page["next"] if page["more"] else None
        with Journal.open(place.workspace.journal) as journal:
            every = [entry.id for entry in journal.entries()]
        got = [entry["id"] for entry in first["entries"]] + rest
        assert sorted(got) == sorted(every)
        assert len(got) == len(set(got))

    run(work())


def test_a_query_narrows_by_site_kind_and_time(place: Place, run: Run) -> None:
    async def work() -> None:
        token = place.token(Scope.READ)
        assert {id_.rpartition("-")[0] for id_ in await pages(place, token, site="bund", limit=2)} == {"bund"}
        kinds = (await place.client.get("/v1/journal", params={"kind": "command"}, headers=token)).json()["entries"]
        assert {entry["kind"] for entry in kinds} == {"command"}
        assert await pages(place, token, since="2026-10-01T14:00:00+08:00", until="2026-10-01T14:00:01+08:00") == []
        newest = (await place.client.get("/v1/journal", params={"order": "newest", "limit": 1}, headers=token)).json()
        for bad in ({"after": "x"}, {"after": newest["next"]}, {"after": "WzEsMiwzXQ"}):
            assert (await place.client.get("/v1/journal", params=bad, headers=token)).status_code == 400
        for bad in ({"since": "2026-10-01T14:00:00"}, {"limit": "1001"}, {"kind": "x"}, {"order": "x"}):
            assert (await place.client.get("/v1/journal", params=bad, headers=token)).status_code == 422
        near = await place.client.get("/v1/journal", params={"site": "yuyuann"}, headers=token)
        assert near.json()["did_you_mean"] == "yuyuan"

    run(work())


def test_what_lies_outside_of_an_area_is_neither_listed_nor_told(place: Place, run: Run) -> None:
    async def work() -> None:
        viewer = await place.signed_in("viewer")
        assert {id_.rpartition("-")[0] for id_ in await pages(place, viewer)} == {"yuyuan"}
        assert [site["site"] for site in (await place.client.get("/v1/sites", headers=viewer)).json()] == ["yuyuan"]
        incidents = (await place.client.get("/v1/incidents", headers=viewer)).json()["incidents"]
        assert {incident["site"] for incident in incidents} == {"yuyuan"}
        for id_ in ("bund-1", "bund-999", "bund-i1", "@p00-1", "nothing", "-", "yuyuan-999"):
            answer = await place.client.get(f"/v1/journal/{id_}", headers=viewer)
            assert answer.status_code == 404
            assert ("bund" in answer.text) == id_.startswith("bund")
        assert (await place.client.get("/v1/journal", params={"site": "bund"}, headers=viewer)).status_code == 404

    run(work())


def test_an_entry_is_explained_in_both_languages(place: Place, run: Run) -> None:
    async def work() -> None:
        viewer = await place.signed_in("viewer")
        entries = (await place.client.get("/v1/journal", params={"kind": "command"}, headers=viewer)).json()["entries"]
        path = f"/v1/journal/{entries[0]['id']}"
        assert (await place.client.get(path, headers=viewer)).json() == entries[0]
        for lang, word in (("en", "Documents in force"), ("zh", "方案版本")):
            told = (await place.client.get(f"{path}/explanation", params={"lang": lang}, headers=viewer)).json()
            assert word in told["steps"][-1]["text"]

    run(work())


def test_documents_that_come_into_force_are_seen_within_a_second(place: Place, run: Run) -> None:
    async def work() -> None:
        token = place.token(Scope.READ)
        before = (await place.client.get("/v1/sites/yuyuan/documents", headers=token)).json()
        place.live.writer.append_document(document("yuyuan", "second"), place.now())
        place.live.writer.append_document(document("new"), place.now())
        place.live.drain(2)
        after = (await place.client.get("/v1/sites/yuyuan/documents", headers=token)).json()
        assert [version["version"] for version in after][:1] == [version["version"] for version in before]
        assert [version["in_force"] for version in after] == [False, True]
        assert (await place.client.get("/v1/sites/new", headers=token)).status_code == 200
        whole = await place.client.get(f"/v1/sites/yuyuan/documents/{after[1]['version']}", headers=token)
        assert whole.json()["note"] == "second"
        assert place.parts.sites.document("yuyuan")["note"] == "second"

    run(work())


def test_the_picture_follows_the_journal_and_a_new_one_in_its_place(place: Place, run: Run) -> None:
    async def work() -> None:
        operator = await place.signed_in("operator")
        site = "/v1/sites/yuyuan"
        await place.client.post(f"{site}/actions/recount", json={"zone": "mall", "count": 1600}, headers=operator)
        place.live.drain(70)
        zones = (await place.client.get(f"{site}/zones", headers=operator)).json()
        assert zones["at"] is not None
        assert zones["zones"][0]["people"] is not None
        stage = (await place.client.get(site, headers=operator)).json()["stages"]["yuyuan"]
        assert stage == "three_in_five_out"
        gates = {gate["gate"]: gate["wanted"] for gate in (await place.client.get(f"{site}/gates", headers=operator)).json()["gates"]}
        assert (gates["gate-1"]["setting"], gates["gate-1"]["revision"]) == ("out", 2)
        plans = (await place.client.get(f"{site}/plans", headers=operator)).json()
        assert plans["in_force"] == plans["documents"]
        open_ = [incident["what"] for incident in (await place.client.get(f"{site}/incidents", headers=operator)).json()["incidents"]]
        assert "stage" in open_
        moved = place.workspace.journal.with_suffix(".old")
        place.workspace.journal.rename(moved)
        assert (await place.client.get(site, headers=operator)).json()["stages"] == {}
        moved.rename(place.workspace.journal)
        assert (await place.client.get(site, headers=operator)).json()["stages"]["yuyuan"] == stage

    run(work())
