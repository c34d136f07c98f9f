"""Whether a site's minute estimates are those that its entries attest: between two entries, they lead from one digest to the next.

An estimate says its own minute and site, so one that stands at another time, or under another site, is known by itself. One that was changed, is
missing or was put in is found by the next entry's digest, and so lies among the minutes since the entry before it; which of them it is can be told
where a minute is missing from the row, or where they fit without one. Behind a fault the walk goes on from what the entry attests. An entry that
attests something nobody attests after it is not believed: that one was changed, and the chain says so. Nothing here reads a database.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final

from flowwatch.core.entries import GENESIS, Estimate
from flowwatch.core.entries import digest as digest_of
from flowwatch.core.readings import MINUTE
from flowwatch.journal.findings import Break, Fault

TRIED: Final = 400
"""Up to so many minutes between two entries, they are tried without each one of them: 80,000 hashes, 0.1 s."""
SHOWN: Final = 5
"""So many missing minutes are named."""
SHOWN_SPAN: Final = 10_000
"""In spans of more minutes, a week, none is."""
DOUBTED: Final = 8
"""So many attestations that nothing confirms are remembered; then the oldest is believed to be false."""


def misplaced(estimate: Estimate) -> str | None:
    """What is wrong with where an estimate stands, by its own words; None for nothing."""
    if estimate.body.startswith(b'{"minute_us":%d,"site":"%s",' % (estimate.at, estimate.site.encode())):
        return None
    try:
        said = json.loads(estimate.body)
        minute, site = operator.index(said["minute_us"]), said["site"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return "says nothing of its minute and site"
    if site != estimate.site:
        return f'is said to be of "{estimate.site}" and says itself that it is of "{site}"'
    return None if minute == estimate.at else f"says itself that it is of {_time(minute)}"


@dataclass(frozen=True, slots=True)
class _Span:
    """Estimates first..end - 1 of those seen, which should lead from the digest `before` to `said`, as the entry `seq` at `at` attests."""

    first: int
    end: int
    before: bytes
    said: bytes
    seq: int
    at: int


@dataclass(slots=True)
class _Belief:
    """One way to read what was seen: up to the estimate `place` the digest is `digest`; `blame`: the spans in which something is wrong."""

    digest: bytes
    place: int
    blame: tuple[_Span, ...] = ()


class Attested:
    """The estimates of one site, ascending, beside the digests that its entries carry."""

    def __init__(self, site: str, estimates: Iterator[Estimate], start: bytes | None = GENESIS) -> None:
        self._site = site
        self._coming = estimates
        self._next = next(estimates, None)
        self._seen: list[Estimate] = []
        self._beliefs: list[_Belief] = [] if start is None else [_Belief(start, 0)]
        self._misplaced: list[tuple[Estimate, str]] = []
        self._found: list[Break] = []
        self._agreed = True
        self._before: int | None = None
        """When the last estimate stood that is not remembered any more."""

    def attest(self, seq: int, at: int, said: bytes) -> None:
        """The entry `seq` at `at` carries the digest `said`."""
        self._read(at)
        agreed = [belief for belief in self._beliefs if self._advance(belief, at, said)]
        self._agreed = bool(agreed)
        if agreed:
            self._settle(agreed)
            return
        last = self._beliefs[-1] if self._beliefs else None
        for place in dict.fromkeys((self._place(at), self._place(at + 1))):
            span = () if last is None else (_Span(min(last.place, place), place, last.digest, said, seq, at),)
            self._beliefs.append(_Belief(said, place, span if last is None else last.blame + span))
        if len(self._beliefs) > 2 * DOUBTED:
            del self._beliefs[0]

    def end(self) -> list[Break]:
        """What is wrong, in the order of time."""
        if len(self._beliefs) > 1:
            self._blame(self._beliefs[-1 if self._agreed else 1])
        self._seen.clear()
        while self._next is not None:
            self._take()
            self._seen.clear()
        for estimate, what in self._misplaced:
            self._found.append(self._break(0, f"the one of {_time(estimate.at)} {what}", [estimate.at]))
        return sorted(self._found, key=lambda found: (found.since_us or 0, found.seq))

    # ---- reading

    def _read(self, until: int) -> None:
        while self._next is not None and self._next.at <= until:
            self._take()

    def _take(self) -> None:
        assert self._next is not None
        if (what := misplaced(self._next)) is not None:
            self._misplaced.append((self._next, what))
        self._seen.append(self._next)
        self._next = next(self._coming, None)

    def _place(self, at: int) -> int:
        """The number of estimates seen before `at`."""
        return sum(1 for estimate in self._seen if estimate.at < at)

    def _advance(self, belief: _Belief, at: int, said: bytes) -> bool:
        """Walk on until the digest is `said`; False, and nothing changes, where it never is up to `at`."""
        digest, place = belief.digest, belief.place
        while digest != said:
            if place == len(self._seen) or self._seen[place].at > at:
                return False
            digest = digest_of(digest, self._seen[place].body)
            place += 1
        belief.digest, belief.place = digest, place
        return True

    def _settle(self, agreed: list[_Belief]) -> None:
        self._beliefs = agreed
        if len({belief.blame for belief in agreed}) > 1:
            return
        self._blame(agreed[0])
        done = min(belief.place for belief in agreed)
        if done:
            self._before = self._seen[done - 1].at
            del self._seen[:done]
        for belief in agreed:
            belief.place -= done
            belief.blame = ()

    # ---- what to say

    def _blame(self, belief: _Belief) -> None:
        self._found += [self._pinned(span) for span in belief.blame]

    def _pinned(self, span: _Span) -> Break:
        """The fault in a span, named as narrowly as its estimates allow."""
        among, seq = self._seen[span.first : span.end], span.seq
        odd = [(estimate, what) for estimate, what in self._misplaced if estimate in among]
        self._misplaced = [pair for pair in self._misplaced if pair not in odd]
        times = self._slots(span, [estimate.at for estimate in among])
        if odd:
            told = "; ".join(f"the one of {_time(estimate.at)} {what}" for estimate, what in odd)
            return self._break(seq, f"they do not give the digest that entry {seq} carries: {told}", times)
        if (extra := _too_many(among, span.before, span.said)) is not None:
            return self._break(seq, f"the one of {_time(extra.at)} does not belong: the others give the digest of entry {seq}", [extra.at])
        there = {estimate.at for estimate in among}
        missing = [at for at in times if at not in there]
        hole = f"; none stands for {', '.join(map(_time, missing[:SHOWN]))}{' and others' * (len(missing) > SHOWN)}" if missing else ""
        if not among:
            return self._break(seq, f"those that the digest of entry {seq} attests since the entry before it are missing{hole}", times)
        span_told = f"the one of {_time(times[0])} does" if len(times) == 1 else f"those of {_time(times[0])} to {_time(times[-1])} do"
        return self._break(seq, f"{span_told} not give the digest that entry {seq} carries: one was changed or is missing{hole}", times)

    def _slots(self, span: _Span, times: list[int]) -> list[int]:
        """When the estimates of a span stand, and when others would that should stand there: one a minute."""
        before = self._seen[span.first - 1].at if span.first else self._before
        known = times if before is None else [before, *times]
        if not known:
            return [span.at]
        if len(known) > SHOWN_SPAN or span.at - known[0] > SHOWN_SPAN * MINUTE:
            return times or [span.at]
        slots = {*times}
        for a, b in pairwise([*known, span.at + 1]):
            slots.update(range(a + MINUTE, b, MINUTE))
        return sorted(slots) or [span.at]

    def _break(self, seq: int, what: str, times: list[int]) -> Break:
        since, until = (times[0], times[-1]) if times else (None, None)
        return Break(self._site, seq, what, Fault.ESTIMATES, since_us=since, until_us=until)


def _too_many(among: list[Estimate], before: bytes, said: bytes) -> Estimate | None:
    """The one estimate without which the others lead from `before` to `said`."""
    if len(among) > TRIED:
        return None
    for i, left in enumerate(among):
        digest = before
        for other in among[i + 1 :]:
            digest = digest_of(digest, other.body)
        if digest == said:
            return left
        before = digest_of(before, left.body)
    return None


def _time(at: int) -> str:
    """A time as the journal's reader finds it: UTC, to the second."""
    try:
        return f"{datetime.fromtimestamp(at // 1_000_000, UTC):%Y-%m-%dT%H:%M:%SZ}"
    except (ValueError, OverflowError, OSError):
        return f"{at} us"
