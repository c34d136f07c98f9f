"""What a day came to, in the figures that planners ask for. One number a name, so that days of two plans can be set beside each other.

peak/<zone>                 most people in the zone at once
minutes_over/<zone>/<bar>   minutes with more than so many people; person_minutes_over: times how many more
density_p95/<zone>          persons/m² that 95 % of the minutes stay under
congested/<zone>            share of the time above 4 persons/m² (IMO MSC.1/Circ.1533; more than 0.1 is significant)
queue_most, queue_p95       people waiting outside, all entrances together
queue_time                  people-minutes waited outside, those who gave up included
wait_mean, wait_p95, wait_most   minutes outside, of those who got in
turned_away, turned_away_share   people who came and did not get in
came, entered               people
switches                    how often gates were turned
closed_in/<gate>            minutes in which nobody might enter there
clear_t95, clear_t100       minutes from the end until 95 % and all of those inside were out
stage/<plan>/<stage>        minutes in a stage
alerts                      incidents raised
band                        share of the minutes in which the truth lay inside the engine's band, all zones together
band_lag                    most people by which the truth was outside it

Of several sites on one day each has all of these, named peak/bund.square, queue_most/bund, stage/bund.stairs/apart, and

arrived, went_on            people who came from another site, and left for another one; among those who came and left
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from flowwatch.core.settings import Setting
from flowwatch_sim.laboratory import HOME_S, Day
from flowwatch_sim.planned import Planned

Bars = Mapping[str, Sequence[float]]
"""Zone -> bars, in people."""
CONGESTED_PER_M2: Final = 4.0
"""IMO MSC.1/Circ.1533: local density above which a place is congested."""


def measures(day: Day, planned: Planned, counted: Bars | None = None) -> dict[str, float]:
    """All figures of a day; `counted`: the bars to count people over, if not only those of the day's own plans."""
    layout = planned.layout
    counted = bars(planned) if counted is None else counted
    found: dict[str, float] = {}
    step_min = day.every_s / 60.0
    for z, zone in enumerate(layout.zones):
        people = day.inside[:, z].astype(np.float64)
        found[f"peak/{zone}"] = float(people.max(initial=0.0))
        found[f"density_p95/{zone}"] = float(np.quantile(people, 0.95)) / layout.area[z] if len(people) else 0.0
        found[f"congested/{zone}"] = float(np.mean(people > CONGESTED_PER_M2 * layout.area[z])) if len(people) else 0.0
        for bar in counted.get(zone, ()):
            over = np.maximum(people - bar, 0.0)
            found[f"minutes_over/{zone}/{bar:g}"] = float(np.count_nonzero(over) * step_min)
            found[f"person_minutes_over/{zone}/{bar:g}"] = float(over.sum() * step_min)
    queue = day.outside.sum(axis=1)
    waits = day.waited / 60.0
    found |= {
        "queue_most": float(queue.max(initial=0)),
        "queue_p95": float(np.quantile(queue, 0.95)) if len(queue) else 0.0,
        "queue_time": float(queue.sum() * step_min),
        "wait_mean": float(waits.mean()) if len(waits) else 0.0,
        "wait_p95": float(np.quantile(waits, 0.95)) if len(waits) else 0.0,
        "wait_most": float(waits.max(initial=0.0)),
        "came": float(day.came),
        "entered": float(len(day.waited)),
        "turned_away": float(day.turned_away),
        "turned_away_share": day.turned_away / day.came if day.came else 0.0,
        "switches": float(len(day.settings)),
        "alerts": float(len(day.alerts)),
    }
    found |= {f"closed_in/{gate}": minutes for gate, minutes in _shut(day, planned).items()}
    after = day.left_at[day.left_at > planned.lasts_s] - planned.lasts_s
    if day.still_inside:  # whoever is still there took longer than anybody looked
        after = np.append(after, [HOME_S] * day.still_inside)
    found["clear_t95"] = float(np.quantile(after, 0.95)) / 60.0 if len(after) else 0.0
    found["clear_t100"] = float(after.max(initial=0.0)) / 60.0
    found["still_inside"] = float(day.still_inside)
    found["contradicted"] = float(sum(report.contradicts for report in day.reports))
    found |= {f"stage/{plan}/{stage}": minutes for (plan, stage), minutes in stage_minutes(day, planned.lasts_s).items()}
    known = day.lower >= 0
    inside = known & (day.lower <= day.truth) & (day.truth <= day.upper)
    found["band"] = float(inside.sum() / known.sum()) if known.any() else 0.0
    beyond = np.where(known, np.maximum(day.lower - day.truth, day.truth - day.upper), 0)
    found["band_lag"] = float(max(0, beyond.max(initial=0)))
    return found


