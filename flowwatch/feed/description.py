"""The zone states for those who read them from the broker: JSON Schemas and an AsyncAPI 3 document, made from the types that the service runs on.

`python -m flowwatch.feed.description` writes them anew; a test keeps them current.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from flowwatch.described import Described
from flowwatch.feed.zone_messages import STATUS_TOPIC, FeedStatus, ZoneState, topic
from flowwatch.feed.zone_states import LIVES_S

FOLDER: Final = Path(__file__).parents[2] / "docs" / "feed"
ASYNCAPI: Final = Path(__file__).parents[2] / "docs" / "feed.asyncapi.yaml"
MESSAGES: Final[dict[str, type[Any]]] = {"zone-state": ZoneState, "feed-status": FeedStatus}
EXAMPLES: Final[dict[str, list[dict[str, Any]]]] = {
    "zone-state": [
        {
            "v": 1, "site": "yuyuan", "zone": "mall", "title": {"zh": "豫园商城", "en": "Yuyuan mall"}, "at": "2026-10-01T10:28:00Z",
            "known": True, "people": 2973.0, "lower": 2922.0, "upper": 3024.0, "capacity": 4000, "capacity_share": 0.7433,
            "people_per_m2": 0.2478, "in": 184, "out": 97, "silent": [],
            "stages": [{"plan": "yuyuan", "stage": "exit_only", "level": "I", "since": "2026-10-01T10:27:30Z", "entry": "yuyuan-412"}],
            "drill": False, "override": False, "fire": False,
        },
        {
            "v": 1, "site": "yuyuan", "zone": "bridge", "title": {"zh": "九曲桥", "en": "Jiuqu bridge"}, "at": "2026-10-01T10:28:00Z",
            "known": False, "people": None, "lower": 12.0, "upper": None, "capacity": 300, "capacity_share": None, "people_per_m2": None,
            "in": 0, "out": 0, "silent": ["bridge-west"], "stages": [], "drill": False, "override": False, "fire": False,
        },
    ],
    "feed-status": [{"v": 1, "state": "up"}],
}  # fmt: skip
"""What the page and the AsyncAPI document show; a test reads each."""


DESCRIBED: Final = Described(FOLDER, ASYNCAPI, MESSAGES, EXAMPLES)


def asyncapi() -> str:
    """The AsyncAPI 3 document, as its file has it."""
    retained = {"qos": 1, "retain": True, "bindingVersion": "0.2.0"}
    info = {
        "title": "flowwatch zone states",
        "version": "1.0.0",
        "description": "How full every zone is, retained at an MQTT 5 broker. docs/feed.md explains it.",
    }
    channels = {
        "zone-state": {
            "address": topic("{site}", "{zone}"),
            "messages": {"zone-state": {"$ref": "#/components/messages/zone-state"}},
            "parameters": {
                "site": {"description": "the site, as its file names it"},
                "zone": {"description": 'the zone, as the site file names it; "site" is the whole'},
            },
        },
        "feed-status": {"address": STATUS_TOPIC, "messages": {"feed-status": {"$ref": "#/components/messages/feed-status"}}},
    }
    operations = {
        "hearZone": {
            "action": "receive",
            "channel": {"$ref": "#/channels/zone-state"},
            "summary": "A zone as its newest minute has it; an empty message: there is no such zone any more.",
            "bindings": {"mqtt": retained | {"messageExpiryInterval": LIVES_S}},
            "messages": [{"$ref": "#/channels/zone-state/messages/zone-state"}],
        },
        "watchFeed": {
            "action": "receive",
            "channel": {"$ref": "#/channels/feed-status"},
            "summary": "Whether anybody tells; the last will says lost.",
            "bindings": {"mqtt": retained},
            "messages": [{"$ref": "#/channels/feed-status/messages/feed-status"}],
        },
    }
    return DESCRIBED.document(info, channels, operations)


if __name__ == "__main__":
    DESCRIBED.write(asyncapi())
