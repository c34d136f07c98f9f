"""What happened to a chain: from the places where an entry does not follow from the one before it to what was done there.

A chain falls into *runs*, in each of which every entry follows from the one before. The first entry of a run is looked for a predecessor elsewhere:
among the entries shortly before it, which finds what was inserted between, and among the ends of the other runs, which finds what was moved. Runs
are then numbered along their predecessors; whose numbers differ from those that they have stand in the wrong place.

What a chain cannot tell, and nobody can tell from it: whether an entry was changed, or the one before it and its hash made anew, or one between
them taken out and all that follow numbered anew. Both entries are then named. Nothing here reads a database.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain as joined
from itertools import pairwise
from typing import Final, NamedTuple

from flowwatch.core.entries import EntryKind, link
from flowwatch.journal.findings import Break, Fault
from flowwatch.journal.tables import site_of

BEFORE: Final = 64
"""So many entries before a run are tried as the one that it follows: inserted runs up to this length are recognised as such."""
THREADED: Final = 400
"""Up to so many runs in a chain, each is tried behind the end of every other: 160,000 hashes, 0.2 s."""
LOOKED_BACK: Final = 2_000
"""Behind so many runs only the entry right before one is tried: what is broken in more places is no trick any more."""
PAIRED: Final = 100
"""Up to so many changed entries, each is tried in the place of every other."""
_KINDS: Final = frozenset(map(str, EntryKind))


class Link(NamedTuple):
    """A row of a chain, as it is stored."""

    seq: int
    kind: str
    at: int
    body: bytes
    hash: bytes
    site: str | None = None

    def behind(self, previous: bytes) -> bytes:
        """The hash that it has if it follows an entry whose hash is `previous`."""
        return link(previous, self.kind, self.at, self.body)


@dataclass(slots=True, eq=False)
class _Run:
    """Entries each of which follows from the one before; `before`: what stands right before the first, the last of them first."""

    first: int
    last: int
    tail: bytes
    head: Link | None = None
    before: list[tuple[int, bytes, _Run]] = field(default_factory=list)
    behind: tuple[_Run, int] | None = None
    """The run, and the number in it, that this one follows from."""
    foreign: bool = False
    """It was inserted."""
    number: int | None = None
    """What the first should be numbered."""

    def __len__(self) -> int:
        return self.last - self.first + 1


class Walk:
    """One chain, walked once with `links`, which passes on what follows from its predecessor; `breaks` then says what is wrong."""

    def __init__(self, chain: str, start: tuple[int, bytes]) -> None:
        self._chain = chain
        self._root = _Run(start[0] + 1, start[0], start[1])
        self._runs = [self._root]
        self._found: list[Break] = []

    def links(self, rows: Iterable[Link]) -> Iterator[Link]:
        """The rows (ascending by number) that stand in order behind another; the others are kept for `breaks`."""
        run, previous, seq = self._root, self._root.tail, self._root.last
        before: deque[tuple[int, bytes, _Run]] = deque([(seq, previous, run)], maxlen=BEFORE + 1)
        for row, following in pairwise(joined(rows, (None,))):
            assert row is not None
            should = row.behind(previous)
            hash_, fits = row.hash, should == row.hash and row.seq == seq + 1
            if not fits and row.seq == seq + 1 and following is not None and following.behind(should) == following.hash:
                self._tell(row.seq, "its hash was changed: the next entry follows from another", Fault.ALTERED)
                hash_, fits = should, True
            elif fits:
                yield row
            if not fits:
                tried = 1 if len(self._runs) > LOOKED_BACK else BEFORE + 1
                run = _Run(row.seq, row.seq, hash_, row, [*reversed(before)][:tried])
                self._runs.append(run)
            self._check(row, fits=fits)
            run.last, run.tail = row.seq, hash_
            seq, previous = row.seq, hash_
            before.append((seq, previous, run))

    def _check(self, row: Link, *, fits: bool) -> None:
        if fits and row.kind not in _KINDS:
            self._tell(row.seq, f'kind "{row.kind}", expected one of {", ".join(EntryKind)}', Fault.ALTERED)
        if row.site != site_of(self._chain):
            self._tell(row.seq, f'it is said to be of site "{row.site}", expected "{site_of(self._chain)}"', Fault.ALTERED)

    def breaks(self) -> list[Break]:
        """Everything that is wrong, by number."""
        for run in self._runs[1:]:
            run.behind = self._predecessor(run)
        for run in self._runs[1:]:
            self._choose(run)
        self._root.number = self._root.first
        shift, gaps, held = 0, list[tuple[int, int]](), list[tuple[int, int]]()
        for previous, run in pairwise(self._runs):
            if run.foreign:
                continue
            number = self._number(run, run.first - shift)
            missing = run.first - previous.last - 1
            if run.behind is None:
                run.number = run.first - shift
                if missing > 0:
                    gaps.append((previous.last + 1, run.first - 1))
                else:
                    self._altered(previous, run)
            elif self._inserted(run):
                shift = run.first - number
            if run.behind is not None and run.first - shift != number:
                held.append((number, number + len(run) - 1))
                self._moved(run, number)
        self._missing(gaps, held)
        self._swapped()
        return sorted(self._found, key=lambda found: (found.seq, found.last or found.seq))

    # ---- what follows from what

    def _predecessor(self, run: _Run) -> tuple[_Run, int] | None:
        """The nearest entry before `run`, else the end of another run, that its first entry follows from."""
        head = run.head
        assert head is not None
        for seq, hash_, owner in run.before:
            if head.behind(hash_) == head.hash:
                return owner, seq
        if len(self._runs) <= THREADED:
            for other in self._runs:
                if other is not run and head.behind(other.tail) == head.hash:
                    return other, other.last
        return None

    def _choose(self, run: _Run) -> None:
        """Where what stands between and `run` both follow from one entry, the shorter of the two does not belong."""
        between = self._between(run)
        if between and not any(other.behind is not None for other in self._owners(run)) and self._length(run) < len(between):
            run.foreign = True
            self._tell(run.first, "does not belong here: the next follows from the entry before it", Fault.INSERTED, run.last)

    def _between(self, run: _Run) -> list[int]:
        """The numbers of the entries that stand between `run` and the earlier entry that it follows from."""
        if run.behind is None or run.behind not in [(owner, seq) for seq, _, owner in run.before]:
            return []
        return [seq for seq, _, _ in run.before if seq > run.behind[1]][::-1]

    def _owners(self, run: _Run) -> list[_Run]:
        """The runs that begin among those entries."""
        between = set(self._between(run))
        return list(dict.fromkeys(owner for seq, _, owner in run.before if seq in between and owner.first in between))

    def _length(self, run: _Run, depth: int = 0) -> int:
        """How many entries follow from one another from the first of `run` on."""
        following = [other for other in self._runs[1:] if other.behind == (run, run.last)] if depth < BEFORE else []
        return len(run) + max((self._length(other, depth + 1) for other in following), default=0)

    def _number(self, run: _Run, otherwise: int, depth: int = 0) -> int:
        if run.number is None:
            if run.behind is None or depth > len(self._runs) or depth > 500:
                return otherwise if run.behind is None else run.first
            other, seq = run.behind
            run.number = self._number(other, other.first, depth + 1) + seq - other.first + 1
        return run.number

    # ---- what to say

    def _tell(self, seq: int, what: str, fault: Fault, last: int | None = None, also: int | None = None) -> None:
        self._found.append(Break(self._chain, seq, what, fault, None if last == seq else last, also))

    def _altered(self, previous: _Run, run: _Run) -> None:
        seq, before = run.first, previous.last
        if seq <= self._root.first - 1:
            run.foreign = True
            self._tell(seq, f"does not belong here: the chain begins with entry {self._root.first}", Fault.INSERTED, run.last)
            return
        told = next((b for b in self._found if b.fault is Fault.ALTERED and (b.last or b.seq) == before and len(previous) == 1), None)
        if told is not None and previous.head is not None and told.what.startswith(_CHANGED[:20]):
            self._found.remove(told)
            self._tell(told.seq, _SEVERAL, Fault.ALTERED, seq, told.also)
        elif before < self._root.first:
            self._tell(seq, f"{_CHANGED}, or what stood before it was taken out and those behind it numbered anew", Fault.ALTERED)
        else:
            more = f"; or entry {before} was changed and its hash made anew, or one between them was taken out and the rest numbered anew"
            self._tell(seq, _CHANGED + more, Fault.ALTERED, None, before)

    def _inserted(self, run: _Run) -> bool:
        """Whether what stands between `run` and the entry that it follows from was inserted; it is told."""
        between, owners = self._between(run), self._owners(run)
        if not between or any(other.behind is not None and not other.foreign for other in owners):
            return False
        covered = (Fault.ALTERED, Fault.INSERTED)
        self._found = [b for b in self._found if not (b.fault in covered and b.seq in between and (b.last or b.seq) in between)]
        for other in owners:
            other.foreign = True
        before = between[0] - 1
        behind = f"follows from entry {before}" if before >= self._root.first else "begins the chain"
        self._tell(between[0], f"does not belong here: entry {run.first} {behind}", Fault.INSERTED, between[-1])
        return True

    def _moved(self, run: _Run, number: int) -> None:
        assert run.behind is not None
        follows = run.behind[1]
        first = "it" if len(run) == 1 else f"entry {run.first}"
        after = f"{first} follows from entry {follows}" if follows >= self._root.first else f"{first} begins the chain"
        where = f"place {number}" if len(run) == 1 else f"places {number} to {number + len(run) - 1}"
        what = f"in the wrong place: {after}, and {'belongs' if len(run) == 1 else 'they belong'} in {where}"
        self._tell(run.first, what, Fault.MOVED, run.last)

    def _missing(self, gaps: list[tuple[int, int]], held: list[tuple[int, int]]) -> None:
        for first, last in gaps:
            for start, end in _without(first, last, held):
                self._tell(start, f"missing, the next is {last + 1}", Fault.MISSING, end)

    def _swapped(self) -> None:
        """Changed entries that have taken one another's words, and not their hashes."""
        changed = {b.seq: b for b in self._found if b.fault is Fault.ALTERED and b.last is None and b.what.startswith(_CHANGED)}
        rows = [(run.head, run.before[0][1]) for run in self._runs if run.first in changed and run.head is not None]
        for here, previous in rows if len(rows) <= PAIRED else ():
            for there, _ in rows:
                if here is not there and there.behind(previous) == here.hash:
                    self._found.remove(changed[here.seq])
                    self._tell(here.seq, f"has what belongs in entry {there.seq}", Fault.MOVED)
                    break


_CHANGED: Final = "does not follow from the one before: its body, kind, time or hash was changed"
_SEVERAL: Final = "do not follow from one another: of one of them, or of several, body, kind, time or hash was changed"


def _without(first: int, last: int, held: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """What is left of first..last without the spans `held`."""
    for start, end in sorted(held):
        if end < first or start > last:
            continue
        if start > first:
            yield first, start - 1
        first = max(first, end + 1)
    if first <= last:
        yield first, last
