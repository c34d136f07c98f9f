"""The deployment file: all faults at once with their places, names of sites that exist, and no secret in it or in what is said of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from flowwatch.documents import DocumentErrors, shipped
from flowwatch.documents.deployment import Deployment, Format, deployment_notes, load_deployment
from flowwatch.documents.secrets import SecretError, secret
from tests.documents.test_language import structs

ROOT = Path(__file__).resolve().parents[2]
SITES = sorted((ROOT / "config" / "sites").glob("*.yaml"))
EVERYTHING = """\
deployment: hall
listen: "[::1]:443"
tls: {certificate: c.pem, key: k.pem}
proxies: [10.0.0.0/24, "::1"]
limits: {body_mb: 1, requests_per_min: 5, readings_per_s: 10, waiting_rows: 1000, waiting_mb: 1, inbox_files: 10, inbox_mb: 1}
brokers:
  main: {host: broker.example, client: hall, username: u, password_env: HALL_PASSWORD, tls: {}, keepalive: 10s, session: 1h, in_flight: 7}
  other: {host: 10.0.0.1, port: 1884, client: hall}
inputs:
  mqtt:
    - {broker: main, topic: "$share/f/flowwatch/v1/+/count/#", format: flowwatch}
    - {broker: other, topic: plc/alarm, format: fire, site: yuyuan}
    - {broker: main, topic: flowwatch/v1/yuyuan/fire, format: fire}
  poll:
    - {url: "https://feed.example/spots?all=1", every: 60s, format: shanghai, timeout: 5s, body_mb: 2, token_file: t, tls: {ca: ca.pem}}
    - {url: "http://10.0.0.9/count", every: 10s, format: axis, username: root, password_file: p}
devices:
  - {device: "44:19:b6:00:00:01/1", counter: yuyuan/turnstile-1, swap: true, zone: Asia/Shanghai, direction: in}
actuators:
  yuyuan: {via: mqtt, broker: main}
  yuyuan/gate/gate-3: {via: http, url: "https://gate.example/cmd", token_env: GATE_TOKEN, tls: {certificate: c, key: k}}
  yuyuan/sign/board-fuyou: {via: http, url: "http://10.0.0.2/{kind}/{id}"}
areas: {yuyuan: huangpu/yuyuan}
public_url: https://flowwatch.example
alarms:
  clocks:
    I: {acknowledge: 30s, dispatch: 60s, arrive: 5m, handle: 10m}
    II: {acknowledge: 1m, dispatch: 2m, arrive: 5m, handle: 10m}
    III: {acknowledge: 1m, dispatch: 2m, arrive: 5m, handle: 10m}
    IV: {acknowledge: 1m, dispatch: 2m, arrive: 5m, handle: 10m}
  duties: [operator, officer_in_charge]
  priorities: {gate_lost: I, case_active: notice}
  operators: 3
  returns_within: 5m
  flood_from: 8
  flood_until: 4
feeds:
  cap: {sender: control@hall.example, code: 31010100000000}
  mqtt: {broker: main}
  alertmanager:
    - {url: "https://am.example", token_env: AM_TOKEN, tls: {}}
    - {url: "http://10.0.0.3:9093", token_file: t}
  webhooks: {allow: [10.0.0.0/8]}
"""


def write(folder: Path, text: str) -> Path:
    file = folder / "hall.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def faults(folder: Path, text: str) -> list[str]:
    """What is said of a deployment file, without the file's name."""
    with pytest.raises(DocumentErrors) as caught:
        load_deployment(write(folder, text), SITES)
    return [str(fault).removeprefix(f"{folder / 'hall.yaml'}:") for fault in caught.value.faults]


def test_the_shipped_deployments_fit_the_shipped_sites() -> None:
    files = sorted((shipped() / "config" / "deployments").glob("*.yaml"))
    assert [load_deployment(file, SITES).deployment for file in files] == [file.stem for file in files] != []


def test_every_key_is_read_as_msgspec_itself_would_read_it(tmp_path: Path) -> None:
    value = load_deployment(write(tmp_path, EVERYTHING), SITES)
    assert msgspec.convert(msgspec.to_builtins(value), Deployment) == value
    named = {part.encode_name for struct in structs(msgspec.inspect.type_info(Deployment)).values() for part in struct.fields}
    assert sorted(key for key in named if not re.search(rf"\b{key}:", EVERYTHING)) == []


def test_what_is_left_out_has_its_value(tmp_path: Path) -> None:
    value = load_deployment(write(tmp_path, "deployment: hall\n"), SITES)
    assert (value.listen, value.limits.body_mb, value.brokers, value.inputs.mqtt) == ("127.0.0.1:8470", 16, {}, [])


