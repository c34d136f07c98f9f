"""What the dispatcher asks of a wire, whatever it is made of, and what a wire tells it.

A wire carries commands to devices and brings back what they say. It works in threads of its own and puts what comes into one queue; it never
waits for a device when it is asked to send.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from flowwatch.actuators.protocol import Command
from flowwatch.tls import Tls


@dataclass(frozen=True, slots=True)
class Broker:
    """How to reach an MQTT 5 broker, encrypted if `tls` is given. `password`: reads it, for each connection; raises `SecretError`."""

    name: str
    host: str
    port: int
    client: str
    username: str | None = None
    password: Callable[[], str | None] = field(default=lambda: None, repr=False)
    tls: Tls | None = None

    def why_not(self, error: BaseException | None) -> str:
        """Why there is no connection."""
        return (self.tls or Tls()).why_not(error, self.host)


@dataclass(frozen=True, slots=True)
class Actuator:
    """The way to one device ("gate/gate-3") of a site, or, with `device` None, to every one of it that has none of its own.

    Either `broker` is the name of a broker, or `url` the device's own address; with `{kind}` and `{id}` in it, of all of the site's. `token`:
    reads the bearer token, if it wants one, for each request; raises `SecretError`.
    """

    site: str
    device: str | None = None
    broker: str | None = None
    url: str | None = None
    token: Callable[[], str | None] = field(default=lambda: None, repr=False)
    tls: Tls = field(default_factory=Tls)

    def url_of(self, device: str) -> str:
        """The address of `device`."""
        kind, _, name = device.partition("/")
        return (self.url or "").replace("{kind}", kind).replace("{id}", name)


@dataclass(frozen=True, slots=True)
class Heard:
    """Bytes about a device: a state or an acknowledgement. `live`: from the device itself, now."""

    site: str
    device: str
    what: str
    """state, or ack."""
    data: bytes
    live: bool
    at_us: int


@dataclass(frozen=True, slots=True)
class Silent:
    """A device that does not answer."""

    site: str
    device: str
    at_us: int


@dataclass(frozen=True, slots=True)
class Connected:
    """A wire has its connection, or lost it."""

    wire: str
    up: bool
    at_us: int


Tell = Callable[[Heard | Silent | Connected], None]


class Wire(Protocol):
    """A way to devices."""

    name: str

    def start(self) -> None:
        """Connect, and keep on trying."""

    def stop(self) -> None:
        """Say that the service goes, and end all threads."""

    def add(self, site: str, devices: Sequence[str]) -> None:
        """Listen to devices from now on, and have them say how they are."""

    def send(self, command: Command) -> None:
        """Bring `command` to its device; returns at once."""
