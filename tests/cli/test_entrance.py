"""The way into a log for a command: what was said before goes in before."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flowwatch import log
from flowwatch.cli.entrance import entrance
from flowwatch.cli.exits import Exit, verdict
from flowwatch.core.readings import Kind
from flowwatch.documents.secrets import SecretError
from flowwatch.log import Reader, blocks
from tests.log.making import document


def test_what_others_staged_while_nobody_held_the_log_goes_in_first(tmp_path: Path) -> None:
    log.create(tmp_path, partitions=1)
    with log.Writer.open(tmp_path) as writer:
        writer.append_document(document("a", ["x"]), 1)
        writer.commit()
    inbox = log.Inbox(tmp_path)
    for n in range(3):
        inbox.append_action("a", json.dumps({"action": f"off-{n}"}).encode(), 2)
        inbox.commit()
    with entrance(tmp_path) as to:
        to.append_action("a", json.dumps({"action": "on"}).encode(), 3)
    with Reader(tmp_path, "p00") as reader:
        block = blocks(*reader.read(0, 100))
    said = [json.loads(block.payload[i])["action"] for i in range(len(block)) if block.kind[i] == Kind.ACTION]
    assert said == ["off-0", "off-1", "off-2", "on"]


@pytest.mark.parametrize("error", [SecretError("secrets/broker: anybody on this machine may read it")])
def test_a_secret_that_cannot_be_had_is_told_as_what_it_is(error: Exception) -> None:
    assert verdict(error) == (Exit.USAGE, str(error))
