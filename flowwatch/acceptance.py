"""Documents into the log: what changed on disk becomes a record, once it is without fault. A broken document never replaces a good one.

Without fault means what `flowwatch check` means by it: the files read well, and the safety analysis finds every way out kept.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from flowwatch.documents import DocumentErrors, Fault, Loaded, find, load, shipped
from flowwatch.log.errors import BadRecord, LogLocked
from flowwatch.log.inbox import Inbox
from flowwatch.log.reader import Reader
from flowwatch.log.settings import load as load_settings
from flowwatch.log.writer import Writer
from flowwatch.soundness import examine
from flowwatch.workspace import Workspace

Tell = Callable[[str], None]
"""Hears one line for each event."""


def accept_documents(workspace: Workspace, documents: Path | None, tell: Tell) -> None:
    """Put documents that changed into the log.

    Raises `DocumentErrors` when a site that the log does not know yet has faults; a site that it knows goes on with its good document, and the
    faults are told. So no fault in a file keeps a log that has documents from being decided on.
    """
    present = _documents_in_log(workspace)
    if documents is None and present:
        return
    try:
        found = find(shipped() if documents is None else documents)
    except DocumentErrors as errors:
        if not present:
            raise
        _tell_faults(errors, tell)
        tell("nothing accepted; the last good documents stay in force")
        return
    faults: list[Fault] = []
    for site_file, plan_files in found:
        try:
            loaded = load(site_file, plan_files)
            if present.get(str(loaded.site["site"])) != loaded.version:
                _require_sound(loaded, site_file, plan_files)
                _accept(workspace, loaded, present, tell)
        except DocumentErrors as errors:
            known = _site_named_in(site_file) in present
            _tell_faults(errors, tell)
            tell(f"{site_file}: not accepted; {'the last good document stays in force' if known else 'no document is in force'}")
            faults += [] if known else errors.faults
    if faults:
        raise DocumentErrors(faults)


def _require_sound(loaded: Loaded, site_file: Path, plan_files: Sequence[Path]) -> None:
    """Raise `DocumentErrors` for plans that the safety analysis has faults of."""
    if plan_files:
        _, faults = examine(loaded.site, site_file, plan_files)
        if faults:
            raise DocumentErrors(faults)


def _accept(workspace: Workspace, loaded: Loaded, present: Mapping[str, str], tell: Tell) -> None:
    """Put one document into the log. Raises `BadRecord` where the log has no place for a site that it does not know."""
    site = str(loaded.site["site"])
    try:
        _append_document(workspace, loaded.payload)
    except BadRecord as error:
        if site not in present:
            raise
        tell(f"{site}: not accepted; the last good document stays in force: {error}")
    else:
        tell(f"{site}: document {loaded.version} accepted")


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


def _append_document(workspace: Workspace, payload: bytes) -> None:
    now = time.time_ns() // 1000
    try:
        with Writer.open(workspace.log) as writer:
            writer.append_document(payload, now)
            writer.commit()
    except LogLocked:
        inbox = Inbox(workspace.log)
        inbox.append_document(payload, now)
        inbox.commit()


def _site_named_in(site_file: Path) -> str:
    """The site that a faulty file speaks of: what stands behind `site:`, else the file's name."""
    try:
        text = site_file.read_bytes()[:65_536]
    except OSError:
        text = b""
    found = re.search(rb"(?m)^site:[ \t]*[\"']?([A-Za-z0-9_.:-]+)", text)
    return found[1].decode() if found else site_file.stem
