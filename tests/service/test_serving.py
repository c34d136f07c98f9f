"""The service as a process: started by its command, killed, stopped; and the pages that show how to ask it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from flowwatch import log
from flowwatch.cli.exits import Exit
from flowwatch.core.engine import Engine
from flowwatch.journal import Journal
from tests.cli.conftest import Invoke, invoke, objects
from tests.feed.receiver import Receiver, receiving
from tests.servers import WAIT_S
from tests.service.place import PASSWORD, START, document
from tests.service.test_readings import lines, reading

__all__ = ["invoke"]
DOCS = Path(__file__).parents[2] / "docs"
pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A live log with the site yuyuan."""
    log.create(tmp_path / "data" / "log", clock="wall", partitions=1)
    with log.Writer.open(tmp_path / "data" / "log") as writer:
        writer.append_document(document("yuyuan"), START)
    return tmp_path / "data"


@contextmanager
def serving(folder: Path, *more: str | Path, listen: str = "127.0.0.1:0") -> Iterator[tuple[subprocess.Popen[str], str, list[str]]]:
    """The process, its address, and what it said before that."""
    command = [sys.executable, "-m", "flowwatch", "serve", "--data", str(folder), "--listen", listen, *map(str, more)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            said: list[str] = []
            for line in process.stderr:
                said.append(line)
                if line.startswith("serving "):
                    break
            assert said, process.wait()
            assert said[-1].startswith("serving "), said
            yield process, said[-1].split()[1], said
        finally:
            process.kill()


def token_of(invoke: Invoke, folder: Path, *more: str) -> dict[str, str]:
    (made,) = objects(invoke("token", "add", "test", "--scope", "readings:write", "--json", "--data", folder, *more))
    return {"authorization": f"Bearer {made['token']}", "content-type": "application/x-ndjson"}


def rows(folder: Path) -> list[dict[str, Any]]:
    with log.Writer.open(folder / "log") as writer:
        writer.drain()
    return [row for row in log.cat(folder / "log") if row["kind"] == "delta"]


def test_what_was_answered_202_outlives_a_kill_and_a_repetition_with_the_key_counts_once(folder: Path, invoke: Invoke) -> None:
    token, key = token_of(invoke, folder), {"idempotency-key": "k-1"}
    body = lines(*(reading(n) for n in range(50)))
    with serving(folder) as (process, address, _), httpx.Client(base_url=address, timeout=WAIT_S) as client:
        first = client.post("/v1/readings", content=body, headers=token | key)
        assert first.status_code == 202
        for number in range(20):
            assert client.post("/v1/readings", content=lines(reading(100 + number)), headers=token).status_code == 202
        process.kill()
        process.wait()
    with serving(folder) as (process, address, _), httpx.Client(base_url=address, timeout=WAIT_S) as client:
        again = client.post("/v1/readings", content=body, headers=token | key)
        assert (again.status_code, again.json()) == (202, first.json())
        process.send_signal(signal.SIGTERM)
        assert process.wait(WAIT_S) == Exit.OK
    found = rows(folder)
    assert len(found) == 70
    assert len({(row["counter"], row["at"], row["ordinal"]) for row in found}) == 70


def test_it_stops_cleanly_and_finishes_what_it_began(folder: Path, invoke: Invoke) -> None:
    token = token_of(invoke, folder)
    with serving(folder) as (process, address, said), httpx.Client(base_url=address, timeout=WAIT_S) as client:
        assert any("nobody can log in yet" in line for line in said)
        assert client.post("/v1/readings", content=lines(reading(1)), headers=token).status_code == 202
        process.send_signal(signal.SIGINT)
        assert process.wait(WAIT_S) == Exit.OK
        assert process.stderr is not None
        told = process.stderr.read()
    assert "POST /v1/readings 202, 1 times" in told
    assert token["authorization"].split()[1] not in told
    assert len(rows(folder)) == 1


def test_an_open_address_without_tls_is_warned_of(folder: Path) -> None:
    with serving(folder, listen="0.0.0.0:0") as (_, _, said):
        assert any("without TLS" in line for line in said)


def test_tls_by_files(folder: Path, tmp_path: Path, invoke: Invoke) -> None:
    certificate, key = self_signed(tmp_path)
    invoke("user", "add", "wang", "--role", "admin", "--password-file", secret(tmp_path), "--data", folder)
    with serving(folder, "--tls-certificate", certificate, "--tls-key", key) as (_, address, said):
        assert address.startswith("https://")
        assert not any("warning" in line for line in said)
        trusted = ssl.create_default_context(cafile=str(certificate))
        with httpx.Client(base_url=address.replace("127.0.0.1", "localhost"), timeout=WAIT_S, verify=trusted) as client:
            answer = client.post("/v1/session", json={"name": "wang", "password": PASSWORD})
            assert answer.status_code == 201
            assert answer.headers["set-cookie"].startswith("__Host-")
            assert client.get("/v1/users").status_code == 200


def self_signed(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(private)
    return folder / "cert.pem", folder / "key.pem"


def secret(folder: Path) -> Path:
    file = folder / "password"
    file.write_text(PASSWORD + "\n")
    return file


def test_people_and_tokens_by_command(folder: Path, tmp_path: Path, invoke: Invoke) -> None:
    data = ("--data", folder)
    refused = invoke("user", "add", "wang", "--role", "admin", *data, code=Exit.USAGE)
    assert "--password-file" in refused.output
    assert "no such option" in invoke("user", "add", "wang", "--role", "admin", "--password", "x", *data, code=Exit.USAGE).output.lower()
    invoke(
        "user", "add", "wang", "--role", "operator", "--role", "planner", "--area", "huangpu", "--password-file", secret(tmp_path), *data
    )
    (told,) = objects(invoke("user", "list", "--json", *data))
    assert told["grants"] == [{"role": "operator", "area": "huangpu"}, {"role": "planner", "area": "huangpu"}]
    assert 'did you mean "wang"' in invoke("user", "remove", "wan", *data, code=Exit.USAGE).output
    (tmp_path / "password").write_text("short")
    assert "12 to" in invoke("user", "password", "wang", "--password-file", tmp_path / "password", *data, code=Exit.USAGE).output
    invoke("user", "password", "wang", "--password-file", "-", *data, data=b"another good password\n")
    invoke("user", "remove", "wang", *data)
    assert objects(invoke("user", "list", "--json", *data)) == []
    (made,) = objects(invoke("token", "add", "panel", "--scope", "fire:write", "--site", "yuyuan", "--json", *data))
    assert made["token"] not in invoke("token", "list", *data).output
    invoke("token", "revoke", made["id"], *data)
    (listed,) = objects(invoke("token", "list", "--json", *data))
    assert (listed["id"], listed["state"]) == (made["id"], "revoked")


def blocks(page: str) -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```$", (DOCS / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_examples_of_the_page_work(folder: Path, tmp_path: Path, invoke: Invoke) -> None:
    invoke("user", "add", "wang", "--role", "admin", "--role", "supervisor", "--password-file", secret(tmp_path), "--data", folder)
    token = token_of(invoke, folder, "--site", "yuyuan")["authorization"].split()[1]
    for _ in range(2):
        decide(folder)
    (tmp_path / "here.yaml").write_text("deployment: here\nfeeds: {webhooks: {allow: [127.0.0.0/8]}}\n")
    with receiving(Receiver()) as receiver, serving(folder, "--deployment", tmp_path / "here.yaml") as (_, address, _):
        variables = {"FLOWWATCH": address, "TOKEN": token, "JAR": str(tmp_path / "jar"), "PASSWORD": PASSWORD, "RECEIVER": receiver.url()}
        script = "set -eu\n" + "\necho\necho '--'\n".join(part.replace("2026-10-01T", "2036-10-01T") for part in blocks("api.md"))
        done = subprocess.run(
            ["bash", "-c", script], env=os.environ | variables, capture_output=True, text=True, timeout=4 * WAIT_S, check=False
        )
    assert done.returncode == 0, (done.stdout, done.stderr)
    taken = json.loads(done.stdout.splitlines()[0])
    assert taken == {"accepted": 2, "refused": {}, "examples": []}
    assert '"setting":"both"' in done.stdout
    assert "方案版本" in done.stdout
    assert '"replayed":' in done.stdout


def decide(folder: Path) -> None:
    """A tick, and what the engine says to it."""
    with log.Writer.open(folder / "log") as writer:
        writer.tick(max(writer.last_tick_us, START) + 1_000_000)
    engine = Engine("p00")
    with Journal.open(folder / "journal.db") as journal, log.Reader(folder / "log", "p00") as reader:
        for chunk in reader.read(0):
            out = engine.feed(log.blocks(chunk))
            journal.append(out.entries, out.estimates)
