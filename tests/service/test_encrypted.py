"""What a deployment file says of TLS, in a service that is started with it: everything that it connects to, with its authority and certificate."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from flowwatch.cli.exits import Exit
from flowwatch.documents.deployment import load_deployment
from flowwatch.service.installation import _certificates
from tests.encrypted import HERE, Parties, impostor
from tests.inputs.test_mqtt import until
from tests.servers import Mosquitto, free_port
from tests.service.test_serving import folder, serving

__all__ = ["folder"]
pytestmark = pytest.mark.slow
ALL = """\
deployment: here
brokers:
  main: {{host: {host}, port: {broker}, client: fw, tls: {tls}}}
inputs:
  mqtt: [{{broker: main, topic: "flowwatch/v1/+/count/+", format: flowwatch}}]
  poll: [{{url: "https://{host}:{other}/poll", every: 60s, timeout: 1s, format: flowwatch, tls: {tls}}}]
actuators:
  yuyuan: {{via: mqtt, broker: main}}
  yuyuan/gate/gate-1: {{via: http, url: "https://{host}:{other}/gate", tls: {tls}}}
feeds:
  mqtt: {{broker: main}}
  alertmanager: [{{url: "https://{host}:{other}", tls: {tls}}}]
"""


@pytest.fixture
def parties(tmp_path: Path) -> Parties:
    return Parties(tmp_path)


def written(place: Path, parties: Parties, broker: int, other: int) -> Path:
    """A deployment file that names one authority and one certificate everywhere."""
    ours = parties.ours.shows("flowwatch")
    files = {"ca": parties.ours.file, "certificate": ours.certificate, "key": ours.key}
    tls = ", ".join(f"{key}: {file.relative_to(place)}" for key, file in files.items())
    (place / "here.yaml").write_text(ALL.format(host=HERE, broker=broker, other=other, tls=f"{{{tls}}}"), encoding="utf-8")
    return place / "here.yaml"


def test_inputs_commands_and_feed_show_the_certificate_of_the_file_to_the_broker(folder: Path, tmp_path: Path, parties: Parties) -> None:
    port, log = free_port(), tmp_path / "mosquitto.log"
    with (
        Mosquitto(tmp_path, parties.right.listener(port, parties.ours.file)),
        impostor(None) as other,
        serving(folder, "--deployment", written(tmp_path, parties, port, other.port)),
    ):
        for part in ("in", "out", "feed"):
            until(lambda part=part: f"as fw-{part} (" in log.read_text(encoding="utf-8"))  # type: ignore[misc]
    known = [line for line in log.read_text(encoding="utf-8").splitlines() if "New client connected" in line]
    assert len(known) == 3
    assert all("u'flowwatch'" in line for line in known)


def test_addresses_see_the_certificate_of_the_file(folder: Path, tmp_path: Path, parties: Parties) -> None:
    with (
        impostor(parties.right.server(parties.ours.file)) as other,
        serving(folder, "--deployment", written(tmp_path, parties, free_port(), other.port)),
    ):
        other.until(lambda: {said.split()[1] for said in other.heard} == {b"/poll", b"/api/v2/alerts", b"/gate"})


def test_a_file_that_is_not_there_is_named_and_nothing_is_started(folder: Path, tmp_path: Path, parties: Parties) -> None:
    file = written(tmp_path, parties, free_port(), free_port())
    parties.ours.file.unlink()
    command = [sys.executable, "-m", "flowwatch", "serve", "--data", str(folder), "--listen", f"{HERE}:0", "--deployment", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == Exit.USAGE
    assert f"flowwatch: {parties.ours.file}: cannot be read (no such file or directory), expected certificates in PEM" in done.stderr


def test_the_end_of_every_certificate_of_the_file_is_watched(tmp_path: Path, parties: Parties) -> None:
    said = load_deployment(written(tmp_path, parties, 8883, 443))
    assert sorted(_certificates(said, tmp_path)) == ["actuator/yuyuan/gate/gate-1", "alertmanager/1", "broker/main", "poll/1"]
