"""Looking a working folder over, from disk to clock: what is fine, what is to be known, what somebody must mend. Changes nothing.

Each check is a function that yields findings; `CHECKS` is the order in which they are told. A check that cannot do its work says so as a
finding and the others go on: a doctor who faints at the sight of a damaged file helps nobody.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from flowwatch import checkpoints, texts
from flowwatch.cli.findings import SLOW, WHY, Finding, Value
from flowwatch.cli.holders import holder
from flowwatch.core.chains import Chains
from flowwatch.core.entries import EntryKind
from flowwatch.core.incidents import Incidents, What
from flowwatch.core.readings import ABSENT, SECOND
from flowwatch.core.state import StateError
from flowwatch.documents import DocumentErrors, find, load, shipped
from flowwatch.documents.alarms import Alarms
from flowwatch.evidence import Evidence
from flowwatch.handling.clocks import clocks
from flowwatch.handling.incident import Incident
from flowwatch.handling.kinds import Own
from flowwatch.handling.records import SERVICE, Handling
from flowwatch.handling.settings import Settings as Answering
from flowwatch.handling.ward import Ward
from flowwatch.handling.wards import recalled
from flowwatch.journal import Journal, JournalError
from flowwatch.log import Clock, LogError, Reader, Settings, checkpoint_file, survey
from flowwatch.log import load as load_settings
from flowwatch.log.inbox import staged_files
from flowwatch.log.segments import offsets
from flowwatch.log.settings import inbox_folder
from flowwatch.log.time import log_time
from flowwatch.metrics.ground import Ground
from flowwatch.metrics.judged import Wrong, judge
from flowwatch.proof.ties import LATE_US, Fault, untied
from flowwatch.titles import Language, Names
from flowwatch.words import Text, duration
from flowwatch.workspace import Workspace

LITTLE_BYTES: Final = 1 << 30
"""Under this a disk counts as nearly full: a few hours of a busy city's log."""
STILL_US: Final = 10 * SECOND
"""A log that should tick and has not for so long stands still: ten ticks of the usual length."""
AHEAD_US: Final = 5 * SECOND
"""A last tick further ahead of the wall clock than this was not made by a clock that is merely a little off."""
TOLD: Final = (What.COUNTER_SILENT, What.NEGATIVE_OCCUPANCY, What.OCCUPANCY_UNKNOWN, What.RECOUNT_NEEDED)
"""The incidents that speak of flowwatch's own eyes rather than of the crowd."""
EXAMPLES: Final = 5
OF_ENGINE: Final = ("engine_down", "lags", "snapshot_old", "slow", "refused", "clock_ahead", "clock_behind", "inbox")
"""What the figures of a folder say that no other check does."""
FAULTS: Final = (LogError, JournalError, DocumentErrors, StateError, OSError, ValueError, TypeError, LookupError, AttributeError)
"""What a check may meet in a damaged folder: the last four are records that are no such thing as they should be."""
LANGUAGES: Final[tuple[Language, ...]] = ("zh", "en")
NOTHING: Final[Text] = {"zh": "", "en": ""}


class Patient:
    """The folder under examination; what several checks look at is read once.

    `documents`: the root of the files that should be in force, None where nobody said. `advance` hears of each segment that was read. `quick`: log,
    journal and book are not read from end to end.
    """

    def __init__(
        self, workspace: Workspace, documents: Path | None, now_us: int, advance: Callable[[int], None], *, quick: bool = False
    ) -> None:
        self.workspace = workspace
        self.root = str(workspace.root)
        self.documents = documents
        self.now = now_us
        self.advance = advance
        self.quick = quick

    @cached_property
    def settings(self) -> Settings:
        """The log's settings. Raises `LogError`."""
        return load_settings(self.workspace.log)

    @cached_property
    def runner(self) -> str | None:
        """The process that runs flowwatch here, None if nobody does."""
        return holder(self.workspace.run_lock)

    @cached_property
    def server(self) -> str | None:
        """The process that serves here, None if nobody does."""
        return holder(self.workspace.serve_lock)

    @cached_property
    def writer(self) -> str | None:
        """The process that writes the log, None if nobody does."""
        return holder(self.workspace.log / "writer.lock")

    @cached_property
    def versions(self) -> dict[str, str]:
        """Site -> version of its newest document in the log. Raises `LogError`."""
        found: dict[str, str] = {}
        for name in self.settings.folders:
            with closing(Reader(self.workspace.log, name)) as reader:
                found |= reader.documents()
        return found

    @cached_property
    def states(self) -> list[dict[str, Any]]:
        """The engine's newest whole checkpoint of each partition that has one."""
        newest = (checkpoints.newest(self.workspace.log / name) for name in self.settings.folders)
        return [found[1] for found in newest if found is not None]


