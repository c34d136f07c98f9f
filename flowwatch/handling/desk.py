"""The desk: the one thread that follows the journal, tells people of incidents, takes their steps, and watches the clocks.

Each turn it reads what the journal has new, takes the steps that people asked for, sees which clocks have something to say, and writes all of it
into the book in one transaction; then, and only then, the others hear of it. Every incident's entry of the journal is told exactly once: the last
alert in a site's chain of the book names the entry up to which the site was told, whatever became of this process or of the journal's file. Its hash
says whether the journal is still the one of which it was told; of another one everything is told.

Where the disk fails, what was not kept is forgotten and done again from the book: nothing that anybody was told to be kept is lost. An entry at which
the rules themselves fail is told without them, so that one that nobody foresaw keeps no other from being told.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec

from flowwatch.core.entries import Entry, EntryKind
from flowwatch.documents.deployment import Alarms
from flowwatch.documents.words import duration_us
from flowwatch.handling import clocks, memory, showing, steps
from flowwatch.handling.book import Book, UnwritableError
from flowwatch.handling.incident import Clock, Incident
from flowwatch.handling.kinds import RANKS, USUAL, Own
from flowwatch.handling.records import FLOWWATCH, SERVICE, Act, Alert, Handling, Said, Step, read
from flowwatch.handling.showing import Rules
from flowwatch.handling.steps import NotPossibleError
from flowwatch.handling.telling import DocumentOf, Naming, Record, alert_of, least_of
from flowwatch.handling.ward import Ward
from flowwatch.journal import Journal, Standing
from flowwatch.journal.database import JournalError
from flowwatch.journal.follower import BEGINNING, Follower, Place, inode_of
from flowwatch.log.errors import DiskRefused, LogError

LOG: Final = logging.getLogger(__name__)
SECOND: Final = 1_000_000
POLL_S: Final = 0.02
"""How often the journal is asked whether it grew: little beside the second that a decision takes to come."""
TELL_MOST: Final = 500
"""Entries told in one transaction: some 50 ms."""
LOOK_S: Final = 0.5
"""How often it is looked whether the journal is still the same file."""
KEEP_US: Final = 300 * SECOND
"""How often what is known is kept for the next start."""
AGAIN_S: Final = 1.0
"""After which time a journal or book that failed is tried again."""
LATE_US: Final = 60 * SECOND
"""What is told later than this after it happened was told when nobody could act on it any sooner: its clocks begin then."""
KINDS: Final = (EntryKind.INCIDENT, EntryKind.DOCUMENT)


@dataclass(frozen=True, slots=True)
class Settings:
    """What a deployment says of alarms. `allowed`: priority -> clock -> microseconds; `duties`: who answers, in their order."""

    rules: Rules
    allowed: clocks.Allowed
    duties: tuple[str, ...]
    priorities: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, alarms: Alarms) -> Settings:
        """What a deployment file says."""
        allowed = {
            level: {step: duration_us(getattr(getattr(alarms.clocks, level), step)) for step in clocks.STEPS}
            for level in ("I", "II", "III", "IV")
        }
        rules = Rules(duration_us(alarms.returns_within), alarms.flood_from, alarms.flood_until)
        return cls(rules, allowed, tuple(alarms.duties), {kind: priority.value for kind, priority in alarms.priorities.items()})


@dataclass(frozen=True, slots=True)
class _Asked:
    """Something that another thread wants to be done in the loop."""

    work: Callable[[], Entry | None]
    done: Future[Entry | None]


class Desk:
    """The desk of one installation. `start`, then anything from any thread, then `stop`."""

    def __init__(
        self,
        journal: Path,
        book: Path,
        settings: Settings,
        document_of: DocumentOf,
        now_us: Callable[[], int],
        *,
        kept: Path | None = None,
        naming: Naming | None = None,
    ) -> None:
        """`kept`: the file in which what is known is kept for the next start; `now_us`: the log's time."""
        self.settings = settings
        self._journal_path, self._book_path, self._kept_path = journal, book, kept
        self._document_of, self._now_us, self._naming = document_of, now_us, naming
        self._asked: queue.SimpleQueue[_Asked | None] = queue.SimpleQueue()
        self._book: Book | None = None
        self._follower: Follower | None = None
        self._wards: dict[str, Ward] = {}
        self._documents: dict[str, Record | None] = {}
        self._place = BEGINNING
        self._unread = True
        self._inode, self._look_at = 0, 0.0
        self._due: dict[str, int] = {}
        self._touched: set[str] = set()
        self._open: dict[str, dict[str, Incident]] = {}
        """What others see: site -> name -> incident, open and lately closed, replaced whole after each commit."""
        self._keep_at = 0
        self._answers: list[tuple[Future[Entry | None], Entry | None]] = []
        self._troubles: list[Callable[[], Entry | None]] = []
        """What feeds said of themselves and is not in the book yet."""
        self._noting = threading.Lock()
        self._doubted: set[str] = set()
        """Sites of which the journal holds something else, or not yet as much, as was told."""
        self._failed: Counter[str] = Counter()
        """How often telling of an entry failed."""
        self._kept_at: tuple[Place, int] | None = None
        self._stopping, self._ended = threading.Event(), threading.Event()
        self._ready = threading.Event()
        self._abandoned = False
        self._thread = threading.Thread(target=self._run, name="desk", daemon=True)

    # ---- for other threads

    def start(self) -> None:
        """Begin. A book that cannot be opened is tried again, and nothing else of the service waits for it; so is a journal that is not there yet."""
        try:
            self._open_book()
        except JournalError as error:
            LOG.error("the desk: %s", error)  # noqa: TRY400 - the sentence says it
        self._thread.start()

    def stop(self) -> None:
        """Finish what was asked for, keep what is known, and end."""
        self._end(abandoned=False)

    def abandon(self) -> None:
        """End without keeping anything, as a killed process does; for tests."""
        self._end(abandoned=True)

    @property
    def alive(self) -> bool:
        """Whether the loop runs."""
        return self._thread.is_alive()

    def caught_up(self, timeout_s: float) -> bool:
        """Wait until the journal was told to its end once; whether it was."""
        return self._ready.wait(timeout_s)

    def act(
        self,
        site: str,
        incident: str,
        act: Act,
        by: str,
        role: str | None = None,
        reason: str = "",
        *,
        to: str | None = None,
        until_us: int | None = None,
    ) -> Future[Entry | None]:
        """Take a step. The future holds its entry once it is durable, or `NotPossibleError`, or `JournalError` where it could not be kept."""
        return self._ask(partial(self._act, site, incident, act, by, role, reason, to, until_us))

    def handover(self, site: str, by: str, to: str, reason: str, detail: dict[str, Any] | None = None) -> Future[Entry | None]:
        """Note that a shift took over, with what was handed to it."""
        step = Step(site=site, incident="", act=Act.HANDOVER, by=by, to=to, reason=reason, detail=detail)
        return self._ask(lambda: self._add(site, self._now_us(), step))

    def trouble(self, key: str, text: Said, *, on: bool, detail: dict[str, Any] | None = None) -> None:
        """Somebody who is to be told cannot be reached, or can again (`on` false)."""
        with self._noting:
            self._troubles.append(partial(self._trouble, key, text, on, detail))
        self._asked.put(None)

    def end_troubles_but(self, keys: Callable[[str], bool]) -> None:
        """End what was said of feeds that are there no more: of those whose key `keys` does not know."""

        def work() -> Entry | None:
            gone = Said("该推送已撤销", "this feed was taken away")
            for one in list(self._ward(SERVICE).incidents.values()):
                if one.what == Own.FEED_UNDELIVERED and one.active and not keys(one.subject):
                    self._trouble(one.subject, gone, False, None)
            return None

        with self._noting:
            self._troubles.append(work)
        self._asked.put(None)

    def incidents(self, site: str) -> list[Incident]:
        """The open incidents of a site, the most urgent first."""
        found = [incident for incident in self._open.get(site, {}).values() if incident.open]
        return sorted(found, key=lambda i: (-RANKS[i.priority], i.since_us, i.name))

    def lately(self, site: str) -> list[Incident]:
        """The incidents of a site that are open or were closed lately."""
        return list(self._open.get(site, {}).values())

    def find(self, name: str) -> Incident | None:
        """An incident that is open, or was closed lately."""
        site = name.rpartition("-")[0]
        return self._open.get(site, {}).get(name)

    def sites(self) -> list[str]:
        """The chains of the book."""
        return sorted(self._open)

    def clocks(self, incident: Incident) -> tuple[Clock, ...]:
        """The clocks of an incident."""
        return clocks.clocks(incident, self.settings.allowed)

    def duty(self, incident: Incident) -> str:
        """Who answers for it now."""
        return self.settings.duties[min(incident.escalated, len(self.settings.duties) - 1)]

    # ---- the loop

    def _ask(self, work: Callable[[], Entry | None]) -> Future[Entry | None]:
        done: Future[Entry | None] = Future()
        if self._stopping.is_set():
            done.set_exception(JournalError("the service stops; nothing is taken any more"))
        else:
            self._asked.put(_Asked(work, done))
            if self._ended.is_set():  # it ended in between
                self._refuse_rest()
        return done

    def _refuse_rest(self) -> None:
        """Answer those whom the loop will not come to any more."""
        with suppress(queue.Empty):
            while True:
                asked = self._asked.get_nowait()
                if asked is not None and asked.done.set_running_or_notify_cancel():
                    asked.done.set_exception(JournalError("the service stopped before it was taken"))

    def _end(self, *, abandoned: bool) -> None:
        self._abandoned = abandoned
        self._stopping.set()
        self._asked.put(None)
        if self._thread.ident is not None:
            self._thread.join(10.0)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._guarded(self._turn)
        if not self._abandoned:
            self._guarded(self._last_turn)
        for held in (self._follower, self._book):
            if held is not None:
                with suppress(JournalError):
                    held.close()
        self._ended.set()
        self._refuse_rest()

    def _guarded(self, work: Callable[[], None]) -> None:
        """Do something; where it fails, nothing that was not kept stays, and it is tried again."""
        try:
            work()
        except Exception as error:
            if isinstance(error, (JournalError, DiskRefused)):
                LOG.error("the desk: %s", error)  # noqa: TRY400 - the sentence says it
            else:
                LOG.exception("the desk failed; it goes on from the book")
            self._fail(error)
            self._stopping.wait(AGAIN_S)

    def _fail(self, error: Exception) -> None:
        answers, self._answers = self._answers, []
        for done, _ in answers:
            done.set_exception(
                error if isinstance(error, JournalError) else JournalError("the desk failed; the service's own log says why")
            )
        for held in (self._follower, self._book):
            if held is not None:
                with suppress(Exception):
                    held.close()
        self._follower, self._book = None, None

    def _turn(self) -> None:
        if self._book is None:
            self._open_book()
        self._take_asked()
        more = self._follow()
        noted = self._take_troubles()
        self._commit()
        self._forget_troubles(noted)
        if not more:
            self._ready.set()
        now = self._now_us()
        if now >= self._keep_at:
            self._keep_at = now + KEEP_US
            self._keep()
        self._mind_clocks(now)
        self._commit()

    def _last_turn(self) -> None:
        """Take what was asked before the end, and keep what is known."""
        if self._book is None:
            self._open_book()
        self._take_asked()
        self._take_troubles()
        self._commit()
        self._keep()

    # ---- the book

    def _open_book(self) -> None:
        """Open the book, and know again what it says."""
        book = Book.open(self._book_path)
        try:
            known = None if self._kept_path is None else memory.recall(self._kept_path, book.journal)
            wards = {} if known is None else known.wards
            for chain, (seq, _) in book.journal.heads().items():
                ward = wards.setdefault(chain, Ward(site=chain))
                if seq > ward.seq:
                    for entry in book.journal.entries(chain, after_id=f"{chain}-{ward.seq}" if ward.seq else None):
                        ward.take(entry)
        except BaseException:
            book.close()
            raise
        self._book, self._wards = book, wards
        self._place = BEGINNING if known is None else known.place
        self._due, self._touched = {}, set(wards)
        self._publish()

    def _add(self, chain: str, at_us: int, said: Alert | Step) -> Entry:
        assert self._book is not None
        entry = self._book.prepare(chain, at_us, said)
        self._ward(chain).take(entry)
        self._touched.add(chain)
        return entry

    def _write(self, chain: str, at_us: int, said: Iterable[Alert | Step]) -> Entry | None:
        """Write one after the other, each known before the next is made; the last."""
        entry = None
        for one in said:
            entry = self._add(chain, at_us, one)
        return entry

    def _ward(self, site: str) -> Ward:
        return self._wards.setdefault(site, Ward(site=site))

    def _commit(self) -> None:
        assert self._book is not None
        self._book.commit()
        self._publish()
        answers, self._answers = self._answers, []
        for done, entry in answers:
            done.set_result(entry)

    def _publish(self) -> None:
        for site in self._touched:
            ward = self._wards[site]
            self._open[site] = {**ward.closed, **ward.incidents}
            found = [due for i in ward.incidents.values() if (due := clocks.next_due(i, self.settings.allowed)) is not None]
            timed = showing.next_timed(ward)
            if found or timed is not None:
                self._due[site] = min([*found, *([timed] if timed is not None else [])])
            else:
                self._due.pop(site, None)
        self._touched = set()

    def _keep(self) -> None:
        """Keep what is known for the next start; that it could not be kept costs time there and nothing else."""
        assert self._book is not None
        state = self._place, sum(ward.seq for ward in self._wards.values())
        if self._kept_path is None or state == self._kept_at:
            return
        self._kept_at = state
        try:
            memory.keep(self._kept_path, self._book.journal.heads(), self._place, self._wards)
        except DiskRefused as error:
            LOG.warning("the desk: %s", error)

    # ---- what people ask

    def _take_asked(self) -> None:
        """Wait a moment for a request, and take all that there are."""
        try:
            asked = self._asked.get(timeout=POLL_S)
            while True:
                if asked is not None:
                    self._do(asked)
                asked = self._asked.get_nowait()
        except queue.Empty:
            return

    def _do(self, asked: _Asked) -> None:
        if not asked.done.set_running_or_notify_cancel():
            return
        try:
            self._answers.append((asked.done, asked.work()))
        except (NotPossibleError, UnwritableError) as error:
            asked.done.set_exception(NotPossibleError(str(error)))
        except BaseException:
            self._answers.append((asked.done, None))  # it hears of the failure with the others
            raise

    def _act(
        self, site: str, name: str, act: Act, by: str, role: str | None, reason: str, to: str | None, until_us: int | None
    ) -> Entry | None:
        ward, now = self._ward(site), self._now_us()
        incident = ward.find(name)
        if incident is None:
            near = get_close_matches(name, [*ward.incidents, *ward.closed], n=1)
            raise NotPossibleError(f'no incident "{name:.90}" at {site}' + (f'; did you mean "{near[0]}"?' if near else ""))
        handling = steps.check(incident, act, now, reason=reason, to=to, until_us=until_us)
        # judged here again, because it may have moved since the request was let in
        if role == "operator" and steps.needs_supervisor(act, incident):
            raise NotPossibleError(f"{name} is {incident.handling}: {act} takes a supervisor there")
        step = Step(
            site=site, incident=name, act=act, by=by, role=role, reason=reason, cycle=incident.cycle, handling=handling, to=to, until_us=until_us
        )  # fmt: skip
        entry = self._add(site, now, step)
        self._write(site, now, showing.closing(ward, name))
        return entry

    def _take_troubles(self) -> int:
        """Write what feeds said of themselves; how many words that were. They are forgotten once they are kept."""
        with self._noting:
            noted = list(self._troubles)
        for note in noted:
            try:
                note()
            except (JournalError, DiskRefused):
                raise
            except Exception:
                LOG.exception("what a feed said of itself cannot be written; it is left out")
        return len(noted)

    def _forget_troubles(self, noted: int) -> None:
        with self._noting:
            del self._troubles[:noted]

    def _trouble(self, key: str, text: Said, on: bool, detail: dict[str, Any] | None) -> Entry | None:  # noqa: FBT001 - bound above
        ward, now = self._ward(SERVICE), self._now_us()
        present = next((i for i in ward.incidents.values() if i.what == Own.FEED_UNDELIVERED and i.subject == key and i.active), None)
        if on and present is None:
            what = Own.FEED_UNDELIVERED
            alert = showing.own_alert(what, SERVICE, USUAL[what], now, text, name=showing.own_name(ward), subject=key)
            return self._write(SERVICE, now, showing.tell(ward, msgspec.structs.replace(alert, detail=detail), now, self.settings.rules))
        if not on and present is not None:
            ended = msgspec.structs.replace(present.alert, state="cleared", text=text, parent=None)
            return self._write(SERVICE, now, showing.tell(ward, ended, now, self.settings.rules))
        return None

    # ---- the journal

    def _follow(self) -> bool:
        """Tell what the journal has new; whether there is more."""
        self._mind_the_file()
        if self._follower is None and not self._find_place():
            return False
        assert self._follower is not None
        if not self._follower.grew() and not self._unread:
            return False
        self._unread, told = True, 0
        for entry in self._follower.new():
            told += self._tell(entry)
            self._place = self._follower.place
            if told >= TELL_MOST:
                return True
        self._unread = False
        return False

    def _mind_the_file(self) -> None:
        """Let go of a journal in whose place another file was put: nothing more will ever be written into it."""
        if self._follower is None or time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + LOOK_S
        if inode_of(self._journal_path) != self._inode:
            follower, self._follower = self._follower, None
            follower.close()

    def _find_place(self) -> bool:
        if not self._journal_path.exists():
            return False
        self._inode = inode_of(self._journal_path)
        follower = Follower.open(self._journal_path, self._place, KINDS)
        try:
            self._doubted = self._other_histories()
            if self._doubted or not follower.fits():
                follower.place = BEGINNING
        except BaseException:
            follower.close()
            raise
        self._follower, self._place, self._unread = follower, follower.place, True
        return True

    def _other_histories(self) -> set[str]:
        """The sites whose last told entry the journal does not hold: not yet, because it is made again, or because it is another journal."""
        told = {site: (ward.told, ward.told_hash) for site, ward in self._wards.items() if ward.told}
        with Journal.open(self._journal_path, create=False) as journal:
            return {lag.chain for lag in journal.behind(told) if lag.standing is not Standing.FROZEN}

    def _was_told(self, ward: Ward, entry: Entry) -> bool:
        """Whether people were told of the entry. Of a site that is in doubt it is looked up, until an entry is found of which they were not."""
        if entry.seq > ward.told:
            return False
        if entry.chain not in self._doubted:
            return True
        assert self._book is not None
        same = self._book.journal.entries(entry.chain, EntryKind.ALERT, since=entry.at, until=entry.at + 1)
        mine = {(alert.entry, alert.entry_hash) for found in same if isinstance(alert := read(found), Alert)}
        if (entry.id, entry.hash.hex()) in mine:
            return True
        LOG.error("%s: the journal is another one than that of which people were told; all of the site is told from here on", entry.id)
        self._doubted.discard(entry.chain)
        ward.told = entry.seq - 1
        return False

    def _tell(self, entry: Entry) -> bool:
        """Tell of one entry, if it was not told; whether anything was written."""
        if entry.kind is EntryKind.DOCUMENT:
            self._documents.pop(entry.chain, None)
            return False
        ward = self._ward(entry.chain)
        if self._was_told(ward, entry):
            return False
        if self._failed[entry.id] > 1:
            LOG.error("%s: cannot be told at all; passed over", entry.id)
            return False
        try:
            alert = alert_of(entry, self._document(entry.chain), self.settings.priorities, self._naming)
        except (ValueError, LookupError, TypeError, AttributeError):
            LOG.exception("%s: an incident of which little can be understood; it is told with that", entry.id)
            alert = least_of(entry)
        try:
            now = self._now_us()
        except LogError:  # a clock that is told and cannot be read
            now = entry.at
        if now - entry.at > LATE_US and alert.state != "cleared":
            alert = msgspec.structs.replace(alert, told_us=now)
        try:
            self._write(entry.chain, entry.at, self._said_of(ward, entry, alert))
        except (JournalError, DiskRefused):
            raise
        except Exception:
            self._failed[entry.id] += 1
            raise
        return True

    def _said_of(self, ward: Ward, entry: Entry, alert: Alert) -> Iterator[Alert | Step]:
        """What is written for one entry. Where the rules have failed at it before, it is told without them."""
        if self._failed[entry.id]:
            LOG.error("%s: told without the rules of showing, which failed at it", entry.id)
            yield showing.plain(alert)
            return
        due = showing.next_timed(ward)
        if due is not None and due <= entry.at:
            yield from showing.timed(ward, entry.at, self.settings.rules)
        yield from showing.tell(ward, alert, entry.at, self.settings.rules)
        if alert.reason == "confirmed" and alert.state == "updated":
            yield from self._confirmed(ward, entry, alert)

    def _confirmed(self, ward: Ward, entry: Entry, alert: Alert) -> Iterator[Step]:
        """Somebody stood by the incident with an operator's record: that acknowledges it, in the name of who wrote it."""
        incident = ward.incidents.get(alert.incident)
        if incident is None or incident.handling is not Handling.NEW:
            return
        yield Step(
            site=alert.site, incident=alert.incident, act=Act.ACKNOWLEDGE, by=self._who(entry), reason="confirmed", cycle=incident.cycle,
            handling=Handling.ACKNOWLEDGED,
        )  # fmt: skip
        yield from showing.closing(ward, alert.incident)

    def _who(self, entry: Entry) -> str:
        """Who wrote the record that an entry names as its cause: it stands a little before it in the chain, decided at the same tick."""
        action = (msgspec.json.decode(entry.body).get("cause") or {}).get("action")
        with Journal.open(self._journal_path, create=False) as journal:
            for found in journal.entries(entry.chain, EntryKind.ACTION, until=entry.at + 1, limit=50, newest=True):
                body = msgspec.json.decode(found.body)
                if body["action"] == action:
                    return str(body["record"]["by"])
        return FLOWWATCH

    def _document(self, site: str) -> Record | None:
        if site not in self._documents:
            try:
                self._documents[site] = self._document_of(site, None)
            except Exception:
                LOG.exception("%s: its documents cannot be read; its things are told by their names", site)
                return None
        return self._documents[site]

    # ---- the clocks

    def _mind_clocks(self, now: int) -> None:
        for site in [site for site, due in self._due.items() if due <= now]:
            self._touched.add(site)
            self._write(site, now, self._clocks_say(self._wards[site], now))

    def _clocks_say(self, ward: Ward, now: int) -> Iterator[Alert | Step]:
        for incident in list(ward.incidents.values()):
            yield from clocks.due(incident, self.settings.allowed, self.settings.duties, now)
            yield from showing.closing(ward, incident.name)
        yield from showing.timed(ward, now, self.settings.rules)
