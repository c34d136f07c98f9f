"""What must hold in a site file beyond the types of its fields, and the table of all rules of site and plan.

One small function a rule, each finding its own kind of fault: it gets a struct and yields (where in it, what was found and what was
expected). The table at the end says which rules hold for which struct; the walk applies them as soon as it has read one. A rule never asks
whether a part could be read: where one could not, the rule ends by itself (`holes.Undecidable`). Whether a gate table leaves people a way
out is `core.gates`' to say, here and in the running engine alike. What needs site and plan together is in `together.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from msgspec import UNSET

from flowwatch.core.gates import violations
from flowwatch.core.readings import OUTSIDE
from flowwatch.documents import compiled, condition_rules, plan_rules
from flowwatch.documents.conditions import Condition, When
from flowwatch.documents.faults import quoted
from flowwatch.documents.plan import Approval, Case, Degraded, Plan, Span, Stage, Task, Template
from flowwatch.documents.site import Counter, Counts, Gate, Link, Site
from flowwatch.documents.walk import Problem, Rules
from flowwatch.documents.words import Validity, moment

_PLACES: Final = ("gate", "link", "zone")
_ONLY_FOR: Final = {
    "error": (Counts.DELTA, Counts.CUMULATIVE),
    "max_per_min": (Counts.DELTA, Counts.CUMULATIVE),
    "swapped": (Counts.DELTA, Counts.CUMULATIVE),
    "modulus": (Counts.CUMULATIVE,),
    "counts_down": (Counts.CUMULATIVE,),
    "coverage": (Counts.ABSOLUTE,),
    "camera_error": (Counts.ABSOLUTE,),
}
"""Keys of a counter that mean something for some kinds of count only."""


def begins_before_it_ends(validity: Validity) -> Iterator[Problem]:
    """A validity that ends before it begins never holds."""
    if isinstance(validity.from_, str) and isinstance(validity.until, str) and moment(validity.from_) >= moment(validity.until):
        yield ("until",), f'found "{validity.until}", expected a moment after from: {validity.from_}'


def ends_differ(passage: Gate | Link) -> Iterator[Problem]:
    """A passage leads somewhere else."""
    if passage.from_ == passage.to:
        yield ("to",), f'found "{passage.to}", which is also where it comes from, expected another zone'


def stands_in_one_place(counter: Counter) -> Iterator[Problem]:
    """A counter watches one gate, one link or one zone."""
    given = [place for place in _PLACES if getattr(counter, place) is not UNSET]
    if not given:
        yield (), "found no place, expected one of gate, link, zone"
    for place in given[1:]:
        yield (place,), f"found {place} beside {given[0]}, expected one of them"


def counts_what_its_place_can_tell(counter: Counter) -> Iterator[Problem]:
    """Passers are counted at gates and links, people in view in zones."""
    passers = counter.gate is not UNSET or counter.link is not UNSET
    if passers and counter.counts is Counts.ABSOLUTE:
        yield ("counts",), 'found "absolute" (people in view), expected delta or cumulative at a gate or link, or a zone to look at'
    if not passers and counter.zone is not UNSET and counter.counts is not Counts.ABSOLUTE:
        yield ("counts",), f'found "{counter.counts}" (people passing), expected absolute for a zone, or a gate or link to count at'


def has_only_its_own_keys(counter: Counter) -> Iterator[Problem]:
    """A key that means nothing for the kind of count was meant for something else."""
    for key, kinds in _ONLY_FOR.items():
        if getattr(counter, key) is not UNSET and counter.counts not in kinds:
            yield (key,), f"found {key} with counts: {counter.counts}, expected it only with {' or '.join(kinds)}"


def zones_lie_in_no_circle(site: Site) -> Iterator[Problem]:
    """Following `inside` leads out at last."""
    settled: set[str] = set()
    for start in sorted(site.zones):
        way: dict[str, None] = {}
        at = start
        while at not in way and at not in settled:
            way[at] = None
            at = site.zones[at].inside or at
        if at in way and site.zones[at].inside is not UNSET:
            circle = [*way][[*way].index(at) :]
            yield ("zones", at, "inside"), f"found a circle: {' inside '.join([*circle, at])}, expected zones inside larger ones"
        settled |= way.keys()


def lost_gates_leave_a_way_out(site: Site) -> Iterator[Problem]:
    """People get out also when every gate has lost its connection."""
    skeleton = compiled.skeleton(site)
    for text in violations(skeleton, {gate["gate"]: gate["on_lost"] for gate in skeleton["gates"]}, None):
        yield ("gates",), f"with every gate in its on_lost mode: {text}"


def waiting_areas_lie_outside(site: Site) -> Iterator[Problem]:
    """A waiting area stands before a gate of the site's edge, and nothing of the site leads into it."""
    waiting = {name: zone.outside for name, zone in site.zones.items() if isinstance(zone.outside, str)}
    for name, zone in site.zones.items():
        if name in waiting and zone.inside is not UNSET:
            yield ("zones", name, "inside"), "found inside beside outside, expected one of them: a waiting area is not part of the site"
        elif isinstance(zone.inside, str) and zone.inside in waiting:
            told = (
                f"found {quoted(zone.inside)}, which is a waiting area outside {quoted(waiting[zone.inside])}, expected a zone of the site"
            )
            yield ("zones", name, "inside"), told
    for name, gate in waiting.items():
        if site.gates[gate].from_ != OUTSIDE:
            told = f"found {quoted(gate)}, which leads from {quoted(site.gates[gate].from_)}, expected a gate that leads in from outside"
            yield ("zones", name, "outside"), told
    passages: list[tuple[str, str, Gate | Link]] = [("gates", name, gate) for name, gate in site.gates.items()]
    passages += [("links", name, link) for name, link in site.links.items()]
    for kind, name, passage in passages:
        for key, zone_name in (("from", passage.from_), ("to", passage.to)):
            if zone_name in waiting:
                told = (
                    f"found {quoted(zone_name)}, which is a waiting area outside {quoted(waiting[zone_name])}, expected a zone of the site"
                )
                yield (kind, name, key), told


RULES: Final[Rules] = {
    Validity: (begins_before_it_ends,),
    Gate: (ends_differ,),
    Link: (ends_differ,),
    Counter: (stands_in_one_place, counts_what_its_place_can_tell, has_only_its_own_keys),
    Site: (zones_lie_in_no_circle, waiting_areas_lie_outside, lost_gates_leave_a_way_out),
    Condition: condition_rules.OF_CONDITION,
    When: condition_rules.OF_WHEN,
    Span: (plan_rules.days_in_order,),
    Case: (plan_rules.follows_the_clock,),
    Template: (plan_rules.placeholders_are_known,),
    Task: (plan_rules.task_has_plain_words,),
    Approval: (plan_rules.asks_whole_questions,),
    Stage: (plan_rules.says_its_level, plan_rules.signs_have_plain_words),
    Degraded: (plan_rules.does_something,),
    Plan: (
        plan_rules.only_the_first_is_unconditional,
        plan_rules.levels_rise,
        plan_rules.days_can_be_told,
        plan_rules.degraded_stages_are_higher,
    ),
}