def of_day(days: Sequence[Day], planned: Planned, counted: Bars | None = None) -> dict[str, float]:
    """All figures of a day of every site of a scenario, `days` in their order; `counted` as in `measures`, with zones as `Planned.named` has them."""
    if not planned.beside:
        return measures(days[0], planned, counted)
    counted = bars(planned) if counted is None else counted
    found: dict[str, float] = {}
    for day, place in zip(days, planned.sites, strict=True):
        head = planned.named(place.scenario.site, "")
        mine = measures(day, place, {zone.removeprefix(head): those for zone, those in counted.items() if zone.startswith(head)})
        mine |= {"arrived": float(day.arrived), "went_on": float(day.went_on)}
        found |= {_at(place.scenario.site, name): value for name, value in mine.items()}
    return found


def of_site(found: Mapping[str, float], planned: Planned, place: Planned) -> dict[str, float]:
    """The figures of one of a scenario's sites, under the names that they would have if it were the only one."""
    if not planned.beside:
        return dict(found)
    mine, site = {}, place.scenario.site
    for name, value in found.items():
        first, whose, *more = name.split("/")
        if whose == site or whose.startswith(f"{site}."):
            mine["/".join([first, *filter(None, [whose[len(site) + 1 :]]), *more])] = value
    return mine


def _at(site: str, name: str) -> str:
    first, *more = name.split("/")
    return "/".join([first, ".".join([site, *more[:1]]), *more[1:]])


def bars(*setups: Planned) -> dict[str, list[float]]:
    """Zone -> the bars on people inside of all plans of one setup or several, in people, ascending. Zones as `Planned.named` has them."""
    found: dict[str, set[float]] = {}
    for planned, place in [(of, place) for of in setups for place in of.sites]:
        for plan in place.loaded.site["plans"]:
            for stage in plan["stages"]:
                for leaf in stage["leaves"]:
                    if on_people(leaf):
                        found.setdefault(planned.named(place.scenario.site, leaf["zone"]), set()).add(leaf["enter_m"] / 1000)
    return {zone: sorted(those) for zone, those in found.items()}


def on_people(leaf: Mapping[str, Any]) -> bool:
    """Whether a condition has a bar on people inside, however the plan writes it."""
    return leaf["kind"] == "people" and str(leaf["measure"]).startswith(("occupancy", "capacity", "density", "level"))


def stage_minutes(day: Day, until_s: float) -> dict[tuple[str, str], float]:
    """(plan, stage) -> minutes in it."""
    found: dict[tuple[str, str], float] = {}
    present: dict[str, tuple[str, float]] = {}
    for at, plan, stage in [*day.stages, *((until_s, plan, None) for plan in dict.fromkeys(p for _, p, _ in day.stages))]:
        if plan in present:
            before, since = present.pop(plan)
            found[plan, before] = found.get((plan, before), 0.0) + (at - since) / 60.0
        if stage is not None:
            present[plan] = (stage, at)
    return found


def _shut(day: Day, planned: Planned) -> Mapping[str, float]:
    """Outer gate -> minutes in which it let nobody in."""
    found = {gate: 0.0 for gate, outer in zip(planned.layout.gates, planned.layout.outer, strict=True) if outer}
    changes: Sequence[tuple[float, str, str]] = day.settings
    for gate in found:
        since, open_ = 0.0, True
        for at, name, setting in changes:
            if name == gate:
                found[gate] += 0.0 if open_ else (at - since) / 60.0
                since, open_ = at, Setting.parse(setting).may_enter
        found[gate] += 0.0 if open_ else (planned.lasts_s - since) / 60.0
    return found
