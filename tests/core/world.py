"""Compiled sites, log rows and blocks for the tests of the core, with everything that a test does not speak of filled in.

A test builds rows (`delta`, `total`, `head`, `tick`, `declare`, `act`), and `play` runs them through an engine. Counters are named by their
code in the rows, as in a log: the code is the place of the counter in the order of the documents.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from flowwatch.core.engine import Engine
from flowwatch.core.entries import Entry, canonical
from flowwatch.core.readings import ABSENT, SECOND, Block, Kind, Reason
from flowwatch.core.scribe import Output
from flowwatch.core.state import dump, load

T0: Final = 1_790_000_040 * SECOND
"""A full minute: 2026-09-21T14:14:00Z."""
TEXTS: Final = {"headline": {"zh": "人多", "en": "crowded"}, "instruction": {"zh": "慢走", "en": "walk slowly"}}
Document = dict[str, Any]


def zone(name: str = "mall", **changes: Any) -> Document:
    return (
        {"zone": name, "title": {"zh": name, "en": name}, "area_m2": 12000.0, "capacity": 3000, "inside": None}
        | {
            "outside": None,
            "accepts_single_exit": None,
        }
        | changes
    )


def gate(name: str, **changes: Any) -> Document:
    sizes = {"lanes": 4, "width_m": 4.0, "lane_per_min": 25, "on_lost": "out", "emergency": False, "entrance_only": False}
    sizes |= {"delivery": "advise", "drill": False}
    return {"gate": name, "title": {"zh": name, "en": name}, "from": "outside", "to": "mall"} | sizes | changes


def link(name: str, origin: str, goal: str) -> Document:
    return {"link": name, "title": {"zh": name, "en": name}, "from": origin, "to": goal, "width_m": 3.0}


def counter(name: str, counts: str = "delta", **changes: Any) -> Document:
    """A counter at gate "g0", or of zone "mall" when it counts people in view."""
    place = {"gate": None if counts == "absolute" else "g0", "link": None, "zone": "mall" if counts == "absolute" else None}
    rates = {"every_us": SECOND, "lateness_us": 120 * SECOND, "error_ppm": 5000, "max_per_min": 100_000, "modulus": None}
    camera = {"coverage_ppm": 1_000_000, "camera_error_ppm": 150_000}
    switches = {"counts_down": False, "swapped": False, "valid_from_us": None, "valid_to_us": None}
    return {"counter": name, "counts": counts} | place | rates | camera | switches | changes


AUTOMATIC: Final = {"by": None, "within_us": None, "otherwise": "keep"}


def asked(by: str = "officer", within: int | None = None, otherwise: str = "keep") -> Document:
    """A confirmation that a person gives."""
    return {"by": by, "within_us": within, "otherwise": otherwise}


def term(enter: int, clear: int, **changes: Any) -> Document:
    """A leaf on the occupancy of the mall, whose bars are whole persons."""
    bars = {"enter_m": enter * 1000, "clear_m": clear * 1000, "hold_us": 0, "enter": f"{enter}", "clear": f"{clear}"}
    leaf = {"kind": "people", "zone": "mall", "measure": "occupancy", "source": "occupancy", "clear_source": "occupancy"}
    if "clear_measure" in changes:
        changes["clear_source"] = changes.pop("clear_measure")
    made = leaf | bars | changes
    return made if "measure" not in changes else made | {"source": changes["measure"]}


def passers(enter: int, clear: int, *, at: str = "g0", on: str = "gate", **changes: Any) -> Document:
    """A leaf on the people a minute through gate (`on` "link": link) `at`, both directions together."""
    bars = {"enter_m": enter * 1000, "clear_m": clear * 1000, "hold_us": 0, "enter": f"{enter}", "clear": f"{clear}"}
    place = {"gate": at if on == "gate" else None, "link": at if on == "link" else None}
    return {"kind": "passers", "measure": "flow_rate", "direction": "both"} | place | bars | changes


def health(name: str | None = None, hold: int = 0, what: str = "silent") -> Document:
    """A leaf on the health of counter `name`, or of any."""
    return {"kind": "health", "counter": name, "health": what, "hold_us": hold}


def hours(since: int, until: int) -> Document:
    """A leaf on the time of day, in seconds after local midnight."""
    return {"kind": "time", "from_s": since, "until_s": until}


def on_days(*days: str, begins: int = 0) -> Document:
    """A leaf on the kind of the business day, which begins `begins` seconds after local midnight."""
    return {"kind": "day", "days": list(days), "business_day_s": begins}


def when(leaves: Sequence[Document], clauses: Sequence[Sequence[int]]) -> Document:
    """Any of alls of `leaves`, to be put over what a stage, a degraded rule or a case has of it."""
    return {"leaves": list(leaves), "clauses": [list(clause) for clause in clauses]}


def rule(name: str, leaves: Sequence[Document], clauses: Sequence[Sequence[int]] | None = None, **changes: Any) -> Document:
    """A degraded rule that announces level II while any of `leaves` holds."""
    due = when(leaves, [[i] for i in range(len(leaves))] if clauses is None else clauses)
    return {"rule": name, "level": "II", "stage": None, "headline": None} | due | changes


def case(effect: str = "tighten", leaves: Sequence[Document] = ()) -> Document:
    """What makes a plan a case: in force while any of `leaves` holds, or only when it is declared if there is none."""
    return {"effect": effect, "declared_only": not leaves} | when(leaves, [[i] for i in range(len(leaves))])


def stage(name: str, conditions: Sequence[Document] = (), dwell: int = 0, **changes: Any) -> Document:
    """A stage with `dwell` in microseconds, due while any of `conditions` holds, that rises and falls by itself.

    `site` gives every gate a mode where none is given.
    """
    level = "III" if conditions else None
    texts = {"title": {"zh": name, "en": name}, "level": level, "alert": TEXTS if level else None}
    actions: Document = {"gates": {}, "links": {}, "barriers": {}, "signs": {}, "tasks": []}
    due = {"leaves": list(conditions), "clauses": [[i] for i in range(len(conditions))]}
    return {"stage": name, "dwell_us": dwell, "confirm": {"rise": AUTOMATIC, "fall": AUTOMATIC}} | due | actions | texts | changes


def plan(name: str, stages: Sequence[Document], **changes: Any) -> Document:
    """A plan of `stages` as they are."""
    what = {"plan": name, "title": {"zh": "", "en": ""}, "basis": None, "zone": None, "case": None}
    when: Document = {"valid_from_us": None, "valid_to_us": None, "days": {}, "days_until": None}
    return what | when | {"stages": list(stages), "degraded": []} | changes


def site(
    name: str = "yu", *, stages: Sequence[Document] | None = None, beside: Sequence[Document] = (), degraded: Any = (), **changes: Any
) -> Document:
    """A site with one zone "mall", two gates "g0" and "g1", one counter "c0", and the plan that `stages` make, with those `beside` it."""
    made: Document = {
        "format": 2,
        "site": name,
        "group": name,
        "title": {"zh": name, "en": name},
        "time_zone": "Asia/Shanghai",
        "offsets": [[946_684_800_000_000, 28800]],
        "egress_min_per_min": 50,
        "known_empty": None,
        "zones": [zone()],
        "gates": [gate("g0"), gate("g1")],
        "links": [],
        "counters": [counter("c0")],
        "delivery": "advise",
        "area": None,
        "barriers": [],
        "signs": [],
        "plans": [],
    } | changes
    if stages is not None:
        both = {g["gate"]: "in" if g["entrance_only"] else "both" for g in made["gates"]}
        filled = [s | {"gates": both | s["gates"]} for s in stages]
        made["plans"] = [plan(name, filled, degraded=list(degraded)), *beside]
    return made


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a log; the defaults are what a kind does not use."""

    kind: Kind
    at: int
    counter: int = 0
    ingress: int = ABSENT
    egress: int = ABSENT
    headcount: int = ABSENT
    seq: int = ABSENT
    ordinal: int = 0
    received: int | None = None
    payload: bytes | None = None


