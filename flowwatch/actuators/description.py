"""The protocol for those who build a controller: JSON Schemas and an AsyncAPI 3 document, made from the types that the service runs on.

`python -m flowwatch.actuators.description` writes them anew; a test keeps them current.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from flowwatch.actuators import protocol
from flowwatch.actuators.protocol import ATTEMPT_LIVES_S, ROOT, STATUS_TOPIC, Ack, Command, State, Status
from flowwatch.described import Described

FOLDER: Final = Path(__file__).parents[2] / "docs" / "gate-protocol"
ASYNCAPI: Final = Path(__file__).parents[2] / "docs" / "gate-protocol.asyncapi.yaml"
MESSAGES: Final[dict[str, type[Any]]] = {"command": Command, "ack": Ack, "state": State, "status": Status}
EXAMPLES: Final[dict[str, list[dict[str, Any]]]] = {
    "command": [
        {
            "v": 1, "command": "yuyuan-41", "site": "yuyuan", "device": "gate/gate-3", "setting": "out", "may_enter": False, "may_leave": True,
            "per_min": None, "phases": None, "text": None, "revision": 24, "attempt": 1, "generation": 7, "not_before": None,
            "expires": "2026-10-01T14:04:00.250000+08:00", "on_lost": "out", "drill": False, "fire": False, "reason": "stage",
            "sent": "2026-10-01T14:03:00.250000+08:00",
        },
        {
            "v": 1, "command": "yuyuan-57", "site": "yuyuan", "device": "gate/gate-5", "setting": "wave in 50s hold 10s out 110s",
            "may_enter": True, "may_leave": True, "phases": [["in", 50], ["hold", 10], ["out", 110]], "revision": 30, "attempt": 2,
            "generation": 7, "expires": "2026-10-01T15:01:00Z", "on_lost": "out", "sent": "2026-10-01T15:00:00Z",
        },
        {
            "v": 1, "command": "yuyuan-60", "site": "yuyuan", "device": "sign/north", "setting": None,
            "text": {"zh": "请从五号口离开", "en": "Please leave by gate 5"}, "revision": 4, "attempt": 1, "generation": 7,
            "expires": "2026-10-01T15:02:00Z", "sent": "2026-10-01T15:01:00Z",
        },
    ],
    "ack": [
        {
            "v": 1, "command": "yuyuan-41", "device": "gate/gate-3", "revision": 24, "attempt": 1, "outcome": "done", "why": None,
            "at": "2026-10-01T14:03:03+08:00",
        },
        {
            "v": 1, "command": "yuyuan-41", "device": "gate/gate-3", "revision": 24, "attempt": 1, "outcome": "refused",
            "why": "key switch is on local", "at": "2026-10-01T14:03:01+08:00",
        },
    ],
    "state": [
        {
            "v": 1, "device": "gate/gate-3", "link": "up", "setting": "out", "revision": 24, "attempt": 1, "generation": 7,
            "command": "yuyuan-41", "by": "command", "on_lost": "out", "fault": None, "passed": {"in": 0, "out": 31},
            "at": "2026-10-01T14:03:30+08:00",
        },
        {"v": 1, "device": "gate/gate-3", "link": "lost"},
    ],
    "status": [{"v": 1, "generation": 7, "state": "up"}],
}  # fmt: skip
"""What the page and the AsyncAPI document show; a test reads each as the service and a controller would."""


DESCRIBED: Final = Described(FOLDER, ASYNCAPI, MESSAGES, EXAMPLES)


def asyncapi() -> str:
    """The AsyncAPI 3 document, as its file has it: what a controller hears and says."""
    device = f"{ROOT}/{{site}}/{{kind}}/{{id}}"
    parameters = {
        "site": {"description": "the site, as its file names it"},
        "kind": {"description": "the kind of device", "enum": list(protocol.KINDS)},
        "id": {"description": "the device, as the site file names it"},
    }
    retained = {"mqtt": {"qos": 1, "retain": True, "bindingVersion": "0.2.0"}}
    once = {"mqtt": {"qos": 1, "retain": False, "messageExpiryInterval": ATTEMPT_LIVES_S, "bindingVersion": "0.2.0"}}
    acked = {"mqtt": {"qos": 1, "retain": False, "bindingVersion": "0.2.0"}}
    info = {
        "title": "flowwatch gate protocol",
        "version": f"{protocol.VERSION}.0.0",
        "description": "What a controller of gates, barriers, links or signs hears from flowwatch and says to it, over MQTT 5. "
        "docs/gate-protocol.md explains it.",
    }
    channels = {
        "command": _channel(f"{device}/cmd", "command", parameters),
        "ack": _channel(f"{device}/cmd/ack", "ack", parameters),
        "state": _channel(f"{device}/state", "state", parameters),
        "status": _channel(STATUS_TOPIC, "status", None),
    }
    operations = {
        "obey": _operation("receive", "command", "Be as the command says, or say why not.", once)
        | {"reply": {"channel": {"$ref": "#/channels/ack"}}},
        "answer": _operation("send", "ack", "What became of an attempt.", acked),
        "tellState": _operation(
            "send", "state", "On every change, every 30 s, on connecting, and for every status; also the will.", retained
        ),
        "watchService": _operation("receive", "status", "Whether the service lives; answer with the state.", retained),
    }
    answered = {"correlationId": {"location": "$message.payload#/command"}}
    return DESCRIBED.document(info, channels, operations, dict.fromkeys(("command", "ack"), answered))


def _channel(address: str, message: str, parameters: dict[str, Any] | None) -> dict[str, Any]:
    made: dict[str, Any] = {"address": address, "messages": {message: {"$ref": f"#/components/messages/{message}"}}}
    return made if parameters is None else made | {"parameters": parameters}


def _operation(action: str, channel: str, summary: str, bindings: dict[str, Any]) -> dict[str, Any]:
    messages = [{"$ref": f"#/channels/{channel}/messages/{channel}"}]
    return {"action": action, "channel": {"$ref": f"#/channels/{channel}"}, "summary": summary, "bindings": bindings, "messages": messages}


if __name__ == "__main__":
    DESCRIBED.write(asyncapi())
