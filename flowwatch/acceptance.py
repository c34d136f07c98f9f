"""Documents into the log: what changed on disk becomes a record, once it is without fault. A broken document never replaces a good one.

Without fault means what `flowwatch check` means by it: the files read well, and the safety analysis finds every way out kept. Where the
documents' roster asks for it, two people must have signed them besides, and the proof enters the log right behind them (`approval`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from flowwatch.approval.policy import Policy
from flowwatch.approval.proof import is_recorded, record
from flowwatch.approval.signatures import Signature
from flowwatch.documents import DocumentErrors, Fault, Loaded, find, shipped
from flowwatch.documents.actions import payload
from flowwatch.log.errors import BadRecord, LogLocked
from flowwatch.log.inbox import Inbox
from flowwatch.log.reader import Reader
from flowwatch.log.settings import load as load_settings
from flowwatch.log.writer import Writer
from flowwatch.soundness import Record, examine, neighbours, read, site_named_in
from flowwatch.workspace import Workspace

Tell = Callable[[str], None]
"""Hears one line for each event."""
Pair = tuple[Signature, Signature]
"""Author and approver."""


@dataclass(frozen=True, slots=True)
class Offered:
    """Documents for a log: their root, and the roster of those who sign them (None: the one under the root).

    Without a root the log keeps the documents that it has; one that has none takes those that ship with flowwatch.
    """

    root: Path | None
    approvers: Path | None = None


def accept_documents(workspace: Workspace, documents: Path | None, tell: Tell, approvers: Path | None = None) -> None:
    """Put documents that changed into the log; `approvers` is the roster of those who sign them, if not the one under `documents`.

    Raises `DocumentErrors` when a site that the log does not know yet has faults; a site that it knows goes on with its good document, and the
    faults are told. So no fault in a file keeps a log that has documents from being decided on.
    """
    present = _documents_in_log(workspace)
    if documents is None and present:
        return
    root = shipped() if documents is None else documents
    try:
        policy, found = Policy.of(root, approvers), find(root)
    except DocumentErrors as errors:
        if not present:
            raise
        _tell_faults(errors, tell)
        tell("nothing accepted; the last good documents stay in force")
        return
    faults: list[Fault] = []
    documents_read = [read(site_file, plan_files) for site_file, plan_files in found]
    gate = _Gate(workspace, policy, present, neighbours(found, documents_read), tell)
    for (site_file, plan_files), one in zip(found, documents_read, strict=True):
        try:
            gate.take(one, site_file, plan_files)
        except DocumentErrors as errors:
            known = site_named_in(site_file) in present
            _tell_faults(errors, tell)
            tell(f"{site_file}: not accepted; {'the last good document stays in force' if known else 'no document is in force'}")
            faults += [] if known else errors.faults
    if gate.unsigned:
        tell(f"documents are taken unsigned: {policy.unsigned}")
    if faults:
        raise DocumentErrors(faults)


@dataclass(slots=True)
class _Gate:
    """Lets documents into one log; `present` are the versions of the sites that it knows, `others` the records of all that are offered."""

    workspace: Workspace
    policy: Policy
    present: Mapping[str, str]
    others: Mapping[str, Record | None]
    tell: Tell
    unsigned: bool = False
    """Whether documents were taken that nobody needed to sign."""

    def take(self, loaded: Loaded | DocumentErrors, site_file: Path, plan_files: Sequence[Path]) -> None:
        """Accept one site's documents if they changed.

        Raises `DocumentErrors`, and `BadRecord` where the log has no place for a site that it does not know.
        """
        if isinstance(loaded, DocumentErrors):
            raise loaded
        if self.present.get(str(loaded.site["site"])) == loaded.version:
            self._stay(loaded)
            return
        if plan_files:
            _, faults = examine(loaded.site, site_file, plan_files, self.others)
            if faults:
                raise DocumentErrors(faults)
        self._accept(loaded, self.policy.approved(loaded))

    def _accept(self, loaded: Loaded, pair: Pair | None) -> None:
        site = str(loaded.site["site"])
        try:
            self._append(site, loaded, pair, again=False)
        except BadRecord as error:
            if site not in self.present:
                raise
            self.tell(f"{site}: not accepted; the last good document stays in force: {error}")
        else:
            self.unsigned = self.unsigned or pair is None
            self.tell(f"{site}: document {loaded.version} accepted{_by(pair)}")

    def _stay(self, loaded: Loaded) -> None:
        """Documents that are in force already, perhaps from when nobody needed to sign: put the proof of their approval into the log."""
        site = str(loaded.site["site"])
        if not self.policy.required or is_recorded(self.workspace, site, loaded.digest):
            return
        verdict = self.policy.verdict(loaded)
        if verdict.pair is None:
            self.tell(f"{site}: document {loaded.version} is in force and not approved: {verdict.missing}")
            return
        self._append(site, loaded, verdict.pair, again=True)
        self.tell(f"{site}: document {loaded.version} is in force{_by(verdict.pair)}")

    def _append(self, site: str, loaded: Loaded, pair: Pair | None, *, again: bool) -> None:
        """The documents (unless they are there: `again`) and right behind them, in one commit, who signed them."""
        now, proof = time.time_ns() // 1000, b""
        if pair is not None and self.policy.roster is not None:
            proof = payload(record(site, loaded.digest, pair, self.policy.roster, now))

        def stage(to: Writer | Inbox) -> None:
            if not again:
                to.append_document(loaded.payload, now)
            if proof:
                to.append_action(site, proof, now)
            to.commit()

        try:
            with Writer.open(self.workspace.log) as writer:
                stage(writer)
        except LogLocked:
            stage(Inbox(self.workspace.log))


def _by(pair: Pair | None) -> str:
    return "" if pair is None else f", written by {pair[0].by}, approved by {pair[1].by}"


def _tell_faults(errors: DocumentErrors, tell: Tell) -> None:
    for fault in errors.faults:
        tell(str(fault))


def _documents_in_log(workspace: Workspace) -> dict[str, str]:
    """Site -> version of the newest document of each site, as the log stands."""
    versions: dict[str, str] = {}
    for name in load_settings(workspace.log).folders:
        with Reader(workspace.log, name) as reader:
            versions |= reader.documents()
    return versions
