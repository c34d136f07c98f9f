"""A webhook over https goes to the address that was looked at, and the certificate there must be the name's."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import certifi
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.feed.carried import alert, carried, subscribe, until, write
from tests.feed.receiver import Receiver, receiving


def certified(folder: Path, names: Sequence[x509.GeneralName]) -> Path:
    """A key and a certificate for `names` in one file, signed by itself."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(
            name, name, key.public_key(), x509.random_serial_number(), now - timedelta(hours=1), now + timedelta(hours=1)
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file = folder / "server.pem"
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file


@pytest.mark.parametrize(
    ("names", "taken"),
    [
        ([x509.DNSName("hooks.example")], True),
        ([x509.DNSName("other.example")], False),
        ([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))], False),
    ],
)
def test_the_certificate_is_judged_by_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: list[x509.GeneralName], taken: bool
) -> None:
    pem = certified(tmp_path, names)
    monkeypatch.setattr(certifi, "where", lambda: str(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with receiving(Receiver(), context) as receiver, carried(tmp_path, resolve=lambda host, port: ["127.0.0.1"], faster=1e9) as courier:
        one = subscribe(courier, f"https://hooks.example:{receiver.port}/hook")
        write(tmp_path, alert(1))
        if taken:
            receiver.wait(lambda: bool(receiver.taken))
            assert receiver.requests[0][0]["host"] == f"hooks.example:{receiver.port}"
            return
        until(lambda: courier.outbox.counts().get(one.id) == {"dead": 1})
        (row,) = courier.outbox.latest(one.id, 1)
    assert "certificate verify failed" in str(row.why)
    assert receiver.requests == []