def delta(at: int, ingress: int = 0, egress: int = 0, counter: int = 0, **more: Any) -> Row:
    return Row(Kind.DELTA, at, counter, ingress, egress, **more)


def total(at: int, ingress: int = 0, egress: int = 0, counter: int = 0, **more: Any) -> Row:
    return Row(Kind.CUMULATIVE, at, counter, ingress, egress, **more)


def head(at: int, headcount: int, counter: int = 0, **more: Any) -> Row:
    return Row(Kind.ABSOLUTE, at, counter, headcount=headcount, **more)


def tick(at: int) -> Row:
    return Row(Kind.TICK, at)


def declare(document: Mapping[str, Any], at: int = T0) -> Row:
    return Row(Kind.DOCUMENT, at, payload=canonical(dict(document)))


def act(at: int, name: str, kind: str, site_name: str = "yu", **fields: Any) -> Row:
    record = {"action": name, "type": kind, "site": site_name, "by": "Wang", "reason": "because", "at_us": at} | fields
    return Row(Kind.ACTION, at, payload=canonical(record))


def report(at: int, device: str, site_name: str = "yu", **fields: Any) -> Row:
    """What a device says: by default that it can be reached and has obeyed nothing yet."""
    said = {"site": site_name, "device": device, "at_us": at, "link": "up", "setting": None, "revision": 0}
    return Row(Kind.REPORT, at, payload=canonical(said | {"command": None, "outcome": None, "why": None} | fields))


