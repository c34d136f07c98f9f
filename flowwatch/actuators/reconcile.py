"""What to send now: from what each device is to be, how it says that it is, and what is under way to it.

A pure function without a clock. Its rules, in the order in which they decide:

- only what is wanted now is ever sent, never what was wanted before;
- nothing is sent that may not go by itself: not on `advise`, on `confirm` only after a person released that revision, a drill only to gates
  marked for it. A fire goes to every device, whatever its delivery;
- what gives people more ways out goes first and waits for nothing, also where it is not known how the gate is;
- what takes some waits until people surely keep theirs (`transit`), and says what for;
- what was sent is sent again after 1 s, 2 s, 4 s … 30 s, and at once when the device comes back, until it reports to be so.

Every table that keeps people's way out is reached in the end from every table, if all devices answer. Outer gates only ever gain or lose
capacity: all gains go first, and from there on no loss ends below the wanted table's own capacity. Of the gates and links inside, take a shortest
way out of every zone in the wanted table: the first one on it that is still turned wrong, counted from outside, can always be turned, because
the zone behind it has its wanted way out already, so nobody needs the direction that is given up. So there is always a command that can go, and
each that is obeyed leaves one fewer. `tests/actuators` plays this on random sites.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from flowwatch.actuators.transit import BOTH, UNKNOWN, MayBe, Transit, unfit

Record = Mapping[str, Any]
SECOND: Final = 1_000_000
FIRST_AGAIN_US: Final = SECOND
LAST_AGAIN_US: Final = 30 * SECOND
SKEW_US: Final = 60 * SECOND
"""How wrong a controller's clock may be in saying that an attempt has expired; the sums of safety count it as under way for so much longer."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a device is to be. `revision` is the wire's; `text` is a sign's; `may_go` is why it may be sent, or may not."""

    device: str
    setting: str | None
    revision: int
    command: str
    delivery: str
    """advise, confirm or automatic, as the documents say."""
    released: bool = False
    advised: bool = False
    """The whole site was put back on advise."""
    fire: bool = False
    drill: bool = False
    at_us: int = 0
    """The tick of the decision."""
    reason: str = ""
    text: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Reported:
    """How a device said that it was, and when that was heard (microseconds)."""

    setting: str | None
    revision: int
    attempt: int
    generation: int
    up: bool
    live: bool
    """Heard from the device itself since the connection stands; a message that the broker had kept is not."""
    heard_us: int
    up_since_us: int = 0
    on_lost: str | None = None
    command: str | None = None


@dataclass(frozen=True, slots=True)
class Flight:
    """The last attempt to command one revision to a device; where it is over, so are those before it."""

    setting: str | None
    revision: int
    attempt: int
    generation: int
    sent_us: int
    expires_us: int
    outcome: str | None = None
    tries: int = 1
    """How many attempts of the revision went before it without a longer pause, and itself."""

    def after(self, before: Flight | None) -> Flight:
        """The same as one more try after `before`, the last of its revision."""
        if before is None or self.sent_us - before.sent_us > 2 * LAST_AGAIN_US:
            return self
        return replace(self, tries=before.tries + 1)


@dataclass(frozen=True, slots=True)
class Known:
    """All that is known of one device. `driven`: the deployment has an actuator for it."""

    driven: bool = True
    connected: bool = True
    """Whether what leads to it, a broker say, is connected."""
    reported: Reported | None = None
    flights: tuple[Flight, ...] = ()
    """One a revision."""
    attempts: Mapping[int, int] = field(default_factory=dict)
    """Revision -> how often it was sent."""


class Because(StrEnum):
    """Why what is wanted is not sent now."""

    UNDRIVEN = "undriven"
    OFFLINE = "offline"
    ADVISE = "advise"
    CONFIRM = "confirm"
    DRILL = "drill"
    UNFIT = "unfit"
    TRANSIT = "transit"
    ANSWER = "answer"
    AHEAD = "ahead"


