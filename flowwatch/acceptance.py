"""Documents into the log: what changed on disk becomes a record, once it is without fault. A broken document never replaces a good one.

Without fault means what `flowwatch check` means by it: the files read well, and the safety analysis finds every way out kept. Where the
documents' roster asks for it, two people must have signed them besides, and the proof enters the log right behind them (`approval`).
The documents of a group, whose plans go by each other's stages, come into force together or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from flowwatch.approval.policy import Policy
from flowwatch.approval.proof import is_recorded, record
from flowwatch.approval.signatures import Signature
from flowwatch.documents import DocumentErrors, Loaded, find, shipped
from flowwatch.documents.actions import payload
from flowwatch.documents.neighbours import looks_at
from flowwatch.log.errors import BadRecord, LogLocked
from flowwatch.log.inbox import Inbox
from flowwatch.log.reader import Reader
from flowwatch.log.routing import Routing
from flowwatch.log.settings import load as load_settings
from flowwatch.log.time import now
from flowwatch.log.writer import Writer
from flowwatch.soundness import Record, astray, examine, neighbours, read, site_named_in
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
    read_all = [read(site_file, plan_files) for site_file, plan_files in found]
    offers = [_Offer.of(one, *files) for one, files in zip(read_all, found, strict=True)]
    gate = _Gate(workspace, policy, present, neighbours(found, read_all), tell)
    refused = gate.judge(offers)
    gate.take(offers, _waiting(offers, refused, _groups(workspace)) | refused.keys())
    if gate.unsigned:
        tell(f"documents are taken unsigned: {policy.unsigned}")
    faults = [fault for site, errors in refused.items() if site not in present for fault in errors.faults]
    if faults:
        raise DocumentErrors(faults)


@dataclass(frozen=True, slots=True)
class _Offer:
    """One site's documents as they are on disk."""

    site: str
    found: Loaded | DocumentErrors
    site_file: Path
    plan_files: Sequence[Path]

    @classmethod
    def of(cls, found: Loaded | DocumentErrors, site_file: Path, plan_files: Sequence[Path]) -> _Offer:
        site = str(found.site["site"]) if isinstance(found, Loaded) else site_named_in(site_file)
        return cls(site, found, site_file, plan_files)


