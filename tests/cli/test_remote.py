"""`doctor --url`: a running service looked over by its figures, and clear words where it cannot be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from flowwatch.cli.exits import Exit
from flowwatch.service.auth.identity import Scope
from tests.cli.conftest import Invoke, objects
from tests.feed.live import Live, live
from tests.servers import free_port


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Live]:
    with live(tmp_path) as made:
        yield made


def token(served: Live, folder: Path, *scopes: Scope) -> Path:
    file = folder / "token"
    file.write_text(served.place.token(*scopes)["authorization"].removeprefix("Bearer ") + "\n")
    return file


def url(served: Live) -> str:
    return f"http://127.0.0.1:{served.port}"


def test_what_is_wrong_is_told_with_what_to_do(served: Live, tmp_path: Path, invoke: Invoke) -> None:
    file = token(served, tmp_path, Scope.METRICS_READ)
    found = objects(invoke("doctor", "--url", url(served), "--token-file", file, "--json", code=Exit.FINDINGS))
    told = {one["finding"]: one for one in found}
    assert {"engine_down", "desk_down"} <= told.keys()  # neither runs in this test's service
    assert "flowwatch runbook service_trouble" in told["desk_down"]["do"]
    assert "folder" not in told


def test_it_is_told_in_both_languages(served: Live, tmp_path: Path, invoke: Invoke) -> None:
    file = token(served, tmp_path, Scope.METRICS_READ)
    words = {
        lang: invoke("doctor", "--url", url(served), "--token-file", file, "--lang", lang, code=Exit.FINDINGS).stdout
        for lang in ("zh", "en")
    }
    assert "值班台有故障" in words["zh"]
    assert "nobody is told of incidents" in words["en"]


def test_a_token_may_come_from_the_environment(served: Live, tmp_path: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWWATCH_TOKEN", token(served, tmp_path, Scope.METRICS_READ).read_text().strip())
    assert "desk" in invoke("doctor", "--url", url(served), "--lang", "en", code=Exit.FINDINGS).stdout


def test_a_token_without_the_scope_is_told_what_it_needs(served: Live, tmp_path: Path, invoke: Invoke) -> None:
    told = invoke("doctor", "--url", url(served), "--token-file", token(served, tmp_path, Scope.READ), code=Exit.USAGE).output
    assert "may not read the figures; `flowwatch token add doctor --scope metrics:read` makes one, for everywhere" in told


def test_a_token_that_is_none_is_told(served: Live, tmp_path: Path, invoke: Invoke) -> None:
    (tmp_path / "token").write_text("fw_nothing\n")
    assert "is none that it knows" in invoke("doctor", "--url", url(served), "--token-file", tmp_path / "token", code=Exit.USAGE).output


def test_without_a_token_one_is_asked_for(served: Live, invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FLOWWATCH_TOKEN", raising=False)
    assert "expected a token, by --token-file or FLOWWATCH_TOKEN" in invoke("doctor", "--url", url(served), code=Exit.USAGE).output


@pytest.mark.parametrize("address", ["http://127.0.0.1:{port}", "nonsense", "http://"])
def test_where_nobody_answers_it_says_so(tmp_path: Path, invoke: Invoke, address: str) -> None:
    (tmp_path / "token").write_text("fw_x\n")
    told = invoke("doctor", "--url", address.format(port=free_port()), "--token-file", tmp_path / "token", code=Exit.USAGE).output
    assert "no answer" in told
    assert "expected a running `flowwatch serve`" in told


def test_another_service_is_told_from_ours(served: Live, tmp_path: Path, invoke: Invoke) -> None:
    file = token(served, tmp_path, Scope.METRICS_READ)
    told = invoke("doctor", "--url", f"{url(served)}/docs", "--token-file", file, code=Exit.USAGE).output
    assert "answered 404, expected the figures" in told
