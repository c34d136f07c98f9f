"""What measures are called, in which unit and with how many decimals they are written, and in which order a report tells them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from flowwatch.words import Language, say
from flowwatch_sim.report.matter import Matter
from flowwatch_sim.statistics import Difference

MOST_GATES: Final = 12
"""Gates that are told of, those with the most minutes closed to entry; the tables have all."""
NOTHING: Final = "–"


@dataclass(frozen=True, slots=True)
class Measure:
    """How one kind of measure is told."""

    zh: str
    en: str
    unit: str
    decimals: int
    percent: bool = False


_PEOPLE, _MINUTES, _SHARE, _TIMES = "people", "min", "%", "times"
UNITS: Final = {
    _PEOPLE: ("人", "people"),
    _MINUTES: ("分钟", "min"),
    _SHARE: ("%", "%"),
    _TIMES: ("次", "times"),
    "person-min": ("人·分钟", "person-min"),
    "per_m2": ("人/m²", "/m²"),
}
KINDS: Final = {
    "peak": Measure("{0}：峰值人数", "{0}: most people at once", _PEOPLE, 0),
    "minutes_over": Measure("{0}：超过 {1} 人的时间", "{0}: time over {1}", _MINUTES, 1),
    "person_minutes_over": Measure("{0}：超过 {1} 人的人·分钟", "{0}: person-minutes over {1}", "person-min", 0),
    "density_p95": Measure("{0}：密度，95% 的时间不高于", "{0}: density not exceeded 95 % of the time", "per_m2", 2),
    "congested": Measure("{0}：拥挤时间占比（IMO：密度大于 4 人/m²）", "{0}: time congested (IMO: over 4/m²)", _SHARE, 1, percent=True),
    "queue_most": Measure("场外排队最多", "Longest queue outside", _PEOPLE, 0),
    "queue_p95": Measure("场外排队，95% 的时间不多于", "Queue outside, not exceeded 95 % of the time", _PEOPLE, 0),
    "queue_time": Measure("场外等候总时长（含放弃者）", "Time waited outside, all together, who gave up included", "person-min", 0),
    "wait_mean": Measure("入场者平均等候", "Wait of those who got in, mean", _MINUTES, 1),
    "wait_p95": Measure("95% 的入场者等候不超过", "Wait that 95 % of them stay within", _MINUTES, 1),
    "wait_most": Measure("最长等候", "Longest wait", _MINUTES, 1),
    "turned_away": Measure("未能入场", "Turned away", _PEOPLE, 0),
    "turned_away_share": Measure("未能入场占到达者", "Turned away, of those who came", _SHARE, 1, percent=True),
    "entered": Measure("入场", "Got in", _PEOPLE, 0),
    "came": Measure("到达", "Came", _PEOPLE, 0),
    "switches": Measure("通道口转换", "Gates turned", _TIMES, 1),
    "closed_in": Measure("{0}：禁入时间", "{0}: closed to entry", _MINUTES, 1),
    "stage": Measure("{0}", "{0}", _MINUTES, 1),
    "alerts": Measure("发布预警", "Alerts raised", _TIMES, 1),
    "clear_t95": Measure("散场后 95% 的人离场用时", "Until 95 % are out after the end", _MINUTES, 1),
    "clear_t100": Measure("散场后全部离场用时", "Until all are out after the end", _MINUTES, 1),
    "band": Measure("实际人数落在人数区间内的时间占比", "Time with the true figure inside the band", _SHARE, 1, percent=True),
    "band_lag": Measure("实际人数偏出区间最多", "Farthest outside the band", _PEOPLE, 0),
}
"""By the first word of a measure's name; {0} is the zone or gate, {1} the bar."""


def kind(measure: str) -> Measure:
    """How a measure is told; one that has no words here is called as it is."""
    return KINDS.get(measure.partition("/")[0], Measure(measure.replace("{", "").replace("}", ""), measure, "", 2))


def title(measure: str, matter: Matter) -> str:
    """A measure's name as tables have it."""
    head, *of = measure.split("/")
    match head:
        case "closed_in":
            args = [_gates_named(matter, alike(matter, measure))]
        case "stage":
            args = [matter.names[0].stage(of[1], of[0])]
        case _ if of:
            args = [matter.names[0].zone(of[0]), *(number(float(bar), 0) for bar in of[1:])]
        case _:
            args = []
    text = say(matter.language, KINDS[head].zh, KINDS[head].en) if head in KINDS else measure
    for i in reversed(range(len(args))):
        text = text.replace(f"{{{i}}}", args[i])
    return text


def _gates_named(matter: Matter, of: list[str]) -> str:
    """One gate, or the first of several with how many there are besides."""
    first, more = matter.names[0].gate(of[0].partition("/")[2]), len(of) - 1
    if not more:
        return first
    return matter.say(f"{first}等 {more + 1} 个通道口", f"{first} and {more} {'other' if more == 1 else 'others'}")


def unit(measure: str, language: Language) -> str:
    """The unit that stands in a column of its own."""
    return say(language, *UNITS.get(kind(measure).unit, ("", "")))


