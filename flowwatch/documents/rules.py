"""What must hold in a document beyond the types of its fields; one small function a rule, each finding its own kind of fault.

A rule gets a struct and yields (where in it, what was found and what was expected). The tables at the end say which rules hold for which
struct; the walk applies them as soon as it has read one. A rule never asks whether a part could be read: where one could not, the rule ends
by itself (`holes.Undecidable`). Whether a gate table leaves people a way out is `core.gates`' to say, here and in the running engine alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any, Final

from msgspec import UNSET, UnsetType

from flowwatch.core.gates import egress_per_min, violations
from flowwatch.documents import compiled
from flowwatch.documents.faults import listed, quoted
from flowwatch.documents.holes import decided
from flowwatch.documents.plan import Condition, Plan, Stage, When
from flowwatch.documents.site import Counter, Counts, Gate, Link, Site
from flowwatch.documents.walk import Problem, Rules
from flowwatch.documents.words import OTHERS, WHOLE_SITE, Level, Validity, duration_us, moment

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


def clears_below_it_enters(condition: Condition) -> Iterator[Problem]:
    """Without a gap between the bars a stage would come and go with every reading."""
    if condition.clear >= condition.enter:
        yield ("clear",), f"found {condition.clear}, expected less than enter: {condition.enter}"


def conditions_differ(when: When) -> Iterator[Problem]:
    """Two bars for one figure in one stage: the lower one alone would count."""
    seen: dict[tuple[str, str], int] = {}
    for i, condition in enumerate(when.any):
        first = seen.setdefault((condition.zone, condition.measure), i)
        if first != i:
            yield ("any", i), f"found {condition.measure} of {quoted(condition.zone)} again (first in any[{first}]), expected it once"


def says_its_level(stage: Stage) -> Iterator[Problem]:
    """An alert without a level cannot be ranked by those who get it."""
    if stage.alert is not UNSET and stage.level is UNSET:
        yield ("level",), f"found an alert without a level, expected {listed(list(Level))}"


def only_the_first_is_unconditional(plan: Plan) -> Iterator[Problem]:
    """The calm stage is what remains when no condition holds; a higher one without a condition would always hold."""
    for i, stage in enumerate(plan.stages):
        yield from decided(_conditional(("stages", i), stage, first=i == 0))


def _conditional(path: tuple[str | int, ...], stage: Stage, *, first: bool) -> Iterator[Problem]:
    if first and stage.when is not UNSET:
        yield (*path, "when"), "found a condition in the first stage, expected none: it is the one that remains when no other is due"
    if first and stage.dwell is not UNSET:
        yield (*path, "dwell"), "found a dwell in the first stage, expected none: there is no calmer stage to fall to"
    if not first and stage.when is UNSET:
        yield (*path, "when"), "found no condition, expected when: in every stage after the first"
    if not first and (stage.dwell is UNSET or duration_us(stage.dwell) == 0):
        yield (*path, "dwell"), "found no dwell, expected how long the stage stays at least, such as 10m"


def bars_stand_in_order(plan: Plan) -> Iterator[Problem]:
    """Of stages that look at one zone the higher enters above the lower, and clears no lower than the lower enters.

    Else the bars overlap: the higher stage would come before the lower, or still stand when the lower has gone.
    """
    for higher in range(2, len(plan.stages)):
        for zone in sorted({c.zone for c in _conditions(plan.stages[higher])}):
            lower = next((i for i in range(higher - 1, 0, -1) if any(c.zone == zone for c in _conditions(plan.stages[i]))), None)
            if lower is not None:
                yield from decided(_overlaps(plan, lower, higher, zone))


def _conditions(stage: Stage) -> list[Condition]:
    return [] if isinstance(stage.when, UnsetType) else stage.when.any


def _overlaps(plan: Plan, lower: int, higher: int, zone: str) -> Iterator[Problem]:
    name = plan.stages[lower].stage
    bar = min(c.enter for c in _conditions(plan.stages[lower]) if c.zone == zone)
    for i, condition in enumerate(_conditions(plan.stages[higher])):
        path = ("stages", higher, "when", "any", i)
        if condition.zone == zone and condition.enter <= bar:
            yield (*path, "enter"), f"found {condition.enter}, expected more than {bar}, where the stage below ({name}) enters"
        elif condition.zone == zone and condition.clear < bar:
            yield (
                (*path, "clear"),
                f"found {condition.clear}, expected at least {bar}, where the stage below ({name}) enters: the bars overlap",
            )


def levels_rise(plan: Plan) -> Iterator[Problem]:
    """A stage that is closer to closed is no milder warning."""
    order = list(Level)
    leveled = [(i, stage.level) for i, stage in enumerate(plan.stages) if isinstance(stage.level, Level)]
    for (_, below), (i, above) in pairwise(leveled):
        if order.index(above) < order.index(below):
            yield ("stages", i, "level"), f"found {above}, expected {below} or a more serious level, as the stage below has {below}"


def every_gate_has_a_mode(site: Site, plan: Plan) -> Iterator[Problem]:
    """A stage says what every gate of the site does."""
    for i, stage in enumerate(plan.stages):
        yield from decided(_gates_left_out(("stages", i, "gates"), set(site.gates), stage.gates))


def _gates_left_out(path: tuple[str | int, ...], gates: set[str], modes: Mapping[str, str]) -> Iterator[Problem]:
    left_out = [] if OTHERS in modes else sorted(gates - set(modes))
    if left_out:
        yield path, f"found no mode for {', '.join(left_out)}, expected every gate of the site, or others: for those that are not named"


def every_bar_can_be_measured(site: Site, plan: Plan) -> Iterator[Problem]:
    """A condition looks at a figure that some counter tells; without one it would be unknown for ever, and the stage never come."""
    zones = compiled.zones_with_counters(site)
    outer = {name for name, zone in site.zones.items() if zone.inside is UNSET}
    for i, stage in enumerate(plan.stages):
        for k, condition in enumerate(_conditions(stage)):
            unseen = sorted((outer if condition.zone == WHOLE_SITE else {condition.zone}) - zones)
            if unseen:
                told = (
                    f"found {quoted(condition.zone)}, but no counter tells of people in {', '.join(unseen)}, expected a zone with counters"
                )
                yield ("stages", i, "when", "any", k, "zone"), told


def every_stage_leaves_a_way_out(site: Site, plan: Plan) -> Iterator[Problem]:
    """The egress invariants hold in every stage, and a rise never costs capacity out."""
    skeleton = compiled.skeleton(site)
    floor: list[float] = []
    for i, stage in enumerate(plan.stages):
        yield from decided(_ways_out(("stages", i, "gates"), skeleton, stage, floor))


def _ways_out(path: tuple[str | int, ...], site: dict[str, Any], stage: Stage, floor: list[float]) -> Iterator[Problem]:
    """One stage's; `floor` is the capacity of the stage below if that is known, and becomes this stage's."""
    below = floor.pop() if floor else None
    modes = compiled.modes(site, stage)
    if len(modes) == len(site["gates"]):
        floor.append(egress_per_min(site, modes))
        for text in violations(site, modes, below):
            yield path, text


PartRule = Callable[[Site, Plan], Iterator[Problem]]

RULES: Final[Rules] = {
    Validity: (begins_before_it_ends,),
    Gate: (ends_differ,),
    Link: (ends_differ,),
    Counter: (stands_in_one_place, counts_what_its_place_can_tell, has_only_its_own_keys),
    Site: (zones_lie_in_no_circle, lost_gates_leave_a_way_out),
    Condition: (clears_below_it_enters,),
    When: (conditions_differ,),
    Stage: (says_its_level,),
    Plan: (only_the_first_is_unconditional, bars_stand_in_order, levels_rise),
}
TOGETHER: Final[tuple[PartRule, ...]] = (every_gate_has_a_mode, every_bar_can_be_measured, every_stage_leaves_a_way_out)
"""What must hold of a plan at its site; where points into the plan."""