def test_the_nearer_wire_counts(tmp_path: Path) -> None:
    value = load_deployment(write(tmp_path, EVERYTHING), SITES)
    near, far = value.actuator("yuyuan", "gate", "gate-3"), value.actuator("yuyuan", "gate", "gate-4")
    sign = value.actuator("yuyuan", "sign", "board-fuyou")
    assert near is not None
    assert far is not None
    assert sign is not None
    assert (near.via, far.via, value.actuator("bund", "gate", "gate-4")) == ("http", "mqtt", None)
    assert sign.url_of("sign", "board-fuyou") == "http://10.0.0.2/sign/board-fuyou"
    assert [broker.port_number for broker in value.brokers.values()] == [8883, 1884]


def test_all_faults_of_a_file_come_at_once(tmp_path: Path) -> None:
    text = """\
deployment: hall
listen: "8470"
lsten: x
proxies: [10.0.0.300]
brokers:
  main: {host: h, client: c, password: 12345}
  twin: {host: h, client: c, password_env: secret-in-the-wrong-place}
inputs:
  mqtt:
    - {broker: mian, topic: "a/#/b", format: flowatch}
    - {broker: main, topic: "a/b", format: fire}
    - {broker: main, topic: "$share/f/flowwatch/v1/+/fire", format: fire, site: yuyuan}
    - {broker: main, topic: "a/b", format: onvif, site: yuyan}
  poll:
    - {url: "http://admin:12345@10.0.0.9/", every: 5s, format: fire, tls: {key: k}}
devices:
  - {device: a, counter: yuyuan/turnstle-1}
  - {device: a, counter: yuyuan/turnstile-2}
  - {device: b, counter: yuyuan/turnstile-2}
actuators:
  yuyuan: {via: http, url: "http://x/"}
  yuyuan/gate/gate-33: {via: mqtt, url: "http://x/"}
  yuyuan/tank/gate-3: {via: mqtt, broker: main}
areas: {yuyan: "huangpu/"}
"""
    found = faults(tmp_path, text)
    assert "12345" not in "".join(found)
    assert "wrong-place" not in "".join(found)
    places = [" ".join(fault.split(": ")[:2]) for fault in found]
    assert places == [
        "2:9 listen",
        "3:1 lsten",
        "4:11 proxies[0]",
        "6:30 brokers.main.password",
        "7:27 brokers.twin.client",
        "7:44 brokers.twin.password_env",
        "7:44 brokers.twin.password_env",
        "10:16 inputs.mqtt[0].broker",
        "10:29 inputs.mqtt[0].topic",
        "10:46 inputs.mqtt[0].format",
        "11:7 inputs.mqtt[1].site",
        "12:29 inputs.mqtt[2].topic",
        "12:81 inputs.mqtt[2].site",
        "13:57 inputs.mqtt[3].site",
        "13:57 inputs.mqtt[3].site",
        "15:13 inputs.poll[0].url",
        "15:64 inputs.poll[0].format",
        "15:81 inputs.poll[0].tls.key",
        "17:26 devices[0].counter",
        "22:3 actuators.yuyuan/gate/gate-33",
        "22:24 actuators.yuyuan/gate/gate-33.broker",
        "22:41 actuators.yuyuan/gate/gate-33.url",
        "23:3 actuators.yuyuan/tank/gate-3",
        "24:9 areas.yuyan",
        "24:16 areas.yuyan",
    ]
    said = dict(zip(places, found, strict=True))
    assert said["6:30 brokers.main.password"].endswith(
        'found the key "password", expected password_file or password_env: '
        "a secret never stands in this file, which is copied, printed and kept in version control"
    )
    assert 'found "http://…@10.0.0.9/"' in said["15:13 inputs.poll[0].url"]
    assert said["17:26 devices[0].counter"].endswith('did you mean "yuyuan/turnstile-1"?')
    assert said["22:3 actuators.yuyuan/gate/gate-33"].endswith('did you mean "yuyuan/gate/gate-3"?')


def test_two_of_what_must_be_one_are_told(tmp_path: Path) -> None:
    text = """\
deployment: hall
brokers:
  main: {host: h, client: c}
  twin: {host: h, port: 1883, client: c}
inputs:
  mqtt:
    - {broker: main, topic: a/b, format: onvif}
    - {broker: main, topic: a/b, format: xovis}
devices:
  - {device: a, counter: yuyuan/turnstile-1}
  - {device: a, counter: yuyuan/turnstile-2}
  - {device: b, counter: yuyuan/turnstile-1}
"""
    found = faults(tmp_path, text)
    assert [fault.split(": ")[1] for fault in found] == [
        "brokers.twin.client",
        "inputs.mqtt[1].topic",
        "devices[1].device",
        "devices[2].counter",
    ]