@dataclass(frozen=True, slots=True)
class Wait:
    """A device that is not as wanted and to which nothing goes now; `until_us` if time alone ends it."""

    because: Because
    says: str
    until_us: int | None = None


@dataclass(frozen=True, slots=True)
class Send:
    """One attempt to make: `revision` is that of `wanted`, or a later one of its latch where a device is ahead of the journal in a fire."""

    wanted: Wanted
    revision: int
    attempt: int
    gives: bool
    """Whether it takes nobody's way out."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The attempts to make now, in this order, and why the others wait. Devices in neither are as wanted."""

    sends: tuple[Send, ...]
    waits: Mapping[str, Wait]

    @property
    def again_us(self) -> int | None:
        """When time alone makes a difference."""
        return min((wait.until_us for wait in self.waits.values() if wait.until_us is not None), default=None)


def open_flights(known: Known) -> tuple[Flight, ...]:
    """The attempts that may still be obeyed, or were without a word of it.

    One is over when the device reported a later revision, or this one with this attempt seen; when it knows a later generation; or when it
    spoke long after the attempt had expired. That it refused is no end: the network may bring the same attempt again.
    """
    seen = known.reported
    if seen is None:
        return known.flights
    return tuple(
        f
        for f in known.flights
        if (f.revision, f.attempt) > (seen.revision, seen.attempt)
        and seen.generation <= f.generation
        and not (seen.live and seen.heard_us > f.expires_us + SKEW_US)
    )


def may_be(known: Known | None, *, falls_to: str | None = None) -> MayBe:
    """What a gate or link may be; `falls_to` is what it does without a connection where it does not say so itself."""
    if known is None or known.reported is None or known.reported.setting is None:
        return UNKNOWN
    seen = known.reported
    settings = {seen.setting, *(f.setting for f in open_flights(known))}
    anything = False
    if not (seen.up and seen.live):
        lost = seen.on_lost or falls_to
        anything = lost is None
        settings.add(lost)
    return MayBe(frozenset(s for s in settings if s is not None), anything)


def transit(
    site: Record, wanted: Mapping[str, Wanted], known: Mapping[str, Known], by_hand: Mapping[str, Iterable[str]] | None = None
) -> Transit:
    """What the site's gates and links may be now.

    A gate without an actuator may be what somebody said of it, or anything; `by_hand` has what people said. A link without an actuator is led
    by people, and counts as the journal tells them.
    """
    said = {} if by_hand is None else by_hand
    links = {}
    for link in site["links"]:
        name = f"link/{link['link']}"
        if name in known and known[name].driven:
            links[link["link"]] = may_be(known[name], falls_to=BOTH)
        else:
            told = wanted[name].setting if name in wanted else None
            links[link["link"]] = MayBe(frozenset({told or BOTH}))
    gates = {}
    for gate in site["gates"]:
        name = f"gate/{gate['gate']}"
        have = known.get(name)
        told_by_people = (have is None or not have.driven) and name in said
        gates[gate["gate"]] = MayBe(frozenset(said[name])) if told_by_people else may_be(have)
    return Transit(site, gates, links)


def reconcile(
    site: Record,
    wanted: Mapping[str, Wanted],
    known: Mapping[str, Known],
    now_us: int,
    by_hand: Mapping[str, Iterable[str]] | None = None,
) -> Plan:
    """The attempts that bring the compiled `site` towards `wanted` (device -> how it is to be) now, and why the others wait.

    Every gate and link in `wanted` is one of the site's.
    """
    gates = {f"gate/{g['gate']}": g for g in site["gates"]}
    passages = transit(site, wanted, known, by_hand)
    waits: dict[str, Wait] = {}
    ready: list[tuple[Wanted, int, Known]] = []
    for device, want in wanted.items():
        have = known.get(device, Known(driven=False))
        if _as_wanted(want, have.reported):
            continue
        revision = _revision(want, have.reported)
        wait = _held(want, have, gates.get(device), revision) or _answer_due(have, revision, now_us)
        if wait is not None:
            waits[device] = wait
        else:
            ready.append((want, revision, have))
    sends: list[Send] = []
    taking: list[tuple[Wanted, int, Known]] = []
    for want, revision, have in sorted(ready, key=lambda r: not r[0].fire):
        if _moves_nobody(want) or passages.gives(want.device, str(want.setting)):
            sends.append(Send(want, revision, _attempt(have, revision), gives=True))
            passages = _under_way(passages, want)
        else:
            taking.append((want, revision, have))
    for want, revision, have in taking:
        setting = str(want.setting)
        if passages.keeps(want.device, setting):
            sends.append(Send(want, revision, _attempt(have, revision), gives=False))
            passages = _under_way(passages, want)
        else:
            waits[want.device] = Wait(Because.TRANSIT, passages.lacking(want.device, setting))
    return Plan(tuple(sends), waits)