def groups(matter: Matter) -> Iterator[tuple[str, list[str]]]:
    """Titles of the groups with their measures, in the order of reading, as far as there are any."""
    say_ = matter.say
    crowding = [name for zone in matter.zones for name in _of_zone(matter, zone)]
    outside = [
        "queue_most",
        "queue_p95",
        "queue_time",
        "wait_mean",
        "wait_p95",
        "wait_most",
        "came",
        "entered",
        "turned_away",
        "turned_away_share",
    ]
    control = ["switches", "alerts", *_gates(matter)]
    for head, names in (
        (say_("场内拥挤程度", "Crowding inside"), crowding),
        (say_("场外", "Outside"), outside),
        (say_("管控措施", "Control"), control),
        (say_("散场", "Clearance"), ["clear_t95", "clear_t100"]),
        (say_("对实际人数的掌握", "Knowledge of the true figure"), ["band", "band_lag"]),
    ):
        there = [name for name in names if name in matter.table.rows]
        if there:
            yield head, there


def _of_zone(matter: Matter, zone: str) -> list[str]:
    """A zone's measures; of its bars those that were ever exceeded."""
    over = [
        f"{name}/{zone}/{bar:g}"
        for bar in matter.all_bars(zone)
        if not under(matter, f"minutes_over/{zone}/{bar:g}")
        for name in ("minutes_over", "person_minutes_over")
    ]
    congested = [] if under(matter, f"congested/{zone}") else [f"congested/{zone}"]
    return [f"peak/{zone}", f"density_p95/{zone}", *congested, *over]


def never_congested(matter: Matter) -> bool:
    """Whether no zone that is told of was ever congested."""
    return all(under(matter, f"congested/{zone}") for zone in matter.zones)


def under(matter: Matter, measure: str) -> bool:
    """Whether a measure was 0 on every day of every setup."""
    row = matter.table.rows.get(measure)
    return row is not None and all(span in (None, (0.0, 0.0)) for span in row.spans)


def never_over(matter: Matter) -> Iterator[tuple[str, list[float]]]:
    """Zones with those of their bars that were not exceeded on any day of any setup."""
    for zone in matter.zones:
        bars = [bar for bar in matter.all_bars(zone) if under(matter, f"minutes_over/{zone}/{bar:g}")]
        if bars:
            yield zone, bars


def _gates(matter: Matter) -> list[str]:
    """Gates that were ever closed to entry, in their order; of those that were closed the same minutes on every day the first."""
    rows = matter.table.rows
    most = {name: max((m for m in rows[name].means if m is not None), default=0.0) for name in rows if name.startswith("closed_in/")}
    shown = sorted((name for name in most if most[name] > 0), key=lambda name: -most[name])[:MOST_GATES]
    ordered = [name for gate in matter.first.layout.gates if (name := f"closed_in/{gate}") in shown]
    return [name for name in ordered if alike(matter, name)[0] == name]


def alike(matter: Matter, name: str) -> list[str]:
    """The gates' measures that are the same as this one on every day of every setup, in the order of the gates; itself too."""

    def values(measure: str) -> list[list[float] | None]:
        return [of.values(measure) for of in matter.table.days]

    mine = values(name)
    return [other for gate in matter.first.layout.gates if values(other := f"closed_in/{gate}") == mine]


# -- numbers ----------------------------------------------------------------------------------------------------------------------------


def number(value: float, decimals: int, *, signed: bool = False) -> str:
    """A number with a true minus, grouped by thousands; what rounds to nothing is 0 without a sign.

    >>> number(-1319.5, 0), number(-0.04, 1), number(3.25, 1, signed=True)
    ('−1,320', '0.0', '+3.2')
    """
    text = f"{abs(value):,.{decimals}f}"
    if not text.strip("0.,"):
        return text
    return f"{'−' if value < 0 else '+' if signed else ''}{text}"


def figure(measure: str, value: float | None) -> str:
    """A measure's value without its unit."""
    how = kind(measure)
    return NOTHING if value is None else number(value * (100 if how.percent else 1), how.decimals)


def decimals(measure: str, difference: Difference) -> int:
    """As many as the measure has; one or two more where an interval that leaves 0 out would be written with 0 in it, or as one number."""
    how = kind(measure)
    times, wanted = 100 if how.percent else 1, how.decimals
    low, high = difference.low * times, difference.high * times
    while (
        not low <= 0 <= high and wanted < how.decimals + 2 and (0 in (round(low, wanted), round(high, wanted)) or _alike(low, high, wanted))
    ):
        wanted += 1
    return wanted


def _alike(low: float, high: float, places: int) -> bool:
    return low != high and round(low, places) == round(high, places)


def change(measure: str, difference: Difference) -> str:
    """A difference with its sign."""
    return number(difference.mean * (100 if kind(measure).percent else 1), decimals(measure, difference), signed=True)


def interval(measure: str, difference: Difference, language: Language) -> str:
    """The interval's ends with their signs."""
    times, places = 100 if kind(measure).percent else 1, decimals(measure, difference)
    low, high = (number(end * times, places, signed=True) for end in (difference.low, difference.high))
    return say(language, f"{low} 至 {high}", f"{low} to {high}")
