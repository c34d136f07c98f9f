"""An authority whose certificates servers and clients show in tests, a server that is not the one who was meant, and what the program's log says."""

from __future__ import annotations

import ipaddress
import logging
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from flowwatch.tls import Tls
from tests.servers import WAIT_S

HERE = "127.0.0.1"
LEFT_OPEN = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
"""paho leaves the socket of a failed handshake to the collector, httpcore that of one that was broken off."""
ENCRYPTED = [LEFT_OPEN, pytest.mark.usefixtures("swept")]
"""What the modules are marked with whose tests do so."""


@dataclass(frozen=True)
class Shown:
    """A certificate and its key."""

    certificate: Path
    key: Path

    def server(self, asks: Path | None = None) -> ssl.SSLContext:
        """A server that shows it. `asks`: clients must show one of this authority."""
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(self.certificate, self.key)
        if asks is not None:
            made.verify_mode = ssl.CERT_REQUIRED
            made.load_verify_locations(asks)
        return made

    def listener(self, port: int, asks: Path | None = None) -> str:
        """Lines that give a Mosquitto one more listener, which shows it."""
        lines = f"listener {port} {HERE}\ncertfile {self.certificate}\nkeyfile {self.key}\n"
        return lines if asks is None else f"{lines}require_certificate true\ncafile {asks}\nuse_identity_as_username true\n"

    def web(self, asks: Path | None = None) -> str:
        """The configuration with which an Alertmanager shows it."""
        more = "" if asks is None else f", client_auth_type: RequireAndVerifyClientCert, client_ca_file: {asks}"
        return f"tls_server_config: {{cert_file: {self.certificate}, key_file: {self.key}{more}}}\n"


class Authority:
    """Somebody who signs certificates. `file`: what those have who believe it."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._subject, self._key = folder, _named(name), ec.generate_private_key(ec.SECP256R1())
        self.file = folder / f"{name}.pem"
        made = self._signed(self._subject, self._key.public_key(), x509.BasicConstraints(ca=True, path_length=None))
        self.file.write_bytes(made.public_bytes(serialization.Encoding.PEM))

    def shows(self, name: str, *others: str) -> Shown:
        """A certificate for a host, an address or a client."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([_general(one) for one in (name, *others)])
        made = self._signed(_named(name), key.public_key(), x509.BasicConstraints(ca=False, path_length=None), names)
        found = Shown(self._folder / f"{self.file.stem}-{name}.pem", self._folder / f"{self.file.stem}-{name}.key")
        found.certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        plain = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        found.key.write_bytes(plain)
        return found

    def believed(self, ours: Shown | None = None) -> Tls:
        """Of a client that believes it, and shows `ours`."""
        return Tls(self.file) if ours is None else Tls(self.file, ours.certificate, ours.key)

    def _signed(self, subject: x509.Name, key: ec.EllipticCurvePublicKey, *more: x509.ExtensionType) -> x509.Certificate:
        now = datetime.now(UTC)
        made = x509.CertificateBuilder(
            self._subject, subject, key, x509.random_serial_number(), now - timedelta(hours=1), now + timedelta(days=1)
        )
        for one in more:
            made = made.add_extension(one, critical=isinstance(one, x509.BasicConstraints))
        return made.sign(self._key, hashes.SHA256())


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


@dataclass
class Impostor:
    """Who answers on a port where somebody else was meant. `heard`: the first that each visitor said, decrypted where it came so far."""

    port: int
    heard: list[bytes] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def visited(self, times: int = 2) -> None:
        """Wait until so many came and went: whoever comes again might say more than at first."""
        self.until(lambda: len(self.heard) >= times)

    def until(self, true: Callable[[], bool]) -> None:
        """Wait until that is so of what was heard."""
        with self.changed:
            assert self.changed.wait_for(true, WAIT_S), self.heard


@contextmanager
def impostor(tls: ssl.SSLContext | None) -> Iterator[Impostor]:
    """One with a certificate, or one who does not know TLS; hangs up on whatever is said first."""
    with socket.create_server((HERE, 0)) as door:
        found = Impostor(door.getsockname()[1])
        ended = threading.Event()

        def serve() -> None:
            while not ended.is_set():
                with suppress(OSError), door.accept()[0] as visitor:
                    visitor.settimeout(WAIT_S)
                    said = _said(visitor, tls)
                    if not ended.is_set():
                        with found.changed:
                            found.heard.append(said)
                            found.changed.notify_all()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield found
        finally:
            ended.set()
            with suppress(OSError):
                door.shutdown(socket.SHUT_RDWR)
            thread.join(WAIT_S)


def _said(visitor: socket.socket, tls: ssl.SSLContext | None) -> bytes:
    if tls is None:
        return visitor.recv(1 << 16)
    with suppress(OSError), tls.wrap_socket(visitor, server_side=True) as inside:
        return inside.recv(1 << 16)
    return b""


class Overheard(logging.Handler):
    """What a logger of the program says while it is attached."""

    def __init__(self) -> None:
        super().__init__()
        self._more = threading.Condition()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        with self._more:
            self.lines.append(record.getMessage())
            self._more.notify_all()

    def until(self, *parts: str) -> str:
        """Wait for a line with all of these in it."""
        with self._more:
            assert self._more.wait_for(lambda: self._with(parts), WAIT_S), self.lines
            return self._with(parts)[0]

    def _with(self, parts: Sequence[str]) -> list[str]:
        return [line for line in self.lines if all(part in line for part in parts)]


@contextmanager
def overheard(name: str) -> Iterator[Overheard]:
    """The logger of a module, heard."""
    handler, logger = Overheard(), logging.getLogger(name)
    logger.addHandler(handler)
    try:
        yield handler
    finally:
        logger.removeHandler(handler)


STRANGERS = {
    "another's": "unable to get local issuer certificate",
    "another name": f"IP address mismatch, certificate is not valid for '{HERE}'",
}
"""Servers that are not to be believed, and what is found."""


class Parties:
    """The authority that is believed, one that is not, and who shows what."""

    def __init__(self, folder: Path) -> None:
        self.ours, self._other = Authority(folder / "trust"), Authority(folder / "trust", "other")

    @property
    def right(self) -> Shown:
        """What the server that is meant shows."""
        return self.ours.shows(HERE)

    def wrong(self, stranger: str) -> Shown:
        """What one of `STRANGERS` shows."""
        return self._other.shows(HERE) if stranger == "another's" else self.ours.shows("other.example")

    def says(self, stranger: str) -> tuple[str, str]:
        """What is to be said of one of `STRANGERS`: what was found, and what was expected."""
        return f"({STRANGERS[stranger]})", f"expected one for {HERE} from an authority of {self.ours.file}"