def folder(patient: Patient) -> Iterator[Finding]:
    """Whether the folder can be written, and how much room there is."""
    if not os.access(patient.workspace.root, os.R_OK | os.W_OK | os.X_OK):
        yield Finding("not_writable", root=patient.root)
    free = shutil.disk_usage(patient.workspace.root).free
    yield Finding("disk" if free >= LITTLE_BYTES else "disk_full", free=f"{free / 1e9:,.1f} GB")


def locks(patient: Patient) -> Iterator[Finding]:
    """Who runs, who serves and who writes. Without a service nobody is told, no command goes out and no clock of handling runs."""
    if patient.runner is not None:
        yield Finding("running", process=patient.runner)
    elif patient.settings.live:
        yield Finding("not_running", root=patient.root)
    if patient.server is not None:
        yield Finding("serving", process=patient.server)
    elif patient.runner is not None and patient.settings.live:
        yield Finding("not_serving", root=patient.root)
    if patient.writer is not None and patient.runner is None:
        yield Finding("writing", process=patient.writer)


def segments(patient: Patient) -> Iterator[Finding]:
    """Whether every frame of the log is whole."""
    if patient.quick:
        return
    rows = damaged = 0
    for found in survey(patient.workspace.log):
        patient.advance(1)
        rows += found.end - found.first
        if found.fault is not None:
            damaged += 1
            yield Finding("log_damaged", fault=found.fault)
        elif found.torn_bytes and patient.writer is None:
            yield Finding("log_torn", file=str(found.path), bytes=found.torn_bytes)
    if not damaged:
        yield Finding("log", rows=f"{rows:,}")


def inbox(patient: Patient) -> Iterator[Finding]:
    """What waits to enter the log, and what could not."""
    waiting = len(staged_files(patient.workspace.log))
    if waiting and patient.writer is None:
        yield Finding("inbox_waiting", files=waiting)
    for bad in sorted(inbox_folder(patient.workspace.log).glob("*.bad")):
        yield Finding("inbox_bad", file=str(bad))


def states(patient: Patient) -> Iterator[Finding]:
    """Whether a restart, and a replay, find their checkpoints."""
    whole = 0
    for name in patient.settings.folders:
        path = patient.workspace.log / name
        readable = []
        for offset in offsets(path, ".ckpt"):
            try:
                checkpoints.read(checkpoint_file(path, offset))
                readable.append(offset)
            except StateError as error:
                yield Finding("checkpoint_damaged", fault=str(error))
        whole += len(readable)
        first = min(offsets(path, ".seg"), default=0)
        if first > 0 and first not in readable:
            yield Finding("no_beginning", partition=name, row=first)
    yield Finding("checkpoints", count=whole)


def journal(patient: Patient) -> Iterator[Finding]:
    """Whether the journal is sound, and holds what the checkpoints say was written."""
    heads = {chain: head for state in patient.states for chain, head in Chains.from_state(state["scribe"]["chains"]).heads.items()}
    if not patient.workspace.journal.is_file():
        yield Finding("journal_gone", root=patient.root) if heads else Finding("no_journal")
        return
    with closing(Journal.open(patient.workspace.journal, create=False)) as opened:
        broken = [] if patient.quick else opened.verify()
        faults = [str(fault) for fault in (*opened.behind(heads), *broken, *opened.conflicts())]
        entries = sum(seq for seq, _ in opened.heads().values())
    for fault in faults:
        yield Finding("journal_unsound", fault=fault, root=patient.root)
    if not faults:
        yield Finding("journal_there" if patient.quick else "journal", entries=f"{entries:,}")


