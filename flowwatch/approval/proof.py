"""The record of an approval: made when documents are accepted, found again in the journal and at the log's end.

The record carries both signatures with their keys and times. Whoever holds the log can check them against the documents in it without
asking anything of flowwatch: what was signed is said in `signatures.statement`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from flowwatch.approval.roster import Roster
from flowwatch.approval.signatures import Signature
from flowwatch.core.actions import Approve, BadActionError, read_action
from flowwatch.core.entries import Entry, EntryKind
from flowwatch.core.readings import Kind
from flowwatch.documents import actions
from flowwatch.journal import Journal, JournalError
from flowwatch.log.reader import Reader
from flowwatch.log.routing import Routing
from flowwatch.log.segments import offsets
from flowwatch.log.settings import load
from flowwatch.workspace import Workspace

REASON: Final = "signed by its author and by an approver"


def record(site: str, digest: str, pair: tuple[Signature, Signature], roster: Roster, now: int) -> actions.Approve:
    """The record, written at `now` (microseconds), that a site's documents with this SHA-256 are signed by `pair`, author and approver."""
    author, approver = (actions.Signed(by=s.by, key=roster.people[s.by].key, at=s.at, signature=s.signature) for s in pair)
    return actions.Approve(
        action=actions.new_id(now),
        site=site,
        by=approver.by,
        reason=REASON,
        at_us=now,
        version=digest,
        author=author,
        approver=approver,
    )


def approval(journal: Journal, document: Entry, until: int | None = None) -> dict[str, Any] | None:
    """The record by which the version that the entry `document` tells of was approved, before `until` (microseconds); None without one."""
    version = json.loads(document.body)["version"]
    for entry in journal.entries(document.chain, EntryKind.ACTION, since=document.at, until=until):
        if b'"approve"' in entry.body:
            body = json.loads(entry.body)
            if body["type"] == "approve" and body["accepted"] and body["record"]["version"].startswith(version):
                return dict(body["record"])
    return None


def is_recorded(workspace: Workspace, site: str, digest: str) -> bool:
    """Whether the approval of a site's newest documents stands in the journal, or at the log's end where no engine has read it yet.

    `digest` is the whole SHA-256 of those documents. A journal that cannot be read counts as one that has it: whoever needs the journal says
    what is wrong with it, and counts go on into the log. Raises `LogError`.
    """
    try:
        recorded = _in_journal(workspace, site, digest)
    except JournalError:
        return True
    return recorded or (site, digest) in _undecided(workspace, site)


def _in_journal(workspace: Workspace, site: str, digest: str) -> bool:
    if not workspace.journal.is_file():
        return False
    with Journal.open(workspace.journal, create=False) as journal:
        document = next(journal.entries(site, EntryKind.DOCUMENT, newest=True), None)
        if document is None or not digest.startswith(json.loads(document.body)["version"]):
            return False
        return approval(journal, document) is not None


def _undecided(workspace: Workspace, site: str) -> Iterator[tuple[str, str]]:
    """The approvals (site, digest) behind the newest checkpoint of the site's partition: what lies before it is in the journal."""
    partition = Routing(workspace.log, load(workspace.log)).place(site).partition
    with Reader(workspace.log, partition) as reader:
        checkpoints = [offset for offset in offsets(workspace.log / partition, ".ckpt") if offset <= reader.end()]
        for block in reader.walk(max([reader.start(), *checkpoints])):
            for i in np.flatnonzero(block.kind == Kind.ACTION).tolist():
                try:
                    action = read_action(block.payload[i])
                except BadActionError:
                    continue
                if isinstance(action.what, Approve):
                    yield action.site, action.what.version
