"""What a deployment file names is connected: the broker of zone states, and Alertmanagers."""

from __future__ import annotations

import time
from pathlib import Path

from flowwatch import log
from flowwatch.core.entries import Estimate, canonical
from flowwatch.documents.deployment import load_deployment
from flowwatch.feed.zone_messages import STATUS_TOPIC, topic
from flowwatch.journal import Journal
from flowwatch.service.installation import installation
from flowwatch.workspace import Workspace
from tests.feed.test_alertmanager import ROUTES, Pager, active, has, ready
from tests.feed.test_zone_states import Listener
from tests.handling.tale import Tale
from tests.safety.made import site
from tests.servers import Alertmanager, Mosquitto

DEPLOYMENT = """
deployment: here
public_url: https://flowwatch.example.cn
brokers: {{main: {{host: 127.0.0.1, port: {broker}, client: fw}}}}
feeds:
  mqtt: {{broker: main}}
  alertmanager: [{{url: "{alertmanager}"}}]
"""


def test_a_service_tells_broker_and_alertmanager_of_its_deployment(tmp_path: Path) -> None:
    workspace, file, pager = Workspace(tmp_path / "w"), tmp_path / "here.yaml", Pager()
    log.create(workspace.log, partitions=1)
    with log.Writer.open(workspace.log) as writer:
        writer.append_document(canonical(site(site="yuyuan")), 1)
        writer.commit()
    figures = {"inside_m": 5000, "known": True, "lower_m": 5000, "upper_m": 5000, "raw_m": 0, "in": 0, "out": 0, "silent": []}
    tale = Tale()
    tale.says("i1", "raised", 1)
    tale.write(workspace.journal)
    with Journal.open(workspace.journal) as journal:
        journal.append([], [Estimate("yuyuan", time.time_ns() // 1000, canonical({"stage": None, "zones": {"mall": figures}}))])
    with Mosquitto(tmp_path) as broker, Alertmanager(tmp_path, ROUTES.format(port=pager.port)) as there:
        ready(there)
        file.write_text(DEPLOYMENT.format(broker=broker.port, alertmanager=there.url), encoding="utf-8")
        heard = Listener(broker.port)
        with installation(workspace, load_deployment(file), tmp_path):
            heard.people(5, topic("yuyuan", "mall"))
            has(there, "i1")
            assert active(there)["yuyuan-i1"]["labels"]["deployment"] == "here"
        heard.until(lambda: heard.last(STATUS_TOPIC) == {"v": 1, "state": "lost"})
        assert b"as fw-feed" in (tmp_path / "mosquitto.log").read_bytes()
        heard.close()
    pager.close()