def recount(
    at: int, count: int, zone_name: str = "mall", *, name: str | None = None, site_name: str = "yu", counted_at: int | None = None
) -> Row:
    counted = at if counted_at is None else counted_at
    return act(at, name or f"recount-{zone_name}-{at}", "recount", site_name, zone=zone_name, count=count, counted_at_us=counted)


def refused(at: int, reason: int) -> Row:
    return Row(Kind.REFUSED, at, ingress=reason, payload=b"?")


def block(rows: Sequence[Row], first: int = 0) -> Block:
    """The rows as a block that begins at offset `first`."""
    return Block(
        first,
        np.array([r.kind for r in rows], np.uint8),
        np.array([r.counter for r in rows], np.int32),
        np.array([r.at for r in rows], np.int64),
        np.array([r.at if r.received is None else r.received for r in rows], np.int64),
        np.array([r.seq for r in rows], np.int64),
        np.array([r.ordinal for r in rows], np.int32),
        np.array([r.ingress for r in rows], np.int64),
        np.array([r.egress for r in rows], np.int64),
        np.array([r.headcount for r in rows], np.int64),
        {i: r.payload for i, r in enumerate(rows) if r.payload is not None},
    )


def play(rows: Sequence[Row], cuts: Iterable[int] = (), engine: Engine | None = None, first: int = 0) -> Output:
    """What an engine says to `rows`, read in blocks that end before each of the row numbers `cuts` (sorted)."""
    engine = Engine("p00") if engine is None else engine
    out, start = Output(), 0
    for stop in [*cuts, len(rows)]:
        made = engine.feed(block(rows[start:stop], first + start))
        out.entries += made.entries
        out.estimates += made.estimates
        start = stop
    return out


def stored(engine: Engine) -> Engine:
    """The engine that a checkpoint of `engine` gives."""
    return Engine.from_state(load(dump(engine.to_state())))


def bodies(entries: Iterable[Entry], kind: str, site_name: str | None = None) -> list[Document]:
    """The bodies of all entries of a kind, each with the time of its tick as "tick"."""
    return [json.loads(e.body) | {"tick": e.at} for e in entries if e.kind == kind and site_name in (None, e.chain)]


def stages_seen(entries: Iterable[Entry], site_name: str = "yu") -> list[tuple[int, str | None, str | None, str]]:
    """The transitions of a site: (tick, from, to, reason)."""
    return [(b["tick"], b["from"], b["to"], b["reason"]) for b in bodies(entries, "transition", site_name)]


def refusals(engine: Engine) -> list[tuple[int, Reason]]:
    """Every refusal that the engine has noted since it last reported them: (offset, reason)."""
    pairs = [(int(o), Reason(int(r))) for offsets, reasons in engine._refs for o, r in zip(offsets, reasons, strict=True)]
    return sorted(pairs)
