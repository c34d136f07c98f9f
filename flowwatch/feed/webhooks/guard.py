"""Where a webhook may go: never into our own house. An address that somebody subscribed must not make the service ask what only it can reach.

A host is resolved here, every address that it has is looked at, and the connection is made to the very address that was found good: a name that means
something else a moment later gains nothing. Forms of an address that mean another one (IPv4 in IPv6, translations) are judged by what they mean.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_OPEN_V6: Final = ipaddress.IPv6Network("2000::/3")
"""What of IPv6 is given out for the internet (RFC 4291)."""
_OTHERS: Final[Sequence[Network]] = [
    ipaddress.ip_network(text) for text in ("168.63.129.16/32", "192.88.99.0/24", "2620:4f:8000::/48", "3fff::/20")
]
"""What passes for the internet and is none: a cloud's own host service (Azure), 6to4's relays (RFC 7526), AS112's sinks (RFC 7535), examples of
documentation (RFC 9637)."""
Resolve = Callable[[str, int], Sequence[str]]
"""(host, port) -> its addresses. Raises OSError."""
LOG: Final = logging.getLogger(__name__)
PORTS: Final = {"http": 80, "https": 443}
FIRST_FREE_PORT: Final = 1024
"""Below it, ports of the open internet are other services' (mail, names, files), which must not be made to hear us (RFC 6335)."""
_TRANSLATED: Final = ipaddress.IPv6Network("64:ff9b::/96")
"""IPv4 behind a translator (RFC 6052): its last 32 bits are the address."""


class ForbiddenError(ValueError):
    """A webhook may not go there; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Goal:
    """Where one request goes: `address` to connect to, `host` as it was subscribed (for TLS and the Host header), and the rest of the URL."""

    scheme: str
    host: str
    port: int
    path: str
    address: str

    @property
    def url(self) -> str:
        """The URL with the address in the place of the name."""
        shown = f"[{self.address}]" if ":" in self.address else self.address
        return f"{self.scheme}://{shown}:{self.port}{self.path}"

    @property
    def authority(self) -> str:
        """What the Host header says."""
        shown = f"[{self.host}]" if ":" in self.host else self.host
        return shown if self.port == PORTS[self.scheme] else f"{shown}:{self.port}"


@dataclass(frozen=True, slots=True)
class Guard:
    """`allow`: networks that receivers may have although they are private."""

    allow: Sequence[Network] = ()
    resolve: Resolve = field(default_factory=lambda: addresses)

    @classmethod
    def of(cls, allow: Sequence[str]) -> Guard:
        """The guard of a deployment file's `feeds.webhooks.allow`."""
        return cls([ipaddress.ip_network(network) for network in allow])

    def goal(self, url: str) -> Goal:
        """Where a request to `url` goes now. Raises `ForbiddenError`, OSError for a host that has no address."""
        scheme, host, port, path = parts(url)
        try:
            found = [ipaddress.ip_address(text.partition("%")[0]) for text in self.resolve(host, port)]
        except UnicodeError as error:  # labels that no name has
            raise ForbiddenError(f"{host:.80} is no name of a host") from error
        if not found:
            raise OSError(f"{host} has no address")
        for address in found:
            if not self._is_good(address):
                LOG.warning(
                    "a webhook to %s is refused: it is at %s", host, address
                )  # who asked is not told the addresses of our own house
                raise ForbiddenError(f"{host} is not on the open internet; `feeds.webhooks.allow` can name its network")
        if not all(self._is_allowed(address) for address in found):
            if scheme == "http":
                raise ForbiddenError(f"{url:.200} crosses the internet in the clear, expected https")
            if port < FIRST_FREE_PORT and port not in PORTS.values():
                raise ForbiddenError(
                    f"{url:.200} goes to port {port}, which is another service's; expected 443, or {FIRST_FREE_PORT} and above"
                )
        return Goal(scheme, host, port, path, str(found[0]))

    def _is_allowed(self, address: Address) -> bool:
        meant = meaning(address)
        return any(meant in network for network in self.allow)

    def _is_good(self, address: Address) -> bool:
        meant = meaning(address)
        if any(meant in network for network in _OTHERS):
            return self._is_allowed(address)
        return self._is_allowed(address) or (meant.is_global and not meant.is_multicast and (meant.version == 4 or meant in _OPEN_V6))


def parts(url: str) -> tuple[str, str, int, str]:
    """(scheme, host, port, path with query) of a URL. Raises `ForbiddenError` for what no webhook has."""
    try:
        split = urlsplit(url)
        host, port = split.hostname or "", split.port
    except ValueError as error:
        raise ForbiddenError(f"{url:.200} is no address ({error})") from error
    if split.scheme not in PORTS or not host:
        raise ForbiddenError(f"{url:.200} is no http or https address")
    if "@" in split.netloc:
        raise ForbiddenError("the address holds a user or a password, which would stand in logs; expected none")
    if split.fragment:
        raise ForbiddenError("the address has a fragment (#...), which no server sees; expected none")
    if port == 0 or not url.isascii() or any(ord(c) < 0x21 for c in url):
        raise ForbiddenError(f"{url!r:.200} is no address that can be called")
    path = (split.path or "/") + (f"?{split.query}" if split.query else "")
    return split.scheme, host, port or PORTS[split.scheme], path


def meaning(address: Address) -> Address:
    """The address that is meant: IPv4 where it is wrapped in IPv6.

    >>> meaning(ipaddress.ip_address("::ffff:127.0.0.1")), meaning(ipaddress.ip_address("64:ff9b::a00:1"))
    (IPv4Address('127.0.0.1'), IPv4Address('10.0.0.1'))
    """
    if isinstance(address, ipaddress.IPv4Address):
        return address
    wrapped = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
    if wrapped is None and address in _TRANSLATED:
        wrapped = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return wrapped or address


def addresses(host: str, port: int) -> list[str]:
    """What the machine's resolver says."""
    return list(dict.fromkeys(str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))
