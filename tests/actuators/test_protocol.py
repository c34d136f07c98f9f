"""Messages: whatever the bytes are they are read or refused, and the pages for those who build controllers say what the code does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from flowwatch.actuators import description, protocol
from flowwatch.actuators.protocol import MOST_BYTES, Ack, Command, ProtocolError, State, Status, read, read_topic, topic, write

DOCS = Path(__file__).parents[2] / "docs"
TYPES: dict[str, Any] = description.MESSAGES
ALL = [(name, example) for name, examples in description.EXAMPLES.items() for example in examples]


@pytest.mark.parametrize("name", sorted(TYPES))
def test_the_schema_files_are_current(name: str) -> None:
    kept = (description.FOLDER / f"{name}.schema.json").read_text(encoding="utf-8")
    assert kept == description.DESCRIBED.schema(name), "run `python -m flowwatch.actuators.description`"


def test_the_asyncapi_document_is_current_and_its_references_lead_somewhere() -> None:
    text = description.ASYNCAPI.read_text(encoding="utf-8")
    assert text == description.asyncapi(), "run `python -m flowwatch.actuators.description`"
    document = yaml.safe_load(text)
    for ref in re.findall(r"\$ref: ['\"]?#/([^'\"\s]+)", text):
        found = document
        for part in ref.split("/"):
            found = found[part]
    addresses = {c["address"].replace("{kind}/{id}", "gate/gate-3").replace("{site}", "yuyuan") for c in document["channels"].values()}
    assert addresses == {topic("yuyuan", "gate/gate-3", leaf) for leaf in ("cmd", "cmd/ack", "state")} | {protocol.STATUS_TOPIC}


@pytest.mark.parametrize(("name", "example"), ALL)
def test_every_example_is_read_and_written_again(name: str, example: dict[str, Any]) -> None:
    message = read(TYPES[name], json.dumps(example).encode())
    assert read(TYPES[name], write(message)) == message


def test_the_examples_of_the_page_are_those_of_the_schemas() -> None:
    page = (DOCS / "gate-protocol.md").read_text(encoding="utf-8")
    blocks = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", page, re.DOTALL)]
    assert blocks == [description.EXAMPLES["command"][0], description.EXAMPLES["state"][0]]
    for outcome in protocol.Outcome:
        assert f"| `{outcome}` |" in page
    for number in (protocol.ATTEMPT_LIVES_S, protocol.STATE_EVERY_S, protocol.LOST_AFTER_S, protocol.KEEPALIVE_S):
        assert f"{number} s" in page


@given(st.sampled_from(sorted(TYPES)), st.binary(max_size=300))
def test_any_bytes_are_read_or_refused_with_the_one_error(name: str, data: bytes) -> None:
    try:
        read(TYPES[name], data)
    except ProtocolError:
        return


@given(st.sampled_from(ALL), st.randoms(use_true_random=False))
def test_a_spoiled_message_is_read_or_refused_with_the_one_error(chosen: tuple[str, dict[str, Any]], dice: Any) -> None:
    name, example = chosen
    odd: list[Any] = [
        None,
        -1,
        2**70,
        1e400,
        "",
        "x" * 5000,
        [],
        {},
        True,
        "in\x00",
        "2026-13-40T00:00:00Z",
        "wave " + "in 1s " * 2000,
        [[["a"]]],
    ]
    spoiled = {**example, dice.choice(sorted(example)): dice.choice(odd)}
    try:
        message = read(TYPES[name], json.dumps(spoiled).encode())
    except ProtocolError:
        return
    else:
        assert read(TYPES[name], write(message)) == message


def test_what_is_too_large_or_too_deep_is_refused() -> None:
    with pytest.raises(ProtocolError, match="expected at most"):
        read(State, b" " * (MOST_BYTES + 1))
    with pytest.raises(ProtocolError):
        read(State, b'{"x":' + b"[" * (MOST_BYTES - 10))


@pytest.mark.parametrize(
    ("device", "setting"),
    [("gate/a", "ajar"), ("barrier/a", "in"), ("link/a", "out"), ("sign/a", "in"), ("door/a", "in"), ("gate/a/b", "in"), ("gate/+", "in")],
)
def test_a_device_has_only_settings_of_its_kind(device: str, setting: str) -> None:
    with pytest.raises(ProtocolError):
        read(State, json.dumps({"v": 1, "device": device, "link": "up", "setting": setting}).encode())


def test_topics_are_read_back_and_others_are_not() -> None:
    for leaf in ("cmd", "cmd/ack", "state"):
        assert read_topic(topic("yuyuan", "gate/gate-3", leaf)) == ("yuyuan", "gate/gate-3", leaf)
    for name in ("flowwatch/v1/yuyuan/gate/gate-3/count", "flowwatch/v1/service/status", "flowwatch/v1/a/b/gate/c/cmd", ""):
        assert read_topic(name) is None


def test_a_later_version_may_say_more_but_not_something_else() -> None:
    more = {"v": 1, "generation": 3, "state": "up", "region": "east"}
    assert read(Status, json.dumps(more).encode()).generation == 3
    with pytest.raises(ProtocolError):
        read(Status, json.dumps(more | {"v": 2}).encode())


def test_messages_are_frozen() -> None:
    for cls in (Command, Ack, State, Status):
        assert cls.__struct_config__.frozen
    assert isinstance(msgspec.json.schema(Command), dict)
