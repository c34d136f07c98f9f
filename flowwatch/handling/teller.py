"""The teller: follows the journal, and writes into the book what people are told of each incident's entry, once.

The last alert in a site's chain of the book names the entry up to which the site was told, whatever became of the process or of the journal's file.
Its hash says whether the journal is still the one of which it was told; of another one everything is told. An entry at which the rules themselves
fail is told without them, so that one that nobody foresaw keeps no other from being told.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from flowwatch.core.entries import Entry, EntryKind
from flowwatch.handling import showing
from flowwatch.handling.readable import CANNOT_READ, readable, sensible
from flowwatch.handling.records import FLOWWATCH, Act, Alert, Handling, Step
from flowwatch.handling.settings import Settings
from flowwatch.handling.telling import DocumentOf, Naming, Record, alert_of, least_of
from flowwatch.handling.ward import Ward
from flowwatch.handling.wards import Wards
from flowwatch.journal import Journal, Standing
from flowwatch.journal.database import JournalError
from flowwatch.journal.follower import BEGINNING, Follower, inode_of
from flowwatch.log.errors import DiskRefused, LogError

LOG: Final = logging.getLogger(__name__)
SECOND: Final = 1_000_000
TELL_MOST: Final = 500
"""Entries told in one transaction: some 50 ms."""
LOOK_S: Final = 0.5
"""How often it is looked whether the journal is still the same file."""
LATE_US: Final = 60 * SECOND
"""What is told later than this after it happened was told when nobody could act on it any sooner: its clocks begin then."""
KINDS: Final = (EntryKind.INCIDENT, EntryKind.DOCUMENT)


class Teller:
    """Tells of one journal. For one thread, that of the book. `tell` raises `JournalError` if a file fails; then `begin` again."""

    def __init__(
        self, journal: Path, settings: Settings, document_of: DocumentOf, now_us: Callable[[], int], naming: Naming | None = None
    ) -> None:
        """`document_of`: reads a site's compiled documents; `now_us`: the log's time; `naming`: gives identifiers to CAP messages."""
        self.place = BEGINNING
        """How far the journal was told."""
        self._path, self._settings = journal, settings
        self._document_of, self._now_us, self._naming = document_of, now_us, naming
        self._follower: Follower | None = None
        self._unread = True
        self._inode, self._look_at = 0, 0.0
        self._documents: dict[str, Record | None] = {}
        self._doubted: set[str] = set()
        """Sites of which the journal holds something else, or not yet as much, as was told."""
        self._failed: Counter[str] = Counter()
        """How often telling of an entry failed."""

    def begin(self, wards: Wards) -> None:
        """Go on from what is known; how often an entry failed is not forgotten."""
        self.leave()
        self.place = wards.place

    def leave(self) -> None:
        """Give the journal back."""
        follower, self._follower = self._follower, None
        if follower is not None:
            follower.close()

    def tell(self, wards: Wards) -> bool:
        """Tell what the journal has new, about `TELL_MOST` entries, for the next commit; whether there is more."""
        self._mind_the_file()
        if self._follower is None and not self._find_place(wards):
            return False
        assert self._follower is not None
        if not self._follower.grew() and not self._unread:
            return False
        self._unread, told = True, 0
        for entry in self._follower.new():
            told += self._tell(entry, wards)
            self.place = self._follower.place
            if told >= TELL_MOST:
                return True
        self._unread = False
        return False

    # ---- where to go on

    def _mind_the_file(self) -> None:
        """Let go of a journal in whose place another file was put: nothing more will ever be written into it."""
        if self._follower is None or time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + LOOK_S
        if inode_of(self._path) != self._inode:
            self.leave()

    def _find_place(self, wards: Wards) -> bool:
        if not self._path.exists():
            return False
        self._inode = inode_of(self._path)
        follower = Follower.open(self._path, self.place, KINDS)
        try:
            self._doubted = self._other_histories(wards)
            if self._doubted or not follower.fits():
                follower.place = BEGINNING
        except BaseException:
            follower.close()
            raise
        self._follower, self.place, self._unread = follower, follower.place, True
        return True

    def _other_histories(self, wards: Wards) -> set[str]:
        """The sites whose last told entry the journal does not hold: not yet, because it is made again, or because it is another journal."""
        told = {ward.site: (ward.told, ward.told_hash) for ward in wards if ward.told}
        with Journal.open(self._path, create=False) as journal:
            return {lag.chain for lag in journal.behind(told) if lag.standing is not Standing.FROZEN}

    def _was_told(self, entry: Entry, wards: Wards) -> bool:
        """Whether people were told of the entry. Of a site that is in doubt it is looked up, until an entry is found of which they were not."""
        ward = wards.of(entry.chain)
        if entry.seq > ward.told:
            return False
        if entry.chain not in self._doubted:
            return True
        same = wards.alerts_at(entry.chain, entry.at)
        mine = {(alert.entry, alert.entry_hash) for _, alert in readable(same) if isinstance(alert, Alert)}
        if (entry.id, entry.hash.hex()) in mine:
            return True
        LOG.error("%s: the journal is another one than that of which people were told; all of the site is told from here on", entry.id)
        self._doubted.discard(entry.chain)
        ward.told = entry.seq - 1
        return False

    # ---- what is told

    def _tell(self, entry: Entry, wards: Wards) -> bool:
        """Tell of one entry, if it was not told; whether anything was written."""
        if entry.kind is EntryKind.DOCUMENT:
            self._documents.pop(entry.chain, None)
            return False
        if self._was_told(entry, wards):
            return False
        if self._failed[entry.id] > 1:
            LOG.error("%s: cannot be told at all; passed over", entry.id)
            return False
        alert = self._alert(entry)
        try:
            wards.write(entry.chain, entry.at, self._said_of(wards.of(entry.chain), entry, alert))
        except (JournalError, DiskRefused):
            raise
        except Exception:
            self._failed[entry.id] += 1
            raise
        return True

    def _alert(self, entry: Entry) -> Alert:
        """The alert of an entry, as much as can be said."""
        try:
            alert = sensible(alert_of(entry, self._document(entry.chain), self._settings.priorities, self._naming))
        except (*CANNOT_READ, LookupError, TypeError, AttributeError):
            LOG.exception("%s: an incident of which little can be understood; it is told with that", entry.id)
            alert = least_of(entry)
        try:
            now = self._now_us()
        except LogError:  # a clock that is told and cannot be read
            now = entry.at
        late = now - entry.at > LATE_US and alert.state != "cleared"
        return msgspec.structs.replace(alert, told_us=now) if late else alert

    def _said_of(self, ward: Ward, entry: Entry, alert: Alert) -> Iterator[Alert | Step]:
        """What is written for one entry. Where the rules have failed at it before, it is told without them."""
        if self._failed[entry.id]:
            LOG.error("%s: told without the rules of showing, which failed at it", entry.id)
            yield showing.plain(alert)
            return
        due = showing.next_timed(ward)
        if due is not None and due <= entry.at:
            yield from showing.timed(ward, entry.at, self._settings.rules)
        yield from showing.tell(ward, alert, entry.at, self._settings.rules)
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
        with Journal.open(self._path, create=False) as journal:
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
