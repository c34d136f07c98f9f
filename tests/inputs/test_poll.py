"""An address is asked without overlap, its answers are durable before the next question, and what goes wrong is told and waited out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec.structs import replace as but

from flowwatch import log
from flowwatch.core.readings import Kind, Reason
from flowwatch.documents.deployment import ClientTls, Format, PollInput
from flowwatch.inputs.poll import LONGEST_PAUSE_S, PollSource
from flowwatch.inputs.stager import Bounds, Stager
from tests.encrypted import HERE, STRANGERS, Parties, impostor
from tests.inputs.test_mqtt import drained, reading, until

DATE = "Thu, 01 Oct 2026 01:00:00 GMT"
Answer = Callable[[httpx.Request], httpx.Response]


def asked(**more: Any) -> PollInput:
    """An address to ask every 10 s."""
    return PollInput(url="http://feed.example/spots", **{"every": "10s", "format": Format.FLOWWATCH, "timeout": "5s", **more})


def poll(stager: Stager, answer: Answer, **more: Any) -> PollSource:
    """An address that answers so."""
    options = {name: more.pop(name) for name in ("folder", "clock") if name in more}
    return PollSource(asked(**more), stager, transport=httpx.MockTransport(answer), **options)


def ok(body: bytes, **headers: str) -> httpx.Response:
    """An answer that has not been read yet, as one from a network."""
    return httpx.Response(200, headers={key.replace("_", "-"): value for key, value in headers.items()}, stream=httpx.ByteStream(body))


@pytest.fixture
def stager(folder: Path) -> Iterator[Stager]:
    """A stager on the log."""
    with Stager(folder) as one:
        yield one


def test_an_answer_is_durable_when_the_question_is_over(folder: Path, stager: Stager) -> None:
    source = poll(stager, lambda _: ok(reading(0) + b"\nnonsense\n"))
    assert source.once() == 10.0
    figures = source.figures
    assert (figures.readings, figures.refused, figures.trouble) == (1, {Reason.UNREADABLE: 1}, "")
    assert figures.since_s is not None
    assert [row[1] for row in drained(folder)] == [Kind.DELTA, Kind.REFUSED]


def test_the_same_answer_again_is_stale_and_not_staged(folder: Path, stager: Stager) -> None:
    source = poll(stager, lambda _: ok(reading(0)))
    for _ in range(3):
        source.once()
    assert (source.figures.answers, source.figures.stale, source.figures.errors) == (3, 2, 0)
    assert len(drained(folder)) == 1


@pytest.mark.parametrize(
    ("given", "sent"),
    [({"etag": '"7"'}, {"if-none-match": '"7"'}), ({"last_modified": DATE}, {"if-modified-since": DATE})],
)
def test_a_source_that_can_tell_is_asked_only_for_what_is_new(stager: Stager, given: dict[str, str], sent: dict[str, str]) -> None:
    questions: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        questions.append(request)
        return httpx.Response(304) if len(questions) > 1 else ok(reading(0), **given)

    source = poll(stager, answer)
    source.once()
    source.once()
    assert {key: questions[1].headers[key] for key in sent} == sent
    assert source.figures.stale == 1


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (httpx.Response(500), "status 500"),
        (httpx.Response(302, headers={"location": "http://10.0.0.1/"}), "status 302"),
        (ok(b"", content_encoding="gzip"), "packed answer"),
        (ok(b"x" * ((1 << 20) + 1)), "more than 1048576 bytes"),
    ],
)
def test_what_cannot_be_used_is_told(stager: Stager, answer: httpx.Response, said: str) -> None:
    source = poll(stager, lambda _: answer, body_mb=1)
    source.once()
    assert said in source.figures.trouble
    assert (source.figures.errors, source.figures.readings) == (1, 0)


def test_what_goes_wrong_is_waited_out_longer_and_longer(stager: Stager) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if fails:
            raise httpx.ConnectError("no route", request=request)
        return ok(reading(0))

    fails = True
    source = poll(stager, answer)
    pauses = [source.once() for _ in range(8)]
    assert pauses == [20, 40, 80, 160, 320, *[LONGEST_PAUSE_S] * 3]
    assert "ConnectError: no route" in source.figures.trouble
    fails = False
    assert source.once() == 10
    assert (source.figures.errors, source.figures.in_a_row, source.figures.trouble) == (8, 0, "")


def test_an_answer_that_drips_is_given_up_in_time(stager: Stager) -> None:
    moments = iter(range(100))

    class Drip(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            while True:
                yield b" "

    source = poll(stager, lambda _: httpx.Response(200, stream=Drip()), clock=lambda: float(next(moments)))
    source.once()
    assert "no end of the answer within 5s" in source.figures.trouble


def test_what_finds_no_room_comes_again_with_the_next_answer(folder: Path) -> None:
    questions: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        questions.append(request)
        return ok(reading(0), etag='"1"')

    with Stager(folder, Bounds(files=0)) as full:
        source = poll(full, answer)
        source.once()
        source.once()
        assert (source.figures.no_room, source.figures.stale) == (2, 0)
    assert "if-none-match" not in questions[1].headers
    assert drained(folder) == []


def test_what_the_disk_refuses_is_told_and_comes_again(stager: Stager, monkeypatch: pytest.MonkeyPatch) -> None:
    source = poll(stager, lambda _: ok(reading(0)))
    with monkeypatch.context() as broken:
        broken.setattr(stager._inbox, "commit", lambda: (_ for _ in ()).throw(log.DiskRefused("disk", "full", "room")))
        source.once()
    assert "full" in source.figures.trouble
    source.once()
    assert (source.figures.readings, source.figures.errors) == (1, 1)


@pytest.mark.parametrize("scheme", ["basic", "digest"])
def test_a_source_that_asks_who_we_are_is_told_only_then(stager: Stager, tmp_path: Path, scheme: str) -> None:
    proofs: list[str] = []
    offer = {"basic": "Basic realm=x", "digest": 'Digest realm="x", nonce="n", qop="auth"'}[scheme]

    def answer(request: httpx.Request) -> httpx.Response:
        proofs.append(request.headers.get("authorization", ""))
        return ok(reading(0)) if proofs[-1] else httpx.Response(401, headers={"www-authenticate": offer})

    file = tmp_path / "password"
    file.write_text("s3cret", encoding="utf-8")
    file.chmod(0o600)
    source = poll(stager, answer, folder=tmp_path, username="root", password_file="password")
    source.once()
    assert [proof.split(" ")[0].casefold() for proof in proofs] == ["", scheme]
    assert source.figures.readings == 1
    file.unlink()
    source.once()
    assert "cannot be read" in source.figures.trouble
    assert "s3cret" not in source.figures.trouble


def test_a_token_goes_with_every_question(stager: Stager, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEED_TOKEN", "t0ken")
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["authorization"])
        return httpx.Response(403)

    source = poll(stager, answer, token_env="FEED_TOKEN")
    source.once()
    assert seen == ["Bearer t0ken"]
    assert "t0ken" not in source.figures.trouble


def test_a_reader_that_fails_leaves_the_answer_refused(folder: Path, stager: Stager) -> None:
    def fails(_: object) -> Any:
        raise RecursionError

    with pytest.raises(ValueError, match="no reader for the format shanghai"):
        poll(stager, lambda _: httpx.Response(200), format=Format.SHANGHAI)
    source = PollSource(
        asked(format=Format.SHANGHAI),
        stager,
        formats={"shanghai": fails},
        transport=httpx.MockTransport(lambda _: ok(b"<!")),
    )
    source.once()
    assert [row[10] for row in drained(folder)] == [b"<!"]


def test_a_real_server_is_asked_again_and_again_and_never_twice_at_once(folder: Path, stager: Stager) -> None:
    under_way, most, count = threading.Semaphore(1), [True], [0]

    class Feed(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            most[0] = most[0] and under_way.acquire(blocking=False)
            body = reading(count[0])
            count[0] += 1
            under_way.release()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Feed) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        source = PollSource(
            PollInput(url=f"http://127.0.0.1:{server.server_port}/", every="30s", timeout="30s", format=Format.FLOWWATCH), stager
        )
        source._every_s = 0.01
        source.start()
        until(lambda: source.figures.readings >= 5)
        source.close()
        server.shutdown()
    assert most[0]
    assert len(drained(folder)) == source.figures.readings


def test_over_https_those_are_believed_that_the_system_believes(stager: Stager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parties = Parties(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(parties.ours.file))
    with impostor(parties.right.server()) as found:
        PollSource(but(asked(), url=f"https://{HERE}:{found.port}/spots"), stager).once()
        found.visited(1)
    assert [said[:11] for said in found.heard] == [b"GET /spots "]


@pytest.mark.parametrize("stranger", STRANGERS)
def test_over_https_a_stranger_is_told_of_and_does_not_hear_the_token(
    stranger: str, stager: Stager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEED_TOKEN", "t0ken")
    parties = Parties(tmp_path)
    with impostor(parties.wrong(stranger).server()) as found:
        address = f"https://{HERE}:{found.port}/spots"
        source = PollSource(but(asked(token_env="FEED_TOKEN", tls=ClientTls(ca=str(parties.ours.file))), url=address), stager)
        source.once()
        source.once()
        found.visited()
    assert set(found.heard) == {b""}
    assert all(part in source.figures.trouble for part in (address, *parties.says(stranger)))