def _as_wanted(want: Wanted, seen: Reported | None) -> bool:
    if seen is None or seen.setting != want.setting or (seen.setting is None and not want.device.startswith("sign/")):
        return False
    return seen.revision == want.revision or (want.fire and seen.revision > want.revision)


def _revision(want: Wanted, seen: Reported | None) -> int:
    """The wanted revision; in a fire, for a device that is ahead of the journal, the latch's next that it will obey."""
    if not want.fire or seen is None or seen.revision <= want.revision:
        return want.revision
    return seen.revision + 2 - (seen.revision + 1) % 2


def _held(want: Wanted, have: Known, gate: Record | None, revision: int) -> Wait | None:
    """Why `want` must not be sent, whatever else; None if it may."""
    wait: Wait | None = None
    against = unfit(gate, want.setting) if gate is not None and want.setting is not None else None
    if not have.driven:
        wait = Wait(Because.UNDRIVEN, "no actuator: people carry it out")
    elif not have.connected:
        wait = Wait(Because.OFFLINE, "no connection to its broker")
    elif against:
        wait = Wait(Because.UNFIT, against)
    elif want.fire:
        pass
    elif want.advised or want.delivery == "advise":
        whole = "the site is on advise" if want.advised else "on advise"
        wait = Wait(Because.ADVISE, f"{whole}: people carry it out")
    elif want.delivery != "automatic" and not want.released:
        wait = Wait(Because.CONFIRM, "waits for a person to release it")
    elif want.drill and (gate is None or not gate["drill"]):
        wait = Wait(Because.DRILL, "a drill, and the gate is not marked for drills")
    elif have.reported is not None and have.reported.revision > revision:
        says = f"the device obeyed revision {have.reported.revision}, the journal is at {revision}"
        wait = Wait(Because.AHEAD, f"{says}: it belongs to another journal, or the journal is an older copy")
    return wait


def _answer_due(have: Known, revision: int, now_us: int) -> Wait | None:
    """Until when the last attempt of `revision` is given time; None if another is due."""
    last = max((f for f in have.flights if f.revision == revision), key=lambda f: f.attempt, default=None)
    if last is None:
        return None
    if have.reported is not None and have.reported.up and have.reported.up_since_us > last.sent_us:
        return None
    patience = min(LAST_AGAIN_US, FIRST_AGAIN_US << min(last.tries - 1, 10))
    until = last.sent_us + (LAST_AGAIN_US if last.outcome == "accepted" else patience)
    return Wait(Because.ANSWER, f"attempt {last.attempt}: {last.outcome or 'no answer yet'}", until) if until > now_us else None


def _moves_nobody(want: Wanted) -> bool:
    """Barriers and signs are no part of the invariants."""
    return want.device.startswith(("barrier/", "sign/"))


def _attempt(have: Known, revision: int) -> int:
    seen = have.reported.attempt if have.reported is not None and have.reported.revision == revision else 0
    return max(have.attempts.get(revision, 0), seen) + 1


def _under_way(passages: Transit, want: Wanted) -> Transit:
    if _moves_nobody(want) or want.setting is None:
        return passages
    return passages.with_(want.device, passages.may(want.device).or_(want.setting))
