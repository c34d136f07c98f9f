"""A webhook over https goes to the address that was looked at, and the certificate there must be the name's."""

from __future__ import annotations

from pathlib import Path

import certifi
import pytest

from tests.encrypted import Authority
from tests.feed.carried import alert, carried, subscribe, until, write
from tests.feed.receiver import Receiver, receiving


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("hooks.example", True),
        ("other.example", False),
        ("127.0.0.1", False),
    ],
)
def test_the_certificate_is_judged_by_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, taken: bool) -> None:
    authority = Authority(tmp_path)
    monkeypatch.setattr(certifi, "where", lambda: str(authority.file))
    context = authority.shows(name).server()
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