def handling(patient: Patient) -> Iterator[Finding]:
    """Whether the book of handling is there, sound, and tells what the journal says; and what in it nobody has answered."""
    if not patient.workspace.handling.is_file():
        yield from _no_book(patient)
        return
    faults, untold = list[str](), dict[str, int]()
    try:
        with closing(Journal.open(patient.workspace.handling, create=False)) as book:
            wards, _ = recalled(book, patient.workspace.handling_kept if patient.quick else None)
            entries = sum(seq for seq, _ in book.heads().values())
            if not patient.quick:
                faults += map(str, (*book.verify(), *book.conflicts()))
            if patient.workspace.journal.is_file():
                with (
                    suppress(JournalError),
                    closing(Journal.open(patient.workspace.journal, create=False)) as opened,
                ):  # it is told of by itself
                    untold |= _untold(opened, wards)
                    faults += () if patient.quick else _against_journal(opened, book)
    except JournalError as error:
        # what a journal's error advises is no help here: nothing can make this book again
        yield Finding("book_damaged", fault=str(error).partition("; if it was one")[0], root=patient.root)
        return
    if faults:
        yield Finding("book_unsound", count=len(faults), fault=faults[0], root=patient.root)
    else:
        yield Finding("book_there" if patient.quick else "book", entries=f"{entries:,}")
    if untold:
        yield Finding("book_behind", count=sum(untold.values()), names=_names(list(untold)), root=patient.root)
    incidents = [one for ward in wards.values() for one in ward.incidents.values()]
    yield from _own(patient.root, incidents)
    yield from _unanswered(patient.root, incidents)


def _no_book(patient: Patient) -> Iterator[Finding]:
    """No book is right where no incident was ever; where a service has been, there was one."""
    if not patient.workspace.journal.is_file():
        return
    with closing(Journal.open(patient.workspace.journal, create=False)) as opened:
        count = sum(1 for _ in opened.entries(kind=EntryKind.INCIDENT))
    if count:
        yield Finding("book_gone" if patient.workspace.serve_generation.is_file() else "no_book", count=count, root=patient.root)


def _untold(journal: Journal, wards: Mapping[str, Ward]) -> Iterator[tuple[str, int]]:
    """The sites of which the journal's end has not been told for longer than a restart takes, and how many entries that is."""
    newest = max((entry.at for entry in journal.entries(limit=1, newest=True)), default=0)
    for site, (seq, _) in sorted(journal.heads().items()):
        told = 0 if site not in wards else wards[site].told
        if seq > told and not site.startswith("@"):
            left = [entry.at for entry in journal.entries(site, EntryKind.INCIDENT, after_id=f"{site}-{told}" if told else None)]
            if left and min(left) < newest - LATE_US:
                yield site, len(left)


def _against_journal(journal: Journal, book: Journal) -> Iterator[str]:
    """Where the book tells otherwise than the journal."""
    for site in sorted({*book.heads(), *journal.heads()}):
        if not site.startswith("@"):
            ties = untied(site, journal.entries(site, EntryKind.INCIDENT), book.entries(site, EntryKind.ALERT), 0)
            yield from (str(tie) for tie in ties if tie.fault is not Fault.LATE)


def _own(root: str, incidents: list[Incident]) -> Iterator[Finding]:
    """What the desk itself says is wrong: several at once, too many alerts, somebody who cannot be reached. It stands in the book alone."""
    for one in incidents:
        if one.active and one.what in set(Own):
            site: Value = {"zh": "本系统", "en": "flowwatch"} if one.site == SERVICE else one.site
            text: Text = {"zh": one.alert.text.zh, "en": one.alert.text.en}
            yield Finding("incident", site=site, text=text, incident=one.name, root=root)


def _unanswered(root: str, incidents: list[Incident]) -> Iterator[Finding]:
    """Reds that nobody has acknowledged, and what had a step to be taken by a time that is over: this the book says, whatever the clocks are."""
    allowed = Answering.of(Alarms()).allowed
    ours = sorted((one for one in incidents if not one.drill), key=Incident.order)
    reds = [one.name for one in ours if one.worst == "I" and one.handling is Handling.NEW]
    late = [one.name for one in ours if any(clock.state == "overdue" for clock in clocks(one, allowed))]
    for key, names in (("reds_new", reds), ("overdue", late)):
        if names:
            yield Finding(key, count=len(names), names=_names(names), all=f"flowwatch handover --data {root}")


