"""The words of a deployment file: addresses, topics, the names of files and variables, as `words.py` has those of sites and plans.

A fault shows what was found, except where a secret may have been written in the wrong place: such a type says what to show instead (`shown`).
"""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from msgspec import Meta


def topic_filter(text: str) -> str:
    """What of an MQTT subscription is matched with topics: the whole, or what follows the share's name.

    Raises ValueError for what is no subscription: `+` and `#` stand alone in their level, and `#` is the last.

    >>> topic_filter("$share/flowwatch/flowwatch/v1/+/count/#")
    'flowwatch/v1/+/count/#'
    """
    parts = text.split("/")
    if parts[0] == "$share":
        if len(parts) < 3 or not parts[1] or "+" in parts[1] or "#" in parts[1]:
            raise ValueError(text)
        parts = parts[2:]
    if parts == [""] or any(("+" in part or "#" in part) and part not in ("+", "#") for part in parts) or "#" in parts[:-1]:
        raise ValueError(text)
    return "/".join(parts)


def listen_address(text: str) -> tuple[str, int]:
    """Host and port of an address to listen on. Raises ValueError.

    >>> listen_address("127.0.0.1:8470"), listen_address("[::1]:8470")
    (('127.0.0.1', 8470), ('::1', 8470))
    """
    host, _, port = text.rpartition(":")
    bare = host[1:-1] if host[:1] == "[" and host[-1:] == "]" else host
    if not bare or (":" in host and bare == host) or not re.fullmatch("[0-9]{1,5}", port) or not 0 < int(port) < 65536:
        raise ValueError(text)
    return bare, int(port)


def _listen_near(text: str) -> str | None:
    return f"127.0.0.1:{text.lstrip(':')}"


def web_address(text: str) -> SplitResult:
    """An http or https address. Raises ValueError, also for one that holds a user or a password."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or parts.fragment or parts.port == 0:
        raise ValueError(text)
    return parts


def without_user(text: str) -> str:
    """A web address as it may be shown.

    >>> without_user("http://admin:12345@10.0.0.7/x")
    'http://…@10.0.0.7/x'
    """
    return re.sub(r"(?<=//)[^/]*@", "…@", text)


def hidden(_: str) -> str:
    """What is shown instead of a text that may be a secret in the wrong place."""
    return "…"


def _device_address(text: str) -> None:
    web_address(re.sub(r"\{(kind|id)\}", "x", text))
    if re.search(r"[{}]", re.sub(r"\{(kind|id)\}", "x", text)):
        raise ValueError(text)


def _network(text: str) -> None:
    ipaddress.ip_network(text)


TopicFilter = Annotated[
    str,
    Meta(
        pattern="^[^\x00-\x1f\x7f]{1,500}$",
        extra={"what": "an MQTT topic, such as flowwatch/v1/+/count/# or $share/flowwatch/flowwatch/v1/+/count/#", "read": topic_filter},
    ),
]
Listen = Annotated[
    str, Meta(extra={"what": "a host and a port, such as 127.0.0.1:8470 or [::1]:8470", "read": listen_address, "near": _listen_near})
]
Proxy = Annotated[str, Meta(extra={"what": "an IP address or network, such as 10.0.0.0/24", "read": _network})]
WebAddress = Annotated[
    str,
    Meta(
        pattern="^[!-~]{1,2000}$",
        extra={
            "what": "an http or https address without a user, a password or a fragment in it",
            "read": web_address,
            "shown": without_user,
        },
    ),
]
DeviceAddress = Annotated[
    str,
    Meta(
        pattern="^[!-~]{1,2000}$",
        extra={
            "what": "an http or https address without a user or a password in it; {kind} and {id} stand for those of a device",
            "read": _device_address,
            "shown": without_user,
        },
    ),
]
Host = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9.:-]{0,252}$", extra={"what": "a host's name or IP address"})]
Port = Annotated[int, Meta(ge=1, le=65535)]
FilePath = Annotated[
    str, Meta(pattern=r"^[^\x00-\x1f\x7f]{1,500}$", extra={"what": "the path of a file, from the folder of this one if it is not absolute"})
]
Variable = Annotated[
    str,
    Meta(
        pattern="^[A-Z_][A-Z0-9_]{0,99}$",
        extra={"what": "the name of a variable of the environment in capitals, such as FLOWWATCH_BROKER_PASSWORD", "shown": hidden},
    ),
]
ClientName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,64}$", extra={"what": "at most 64 letters, digits and - _ ."})]
UserName = Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f]{1,200}$", extra={"what": "a user's name of at most 200 characters"})]
DeviceIdentity = Annotated[
    str,
    Meta(pattern=r"^[^\x00-\x1f\x7f]{1,200}$", extra={"what": "what `flowwatch adapters try` shows as the device, at most 200 characters"}),
]
CounterRef = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}/[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$",
        extra={"what": "the full name of a counter, such as yuyuan/turnstile-1", "refers": "counter", "also": (), "hints": {}},
    ),
]
ActuatorName = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}(/(gate|barrier|sign|link)/[A-Za-z0-9][A-Za-z0-9_.:-]{0,63})?$",
        extra={"what": "a site, or a device of it, such as yuyuan/gate/gate-3", "refers": "site or device", "also": (), "hints": {}},
    ),
]
AreaPath = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}(/[A-Za-z0-9][A-Za-z0-9_-]{0,63}){0,7}$",
        extra={"what": "areas from the largest to the smallest with / between them, such as huangpu/yuyuan"},
    ),
]


def is_local(host: str) -> bool:
    """Whether `host` is this machine itself.

    >>> is_local("127.0.0.1"), is_local("localhost"), is_local("broker.example")
    (True, True, False)
    """
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