def test_names_are_not_asked_for_without_site_files(tmp_path: Path) -> None:
    text = "deployment: hall\ndevices:\n  - {device: a, counter: nowhere/turnstile-1}\n"
    assert load_deployment(write(tmp_path, text)).devices[0].counter == "nowhere/turnstile-1"
    broken = tmp_path / "broken.yaml"
    broken.write_text("site: [", encoding="utf-8")
    assert load_deployment(write(tmp_path, text), [*SITES, broken]).deployment == "hall"


def test_what_crosses_a_network_in_the_clear_is_noted(tmp_path: Path) -> None:
    text = """\
deployment: hall
listen: "0.0.0.0:80"
brokers: {main: {host: 10.0.0.1, client: c}}
actuators: {yuyuan/gate/gate-1: {via: http, url: "http://10.0.0.2/x"}}
"""
    notes = "\n".join(deployment_notes(load_deployment(write(tmp_path, text), SITES)))
    assert re.search(r"listen.*\n.*10.0.0.1 without tls.*\n.*neither.*\n.*over http", notes)
    assert deployment_notes(load_deployment(write(tmp_path, "deployment: hall\n"), SITES)) == []


def test_an_alertmanager_that_is_told_in_the_clear_is_noted_with_what_can_be_read(tmp_path: Path) -> None:
    text = """\
deployment: hall
feeds:
  alertmanager:
    - {url: "http://10.0.0.3:9093"}
    - {url: "http://10.0.0.4:9093", token_env: TOKEN}
    - {url: "http://127.0.0.1:9093", token_env: TOKEN}
    - {url: "https://alerts.example.cn", token_env: TOKEN}
"""
    told = "is told over http: whoever is on that network can read what is open"
    assert deployment_notes(load_deployment(write(tmp_path, text), SITES)) == [
        f"Alertmanager 10.0.0.3:9093 {told}",
        f"Alertmanager 10.0.0.4:9093 {told}, and the token",
    ]


def test_a_secret_is_the_first_line_of_a_file_or_a_variable(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("  s3cret pass\r\nsecond line\n", encoding="utf-8")
    file.chmod(0o640)
    assert secret("password", msgspec.UNSET, tmp_path) == "  s3cret pass"
    assert secret(msgspec.UNSET, "P", tmp_path, {"P": "x"}) == "x"
    assert secret(msgspec.UNSET, msgspec.UNSET, tmp_path) is None


@pytest.mark.parametrize(
    ("content", "mode", "said"), [("s3cret", 0o644, "anybody"), ("\ns3cret", 0o600, "no secret"), (None, 0, "cannot be read")]
)
def test_a_secret_that_cannot_be_had_is_told_without_it(tmp_path: Path, content: str | None, mode: int, said: str) -> None:
    file = tmp_path / "password"
    if content is not None:
        file.write_text(content, encoding="utf-8")
        file.chmod(mode)
    with pytest.raises(SecretError, match=said) as caught:
        secret("password", msgspec.UNSET, tmp_path)
    assert "s3cret" not in str(caught.value)
    with pytest.raises(SecretError, match="NOT_SET"):
        secret(msgspec.UNSET, "NOT_SET", tmp_path, {})


def test_a_later_clock_is_not_due_before_an_earlier_one(tmp_path: Path) -> None:
    text = "deployment: hall\nalarms: {clocks: {I: {acknowledge: 2m, dispatch: 1m, arrive: 5m, handle: 10m}}}\n"
    assert faults(tmp_path, text) == ["2:50: alarms.clocks.I.dispatch: found dispatch 1m before acknowledge 2m, expected no earlier one"]


def test_a_flood_ends_below_where_it_begins(tmp_path: Path) -> None:
    text = "deployment: hall\nalarms: {flood_from: 4, flood_until: 5}\n"
    assert faults(tmp_path, text) == ["2:38: alarms.flood_until: found 5, expected at most flood_from (4)"]


def test_a_priority_is_of_a_kind_of_incident_that_there_is(tmp_path: Path) -> None:
    text = "deployment: hall\nalarms: {priorities: {gate_lots: I}}\n"
    assert "a kind of incident: stage, counter_silent" in faults(tmp_path, text)[0]


@pytest.mark.parametrize("cls", [Deployment])
def test_the_page_explains_every_key_and_format(cls: type[Any]) -> None:
    page = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
    keys = {part.encode_name for struct in structs(msgspec.inspect.type_info(cls)).values() for part in struct.fields}
    assert sorted(key for key in [*keys, *Format] if f"`{key}`" not in page) == []
