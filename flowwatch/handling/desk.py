"""The desk: the one thread that has people told of incidents, takes their steps, and watches the clocks.

Each turn it has the teller tell what the journal has new, takes the steps that people asked for, sees which clocks have something to say, and all of
it is written into the book in one transaction; then, and only then, the others hear of it. Where the disk fails, what was not kept is forgotten and
done again from the book: nothing that anybody was told to be kept is lost.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec

from flowwatch.core.entries import Entry
from flowwatch.handling import clocks, showing, steps
from flowwatch.handling.book import UnwritableError
from flowwatch.handling.incident import Clock, Incident
from flowwatch.handling.kinds import USUAL, Own
from flowwatch.handling.records import SERVICE, Act, Alert, Said, Step
from flowwatch.handling.settings import Settings
from flowwatch.handling.steps import NotPossibleError
from flowwatch.handling.teller import Teller
from flowwatch.handling.telling import DocumentOf, Naming
from flowwatch.handling.ward import Ward
from flowwatch.handling.wards import Wards
from flowwatch.journal.database import JournalError
from flowwatch.journal.follower import Place
from flowwatch.log.errors import DiskRefused

LOG: Final = logging.getLogger(__name__)
SECOND: Final = 1_000_000
POLL_S: Final = 0.02
"""How often the journal is asked whether it grew: little beside the second that a decision takes to come."""
KEEP_US: Final = 300 * SECOND
"""How often what is known is kept for the next start."""
AGAIN_S: Final = 1.0
"""After which time a journal or book that failed is tried again."""


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
        self._book_path, self._kept_path, self._now_us = book, kept, now_us
        self._teller = Teller(journal, settings, document_of, now_us, naming)
        self._wards: Wards | None = None
        """The book and what it says; None while it cannot be opened."""
        self._asked: queue.SimpleQueue[_Asked | None] = queue.SimpleQueue()
        self._due: dict[str, int] = {}
        """Chain -> when its clocks have something to say next."""
        self._open: dict[str, dict[str, Incident]] = {}
        """What others see: site -> name -> incident, open and lately closed, replaced whole after each commit."""
        self._keep_at = 0
        self._answers: list[tuple[Future[Entry | None], Entry | None]] = []
        self._troubles: list[Callable[[], Entry | None]] = []
        """What feeds said of themselves and is not in the book yet."""
        self._noting = threading.Lock()
        self._stopping, self._ended = threading.Event(), threading.Event()
        self._ready = threading.Event()
        self._abandoned, self._well = False, True
        self._thread = threading.Thread(target=self._run, name="desk", daemon=True)

    # ---- for other threads

    def start(self) -> None:
        """Begin. A book that cannot be opened is tried again, and nothing else of the service waits for it; so is a journal that is not there yet."""
        try:
            self._opened()
        except JournalError as error:
            LOG.error("the desk: %s", error)  # noqa: TRY400 - the sentence says it
        except Exception:
            LOG.exception("the desk: the book cannot be read")
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

    @property
    def well(self) -> bool:
        """Whether its loop runs, and its last turn did not fail."""
        return self.alive and self._well

    @property
    def told(self) -> Place:
        """How far the journal was told."""
        return self._teller.place

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
        return self._ask(lambda: self._opened().add(site, self._now_us(), step))

    def trouble(self, key: str, text: Said, *, on: bool, detail: dict[str, Any] | None = None) -> None:
        """Somebody who is to be told cannot be reached, or can again (`on` false)."""
        with self._noting:
            self._troubles.append(partial(self._trouble, key, text, on, detail))
        self._asked.put(None)

    def end_troubles_but(self, keys: Callable[[str], bool]) -> None:
        """End what was said of feeds that are there no more: of those whose key `keys` does not know."""

        def work() -> Entry | None:
            gone = Said("该推送已撤销", "this feed was taken away")
            for one in list(self._opened().of(SERVICE).incidents.values()):
                if one.what == Own.FEED_UNDELIVERED and one.active and not keys(one.subject):
                    self._trouble(one.subject, gone, False, None)
            return None

        with self._noting:
            self._troubles.append(work)
        self._asked.put(None)

    def incidents(self, site: str) -> list[Incident]:
        """The open incidents of a site, the most urgent first."""
        found = [incident for incident in self._open.get(site, {}).values() if incident.open]
        return sorted(found, key=Incident.order)

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
        return clocks.duty(self.settings.duties, incident.escalated)

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
        self._leave()
        self._ended.set()
        self._refuse_rest()

    def _guarded(self, work: Callable[[], None]) -> None:
        """Do something; where it fails, nothing that was not kept stays, and it is tried again."""
        try:
            work()
            self._well = True
        except Exception as error:
            self._well = False
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
        self._leave()

    def _leave(self) -> None:
        """Give both files back."""
        wards, self._wards = self._wards, None
        with suppress(Exception):
            self._teller.leave()
        if wards is not None:
            with suppress(Exception):
                wards.close()

    def _turn(self) -> None:
        wards = self._opened()
        self._take_asked()
        more = self._teller.tell(wards)
        noted = self._take_troubles()
        self._commit()
        self._forget_troubles(noted)
        if not more:
            self._ready.set()
        now = self._now_us()
        if now >= self._keep_at:
            self._keep_at = now + KEEP_US
            wards.keep(self._teller.place)
        self._mind_clocks(wards, now)
        self._commit()

    def _last_turn(self) -> None:
        """Take what was asked before the end, and keep what is known."""
        wards = self._opened()
        self._take_asked()
        self._take_troubles()
        self._commit()
        wards.keep(self._teller.place)

    # ---- the book

    def _opened(self) -> Wards:
        """The book and what it says, opened if it is not. Raises `JournalError`."""
        if self._wards is None:
            self._wards = Wards.open(self._book_path, self._kept_path)
            self._teller.begin(self._wards)
            self._due = {}
            self._publish(self._wards.commit())
        return self._wards

    def _commit(self) -> None:
        """Have what was written on the disk; then those hear of it who asked for it, and those who look."""
        self._publish(self._opened().commit())
        answers, self._answers = self._answers, []
        for done, entry in answers:
            done.set_result(entry)

    def _publish(self, touched: Mapping[str, Ward]) -> None:
        for site, ward in touched.items():
            self._open[site] = {**ward.closed, **ward.incidents}
            found = [clocks.next_due(incident, self.settings.allowed) for incident in ward.incidents.values()]
            due = min((at for at in (*found, showing.next_timed(ward)) if at is not None), default=None)
            if due is None:
                self._due.pop(site, None)
            else:
                self._due[site] = due

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
        wards, now = self._opened(), self._now_us()
        ward = wards.of(site)
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
        entry = wards.add(site, now, step)
        wards.write(site, now, showing.closing(ward, name))
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
        wards, now = self._opened(), self._now_us()
        ward = wards.of(SERVICE)
        present = next((i for i in ward.incidents.values() if i.what == Own.FEED_UNDELIVERED and i.subject == key and i.active), None)
        if on and present is None:
            what = Own.FEED_UNDELIVERED
            alert = showing.own_alert(what, SERVICE, USUAL[what], now, text, name=showing.own_name(ward), subject=key)
            return wards.write(SERVICE, now, showing.tell(ward, msgspec.structs.replace(alert, detail=detail), now, self.settings.rules))
        if not on and present is not None:
            ended = msgspec.structs.replace(present.alert, state="cleared", text=text, parent=None)
            return wards.write(SERVICE, now, showing.tell(ward, ended, now, self.settings.rules))
        return None

    # ---- the clocks

    def _mind_clocks(self, wards: Wards, now: int) -> None:
        for site in [site for site, due in self._due.items() if due <= now]:
            wards.touch(site)
            wards.write(site, now, self._clocks_say(wards.of(site), now))

    def _clocks_say(self, ward: Ward, now: int) -> Iterator[Alert | Step]:
        for incident in list(ward.incidents.values()):
            yield from clocks.due(incident, self.settings.allowed, self.settings.duties, now)
            yield from showing.closing(ward, incident.name)
        yield from showing.timed(ward, now, self.settings.rules)
