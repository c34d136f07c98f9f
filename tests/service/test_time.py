"""Saying what time it is: only in a rehearsal, only with the scope for it, and what came before it stays before it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from flowwatch import log
from flowwatch.core.readings import SECOND
from flowwatch.inputs.stager import Stager
from flowwatch.log.time import now
from flowwatch.service.app import Service, build
from flowwatch.service.auth.identity import Scope
from flowwatch.service.auth.tokens import Tokens
from flowwatch.service.tables import open_store
from flowwatch.workspace import Workspace
from tests.log.making import document

NOON = 1_790_000_000 * SECOND
TOLD = {"at": "2026-09-21T14:13:20Z"}


def _log(root: Path, clock: str) -> Workspace:
    workspace = Workspace(root)
    log.create(workspace.log, partitions=1, clock=clock)
    with log.Writer.open(workspace.log) as writer:
        writer.append_document(document("a", ["x"]), NOON)
        writer.commit()
    return workspace


async def _say(workspace: Workspace, scope: Scope) -> int:
    store = open_store(workspace.service)
    token, _ = Tokens(store, lambda: NOON).add("clock", [scope], by="test")
    with Stager(workspace.log) as stager:
        service: Service = build(workspace, store, stager)
        client = httpx.AsyncClient(transport=httpx.ASGITransport(cast(Any, service.app)), base_url="http://test")
        async with client:
            answer = await client.post("/v1/time", json=TOLD, headers={"authorization": f"Bearer {token}"})
        service.close()
    store.close()
    return answer.status_code


@pytest.mark.parametrize(
    ("clock", "scope", "status"),
    [
        ("told", Scope.TIME_WRITE, 202),
        ("told", Scope.READINGS_WRITE, 403),
        ("wall", Scope.TIME_WRITE, 409),
        ("event", Scope.TIME_WRITE, 409),
    ],
)
def test_time_is_told_to_a_rehearsal_by_whoever_may(tmp_path: Path, clock: str, scope: Scope, status: int) -> None:
    workspace = _log(tmp_path, clock)
    assert asyncio.run(_say(workspace, scope)) == status
    with log.Writer.open(workspace.log) as writer:
        assert writer.drain().bad == []
    if clock == "told":
        assert now(workspace.log) == (NOON if status == 202 else 0)