def documents(patient: Patient) -> Iterator[Finding]:
    """Whether the log has documents, and whether the files say the same."""
    versions = patient.versions
    yield Finding("documents", sites=len(versions)) if versions else Finding("no_site")
    if patient.documents is None and versions:
        return
    for site_file, plan_files in find(shipped() if patient.documents is None else patient.documents):
        try:
            loaded = load(site_file, plan_files)
        except DocumentErrors as errors:
            yield Finding("documents_faulty", file=str(site_file), count=len(errors.faults), fault=str(errors.faults[0]))
            continue
        site = str(loaded.site["site"])
        if versions.get(site, loaded.version) != loaded.version:
            yield Finding("documents_changed", site=site, file=loaded.version, log=versions[site])


def clock(patient: Patient) -> Iterator[Finding]:
    """Whether a live log's time goes on, and agrees with the clock on the wall."""
    tick = log_time(patient.workspace.log)
    if patient.settings.clock is not Clock.WALL or tick == ABSENT:
        return
    age = patient.now - tick
    if age < -AHEAD_US:
        yield Finding("clock_back", seconds=-age // SECOND)
    elif patient.runner is not None and _is_still(patient, tick):
        yield Finding("ticks_missing", seconds=age // SECOND, process=patient.runner)
    else:
        yield Finding("ticks", seconds=max(age, 0) // SECOND)


def _is_still(patient: Patient, tick: int) -> bool:
    return patient.now - tick > max(STILL_US, 10 * patient.settings.tick_us)


def incidents(patient: Patient) -> Iterator[Finding]:
    """What flowwatch itself cannot see well at present; of many of one kind only the first `EXAMPLES`."""
    present = open_incidents(patient)
    told = [key for key in sorted(present) if key[1] in TOLD]
    with Evidence(patient.workspace.log) as evidence:
        for (site, what), keys in groupby(told, key=lambda key: key[:2]):
            record = evidence.document(site, patient.versions[site]) if site in patient.versions else None
            subjects = [key[2] for key in keys]
            for subject in subjects[:EXAMPLES]:
                body = {"what": what, "subject": subject, "state": "raised", "headline": None}
                text = {language: texts.incident(body, Names(record, language)) for language in LANGUAGES}
                yield Finding("incident", site=site, text=text, incident=present[site, what, subject], root=patient.root)
            if len(subjects) > EXAMPLES:
                yield Finding("incidents_more", site=site, count=len(subjects) - EXAMPLES, root=patient.root)


def open_incidents(patient: Patient) -> dict[tuple[str, str, str], str]:
    """(site, what, subject) -> name of every incident that is open: those of the checkpoints, brought up to date by the journal."""
    found: dict[tuple[str, str, str], str] = {}
    for state in patient.states:
        found |= {
            (site, what.value, subject): i.name
            for (site, what, subject), i in Incidents.from_state(state["scribe"]["incidents"]).open.items()
        }
    if patient.workspace.journal.is_file():
        every = len(patient.states) == sum(bool(offsets(patient.workspace.log / name, ".seg")) for name in patient.settings.folders)
        # of a partition that has no checkpoint yet, all that the journal says is news
        since = min((int(state["tick"]) + 1 for state in patient.states), default=None) if every else None
        with closing(Journal.open(patient.workspace.journal, create=False)) as opened:
            for entry in opened.entries(kind=EntryKind.INCIDENT, since=since):
                body = json.loads(entry.body)
                key = (body["site"], body["what"], body["subject"])
                if body["state"] == "cleared":
                    found.pop(key, None)
                else:
                    found[key] = body["incident"]
    return found


def figures(patient: Patient) -> Iterator[Finding]:
    """What the engine says of itself, where it runs: how far behind, how slow, what it refuses, whose clock is wrong."""
    if patient.runner is None:
        return
    ground = Ground(patient.workspace)
    try:
        wrong = judge(ground.samples(), patient.now / SECOND)
    finally:
        ground.close()
    elsewhere = set() if patient.writer is not None else {"inbox"}
    if any(one.name == "lags" for one in wrong) or _is_still(patient, log_time(patient.workspace.log)):
        elsewhere.add("engine_down")  # how far it is behind, or that the clock stands, says more
    yield from (told(one) for one in wrong if one.name in OF_ENGINE and one.name not in elsewhere)


def told(wrong: Wrong) -> Finding:
    """What is wrong by the figures, as a finding: numbers rounded, names cut off after `EXAMPLES`."""
    values: dict[str, Value] = {"all": "GET /v1/incidents"} if wrong.name in ("reds_new", "overdue") else {}
    for key, value in wrong.values.items():
        if key == "reasons" and isinstance(value, list):
            values[key] = _reasons(value)
        elif isinstance(value, list):
            values["names"] = _names(value)
        elif isinstance(value, str):
            values[key] = WHY[value] if key == "why" else SLOW[value] if key == "figure" else value
        elif key == "share":
            values[key] = f"{value:.0%}"
        elif key == "bytes":
            values["free"] = f"{value / 1e9:,.1f} GB"
        elif key == "days":
            values |= {"left": _left(value), key: _number(value)}
        elif key == "longest":
            values[key] = _longest(value)
        elif key == "age":
            values[key] = _lasting(value)
        elif key == "unheard":
            values[key] = {"zh": f"，其中 {value:,.0f} 台从未有过有效读数", "en": f", {value:,.0f} never heard"} if value else NOTHING
        else:
            values[key] = _number(value)
    return Finding("disk_full" if wrong.name == "disk" else wrong.name, **values)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 10 or value == int(value) else f"{value:.3g}"


def _names(every: list[str]) -> Text:
    more = len(every) - EXAMPLES
    shown = every[:EXAMPLES]
    zh = "、".join(shown) + (f"，另有 {more} 个" if more > 0 else "")
    return {"zh": zh, "en": ", ".join(shown) + (f" and {more} more" if more > 0 else "")}


def _reasons(every: list[str]) -> Text:
    """Reasons in words; one of another version, that has none here, as it is."""
    known = {reason.name.lower(): text for reason, text in texts.REASONS.items()}
    found = [known.get(reason, {"zh": reason, "en": reason}) for reason in every]
    return {"zh": "、".join(text["zh"] for text in found), "en": ", ".join(text["en"] for text in found)}


def _left(days: float) -> Text:
    """When a certificate ends that has so long left; less than nothing, it has ended."""
    count = int(abs(days))
    zh, en = (f" {count:,} 天", f"{count:,} day{'s' if count > 1 else ''}") if count else ("不到 1 天", "less than a day")
    if days <= 0:
        return {"zh": f"已于{zh}前到期", "en": f"ended {en} ago"}
    return {"zh": f"还有{zh}到期", "en": f"ends in {en}"}


def _longest(seconds: float) -> Text:
    """For how long the counter is silent that was heard before all others."""
    if seconds < 1:
        return NOTHING
    lasting = _lasting(seconds)
    return {"zh": f"，最长已 {lasting['zh']}", "en": f", the longest for {lasting['en']}"}


def _lasting(seconds: float) -> Text:
    """A duration; beyond a minute, minutes are near enough."""
    whole = int(seconds) if seconds < 60 else int(seconds) // 60 * 60
    return {lang: duration(whole * SECOND, lang) for lang in LANGUAGES}


CHECKS: Final = (folder, locks, segments, inbox, states, journal, handling, documents, clock, figures, incidents)


def examine(patient: Patient) -> Iterator[Finding]:
    """Every check's findings; a folder without a log has only the first."""
    if not patient.workspace.root.is_dir():
        yield Finding("no_folder", root=patient.root)
        return
    has_log = (patient.workspace.log / "settings.json").is_file()
    for check in CHECKS if has_log else (folder,):
        try:
            yield from check(patient)
        except FAULTS as error:
            yield Finding("unexaminable", check=check.__name__, fault=str(error))
    if not has_log:
        yield Finding("no_log", root=patient.root)