def _waiting(offers: Sequence[_Offer], refused: Collection[str], groups: Mapping[str, str]) -> set[str]:
    """The sites whose documents must wait, because those of a site that they look at, or that is of their group, are refused.

    What stays in force of a refused site may look at stages that the new documents of another no longer have, and the other way round.
    `groups` are the groups of the sites in the log.
    """
    records = {offer.site: offer.found.site for offer in offers if isinstance(offer.found, Loaded)}
    waiting: set[str] = set()
    while True:
        out = waiting | set(refused)
        held = {groups[site] for site in out if site in groups} | {records[site]["group"] for site in out if site in records}
        more = {site for site, record in records.items() if record["group"] in held or out.intersection(looks_at(record))} - out
        if not more:
            return waiting
        waiting |= more


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
    _pairs: dict[str, Pair | None] = field(default_factory=dict)
    """Who signed the documents that were found good."""

    def judge(self, offers: Sequence[_Offer]) -> dict[str, DocumentErrors]:
        """The sites whose documents cannot be used, with their faults, which are told."""
        refused: dict[str, DocumentErrors] = {}
        for offer in offers:
            try:
                self._examine(offer)
            except DocumentErrors as errors:
                refused[offer.site] = errors
                _tell_faults(errors, self.tell)
                self.tell(f"{offer.site_file}: not accepted; {self._in_force(offer)}")
        return refused

    def _examine(self, offer: _Offer) -> None:
        """Raises `DocumentErrors`. What is in force already was examined, but the sites that it looks at may have changed."""
        loaded = offer.found
        if isinstance(loaded, DocumentErrors):
            raise loaded
        if self._unchanged(loaded):
            faults = astray(loaded.site, offer.plan_files, self.others)
        else:
            faults = examine(loaded.site, offer.site_file, offer.plan_files, self.others)[1] if offer.plan_files else []
        if faults:
            raise DocumentErrors(faults)
        if not self._unchanged(loaded):
            self._pairs[offer.site] = self.policy.approved(loaded)

    def take(self, offers: Sequence[_Offer], out: Collection[str]) -> None:
        """Accept the documents that changed, those of a group together; the sites `out` are left as they are."""
        groups: dict[str, list[Loaded]] = {}
        for offer in offers:
            loaded = offer.found
            if isinstance(loaded, DocumentErrors):
                continue
            if self._unchanged(loaded):
                self._stay(loaded)
            elif offer.site not in out:
                groups.setdefault(str(loaded.site["group"]), []).append(loaded)
            elif offer.site in self._pairs:
                why = f"documents of its group {loaded.site['group']}, or of a site that it looks at, have faults"
                self.tell(f"{offer.site}: document {loaded.version} waits, because {why}; {self._in_force(offer)}")
        for group in groups.values():
            self._accept(group)

    def _unchanged(self, loaded: Loaded) -> bool:
        return self.present.get(str(loaded.site["site"])) == loaded.version

    def _in_force(self, offer: _Offer) -> str:
        return "the last good document stays in force" if offer.site in self.present else "no document is in force"

    def _accept(self, group: Sequence[Loaded]) -> None:
        """Raises `BadRecord` where the log has no place for sites of which it knows none."""
        pairs = [self._pairs[str(loaded.site["site"])] for loaded in group]
        try:
            self._append(group, pairs, again=False)
        except BadRecord as error:
            if not any(loaded.site["site"] in self.present for loaded in group):
                raise
            sites = ", ".join(str(loaded.site["site"]) for loaded in group)
            self.tell(f"{sites}: not accepted; the last good document stays in force: {error}")
            return
        for loaded, pair in zip(group, pairs, strict=True):
            self.unsigned = self.unsigned or pair is None
            self.tell(f"{loaded.site['site']}: document {loaded.version} accepted{_by(pair)}")

    def _stay(self, loaded: Loaded) -> None:
        """Documents that are in force already, perhaps from when nobody needed to sign: put the proof of their approval into the log."""
        site = str(loaded.site["site"])
        if not self.policy.required or is_recorded(self.workspace, site, loaded.digest):
            return
        verdict = self.policy.verdict(loaded)
        if verdict.pair is None:
            self.tell(f"{site}: document {loaded.version} is in force and not approved: {verdict.missing}")
            return
        self._append([loaded], [verdict.pair], again=True)
        self.tell(f"{site}: document {loaded.version} is in force{_by(verdict.pair)}")

    def _append(self, group: Sequence[Loaded], pairs: Sequence[Pair | None], *, again: bool) -> None:
        """The documents (unless they are there: `again`) and right behind each of them, all in one commit, who signed it."""
        at, roster = now(self.workspace.log), self.policy.roster

        def stage(to: Writer | Inbox) -> None:
            for loaded, pair in zip(group, pairs, strict=True):
                site = str(loaded.site["site"])
                if not again:
                    to.append_document(loaded.payload, at)
                if pair is not None and roster is not None:
                    to.append_action(site, payload(record(site, loaded.digest, pair, roster, at)), at)
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


def _groups(workspace: Workspace) -> dict[str, str]:
    """Site -> its group, of the sites in the log."""
    return {site: place.group for site, place in Routing(workspace.log, load_settings(workspace.log)).sites.items()}


def _documents_in_log(workspace: Workspace) -> dict[str, str]:
    """Site -> version of the newest document of each site, as the log stands."""
    versions: dict[str, str] = {}
    for name in load_settings(workspace.log).folders:
        with Reader(workspace.log, name) as reader:
            versions |= reader.documents()
    return versions
