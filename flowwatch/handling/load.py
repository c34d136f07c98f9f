"""How heavy the alarms were: the figures of EEMUA 191 and ISA-18.2 over a span of the book of handling.

What sounds is counted (`records.SHOWN`), not what the journal says: a hundred silent counters behind one group are one alert to a person. The
bounds are those of one operator, second-hand (docs/alarm-load.md); whoever has several says so, and the mean is divided among them. The worst ten
minutes are not: the same screen hangs before all of them.

A function of the entries alone; what cannot be read of them is passed over (`readable`). Those before the span say what was open when it began;
they are counted nowhere else, and nor are their answers.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from flowwatch.core.entries import Entry
from flowwatch.handling.readable import readable
from flowwatch.handling.records import FLOWWATCH, SHOWN, Act, Alert, Handling, Shown, Step
from flowwatch.journal.export import iso

SECOND_US: Final = 1_000_000
HOUR_US: Final = 3_600 * SECOND_US
WINDOW_US: Final = 600 * SECOND_US
"""Ten minutes: the span by which floods are judged (ISA-18.2)."""
PER_HOUR: Final = 6
"""The most alerts that one operator can answer in an hour, over a day (EEMUA 191)."""
FLOOD: Final = 10
"""More alerts than this in ten minutes are a flood (ISA-18.2)."""
CHATTER_US: Final = 60 * SECOND_US
CHATTER: Final = 3
"""So many changes of one thing in a minute are chatter (ISA-18.2)."""
STALE_US: Final = 24 * HOUR_US
"""Open for so long without an answer: stale (ISA-18.2)."""
TOP: Final = 10
LEAD_US: Final = 31 * 24 * HOUR_US
"""From how long before a span entries are read, to know what was open when it began. An alert that nobody answered for longer was stale in every
report of that month, and is left out of the next."""

HIDDEN: Final = (Shown.PARENT, Shown.GROUP, Shown.FLOOD, Shown.SHELVED, Shown.MAINTENANCE)
"""Why an alert that somebody should answer is not shown by itself."""
PRIORITIES: Final = ("I", "II", "III", "IV")
GUIDE: Final[Mapping[str, float]] = {"high": 0.05, "medium": 0.15, "low": 0.80}
"""How alerts should be spread (EEMUA 191): a guide for who sets priorities, over weeks; not judged."""
BANDS: Final[Mapping[str, str]] = {"I": "high", "II": "medium", "III": "low", "IV": "low"}
"""Our four levels in the guide's three. ASSUMED: the guide knows no fourth."""

Key = tuple[str, str, str]
"""(site, what, subject): what an incident is about; the same thing has a new incident each time that it happens."""
Name = tuple[str, str]
"""(site, incident)."""


@dataclass(frozen=True, slots=True)
class Often:
    """One thing that alerts were about. `share`: of all alerts that were shown, 0..1."""

    site: str
    what: str
    subject: str
    count: int
    share: float


@dataclass(frozen=True, slots=True)
class Left:
    """An incident that was shown and that nobody answered."""

    site: str
    incident: str
    what: str
    subject: str
    priority: str | None
    since_us: int
    """When it was shown first, of those times that nobody has answered."""


@dataclass(frozen=True, slots=True)
class Bound:
    """One figure beside the most that it may be. `name`: the field of `Load`, or what it is counted from."""

    name: str
    found: float
    most: float
    source: str

    @property
    def broken(self) -> bool:
        """Whether it is more."""
        return self.found > self.most


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """The load of the span since_us <= at < until_us."""

    since_us: int
    until_us: int
    operators: int
    """Among how many people the alerts were divided."""
    shown: int
    """Alerts that sounded: new ones, those that became worse, and those that nothing stands for any more (`sounds`)."""
    per_hour: float
    per_operator_hour: float
    """Alerts shown an hour, the mean of the span, to each operator. EEMUA 191: at most 6."""
    worst_10min: int
    """The most alerts in any ten minutes, wherever they begin. EEMUA 191, ISA-18.2: at most 10."""
    worst_at_us: int | None
    """When the last of those came; None where there was none."""
    flood_share: float
    """The part of the span, 0..1, at which more than 10 had come in the ten minutes before. ISA-18.2: at most 0.01."""
    chatter: tuple[Often, ...]
    """What changed three times or more in some minute (`count`: the most in any); ISA-18.2: none."""
    stale: tuple[Left, ...]
    """What was open and unanswered for more than 24 hours at the end, and that nobody had put off; ISA-18.2: fewer than 5."""
    top: tuple[Often, ...]
    """The ten things that were shown most often; ISA-18.2: where to begin."""
    acknowledged: int
    """Of the alerts shown, those that a person answered by the end of the span."""
    unanswered: int
    """Those that nobody did, ended by themselves or not."""
    acknowledge_p50_s: float | None
    """Seconds from an alert to its answer: half of those that were answered took at most so long (nearest rank); None without any."""
    acknowledge_p90_s: float | None
    by_priority: Mapping[str, int]
    """Alerts shown, by priority (I..IV)."""
    escalations: Mapping[str, int]
    """How often a clock ran out and the next duty answered, by clock."""
    shelved: int
    """How often a person shelved something."""
    suppressed: Mapping[str, int]
    """Incidents that were not shown by themselves, by reason (`HIDDEN`)."""
    reds_hidden: int
    """Those of priority I among them: must be none."""

    @property
    def bands(self) -> Mapping[str, float]:
        """The share of each band of `GUIDE`, 0..1; all 0 where nothing was shown."""
        count = Counter(dict.fromkeys(GUIDE, 0))
        for priority, number in self.by_priority.items():
            count[BANDS[priority]] += number
        return {band: number / self.shown if self.shown else 0.0 for band, number in count.items()}

    @property
    def bounds(self) -> tuple[Bound, ...]:
        """What is judged, each beside its bound."""
        return (
            Bound("per_operator_hour", self.per_operator_hour, PER_HOUR, "EEMUA 191"),
            Bound("worst_10min", self.worst_10min, FLOOD, "EEMUA 191, ISA-18.2"),
            Bound("flood_share", self.flood_share, 0.01, "ISA-18.2"),
            Bound("chatter", len(self.chatter), 0, "ISA-18.2"),
            Bound("stale", len(self.stale), 4, "ISA-18.2"),
            Bound("reds_hidden", self.reds_hidden, 0, "flowwatch"),
        )

    @property
    def broken(self) -> tuple[str, ...]:
        """The names of the bounds that were not kept."""
        return tuple(bound.name for bound in self.bounds if bound.broken)


@dataclass(slots=True)
class _Episode:
    """What has to be known of one incident on the way through its entries."""

    key: Key
    priority: str | None = None
    level: str | None = None
    seen: bool = False
    """Whether its last alert was before people, so that its end is, too."""
    waiting: list[tuple[int, bool]] = field(default_factory=list)
    """When people heard of it, of the times that nobody has answered, and whether that time is counted in the span."""
    put_off: bool = False
    """Shelved, put off or suppressed: nobody is asked to answer it now."""

    @property
    def since_us(self) -> int:
        """Since when it waits for an answer."""
        return min(heard for heard, _ in self.waiting)


class _Count:
    """One pass through the entries."""

    def __init__(self, since_us: int, until_us: int) -> None:
        self.since_us, self.until_us = since_us, until_us
        self.episodes: dict[Name, _Episode] = {}
        self.times: list[int] = []
        self.keys: Counter[Key] = Counter()
        self.by_priority: Counter[str] = Counter(dict.fromkeys(PRIORITIES, 0))
        self.changes: dict[Key, list[int]] = defaultdict(list)
        self.took: list[int] = []
        self.escalations: Counter[str] = Counter()
        self.shelved = 0
        self.suppressed: dict[str, set[Name]] = {why.value: set() for why in HIDDEN}
        self.reds: set[Name] = set()

    def take(self, said: Alert | Step, at: int) -> None:
        """Go on by one record."""
        if isinstance(said, Alert):
            self._alert(said, at, inside=at >= self.since_us)
        else:
            self._step(said, at, inside=at >= self.since_us)

    def _alert(self, alert: Alert, at: int, *, inside: bool) -> None:
        name, key = (alert.site, alert.incident), (alert.site, alert.what, alert.subject)
        episode = self.episodes.setdefault(name, _Episode(key))
        episode.key, episode.priority = key, alert.priority
        hidden = alert.shown in HIDDEN or _flickers(alert)
        changed = (alert.shown in (*SHOWN, Shown.RETURNED) and not hidden) or (
            episode.seen and (alert.shown is Shown.ENDED or (alert.shown is Shown.SAME and alert.level != episode.level))
        )
        if alert.shown is not Shown.ENDED:
            episode.level, episode.seen = alert.level, not hidden and alert.shown is not Shown.NOTICE
        if inside and changed:
            self.changes[key].append(at)
        if inside and alert.shown in HIDDEN:
            self._hide(name, alert.shown.value, alert.priority)
        if alert.shown in SHOWN:
            self._sound(episode, at, alert.told_us or at, inside=inside)

    def _sound(self, episode: _Episode, at: int, heard: int, *, inside: bool) -> None:
        episode.waiting.append((heard, inside))
        if inside:
            self.times.append(at)
            self.keys[episode.key] += 1
            if episode.priority is not None:
                self.by_priority[episode.priority] += 1

    def _hide(self, name: Name, why: str, priority: str | None) -> None:
        self.suppressed[why].add(name)
        if priority == PRIORITIES[0]:
            self.reds.add(name)

    def _step(self, step: Step, at: int, *, inside: bool) -> None:
        episode = self.episodes.get((step.site, step.incident))
        if inside and step.act is Act.ESCALATE:
            self.escalations[step.clock or ""] += 1
        if inside and step.act is Act.SHELVE:
            self.shelved += 1
        if episode is None:
            return
        if step.act in (Act.SHELVE, Act.DEFER, Act.SUPPRESS):
            episode.put_off = True
        elif step.act in (Act.UNSHELVE, Act.RESUME, Act.UNSUPPRESS, Act.REOPEN):
            episode.put_off = False
        if sounds(step):
            episode.seen = True
            if inside:
                self.changes[episode.key].append(at)
            self._sound(episode, at, at, inside=inside)
        if step.handling is Handling.NEW:
            return
        if step.by != FLOWWATCH:
            self.took += [max(0, at - heard) for heard, counted in episode.waiting if counted]
        if step.by != FLOWWATCH or step.handling is Handling.CLOSED:
            episode.waiting.clear()

    def stale(self) -> list[Left]:
        """What nobody has answered for too long, the oldest first."""
        found = [
            Left(site, incident, episode.key[1], episode.key[2], episode.priority, episode.since_us)
            for (site, incident), episode in self.episodes.items()
            if episode.waiting and not episode.put_off and self.until_us - episode.since_us > STALE_US
        ]
        return sorted(found, key=lambda left: (left.since_us, left.site, left.incident))


def load(entries: Iterable[Entry], since_us: int, until_us: int, *, operators: int = 1) -> Load:
    """The load of the span, from the book's entries: each chain in its order, from `LEAD_US` before the span to its end.

    Raises ValueError for a span that is empty, and for no operators.
    """
    if until_us <= since_us or operators < 1:
        raise ValueError(f"found {until_us - since_us} us and {operators} operators, expected a span and one operator at least")
    count = _Count(since_us, until_us)
    for entry, said in readable(entry for entry in entries if entry.at < until_us):
        count.take(said, entry.at)
    times = sorted(count.times)
    shown, per_hour = len(times), len(times) / ((until_us - since_us) / HOUR_US)
    worst, worst_at = most_within(times, WINDOW_US)
    took = sorted(count.took)
    return Load(
        since_us=since_us,
        until_us=until_us,
        operators=operators,
        shown=shown,
        per_hour=per_hour,
        per_operator_hour=per_hour / operators,
        worst_10min=worst,
        worst_at_us=worst_at,
        flood_share=flooded_us(times, until_us) / (until_us - since_us),
        chatter=tuple(_chatter(count.changes, shown)),
        stale=tuple(count.stale()),
        top=tuple(_often(key, number, shown) for key, number in sorted(count.keys.items(), key=lambda item: (-item[1], item[0]))[:TOP]),
        acknowledged=len(took),
        unanswered=shown - len(took),
        acknowledge_p50_s=rank_s(took, 50),
        acknowledge_p90_s=rank_s(took, 90),
        by_priority=dict(count.by_priority),
        escalations=dict(sorted(count.escalations.items())),
        shelved=count.shelved,
        suppressed={why: len(names) for why, names in count.suppressed.items()},
        reds_hidden=len(count.reds),
    )


def sounds(said: Alert | Step) -> bool:
    """Whether people were shown it: an alert that is new or worse, or one that something stood for until now, and that stands for itself again."""
    if isinstance(said, Alert):
        return said.shown in SHOWN
    return said.act is Act.UNSUPPRESS and said.detail is not None and said.detail.get("sounds") is True


def plain(found: Load) -> dict[str, Any]:
    """The figures as JSON values, times as text, with what is judged and what was broken."""
    often = {name: [asdict(one) for one in getattr(found, name)] for name in ("chatter", "top")}
    kept = ("operators", "shown", "per_hour", "per_operator_hour", "worst_10min", "flood_share", "acknowledged", "unanswered")
    more = ("acknowledge_p50_s", "acknowledge_p90_s", "by_priority", "bands", "escalations", "shelved", "suppressed", "reds_hidden")
    return {
        "since_at": iso(found.since_us),
        "until_at": iso(found.until_us),
        **{name: getattr(found, name) for name in kept + more},
        "worst_at": None if found.worst_at_us is None else iso(found.worst_at_us),
        **often,
        "stale": [
            {name: value for name, value in asdict(left).items() if name != "since_us"} | {"since_at": iso(left.since_us)}
            for left in found.stale
        ],
        "bounds": [asdict(bound) | {"broken": bound.broken} for bound in found.bounds],
        "broken": list(found.broken),
    }


def most_within(times: Sequence[int], window_us: int) -> tuple[int, int | None]:
    """The most of `times` (ascending) in any window, begin included and end not, and the last of the first such; (0, None) of none.

    >>> most_within([0, 5, 9, 30], 10), most_within([], 10)
    ((3, 9), (0, None))
    """
    most, at, first = 0, None, 0
    for i, time in enumerate(times):
        while times[first] <= time - window_us:
            first += 1
        if i - first + 1 > most:
            most, at = i - first + 1, time
    return most, at


def flooded_us(times: Sequence[int], until_us: int) -> int:
    """For how long before `until_us` there had been more than `FLOOD` of `times` (ascending) in the ten minutes before, microseconds."""
    total, done = 0, times[0] if times else 0
    for i in range(FLOOD, len(times)):
        start, end = max(times[i], done), min(times[i - FLOOD] + WINDOW_US, until_us)
        if end > start:
            total, done = total + end - start, end
    return total


def rank_s(took_us: Sequence[int], percent: int) -> float | None:
    """The percentile by nearest rank of `took_us` (ascending, microseconds), in seconds.

    >>> rank_s([1_000_000, 2_000_000, 3_000_000], 50), rank_s([], 50)
    (2.0, None)
    """
    return took_us[-(-len(took_us) * percent // 100) - 1] / SECOND_US if took_us else None


def _flickers(alert: Alert) -> bool:
    """Whether it came back at once and waits until it has stayed: nobody sees it come and go."""
    return alert.shown is Shown.RETURNED and alert.parent is not None


def _chatter(changes: Mapping[Key, Sequence[int]], shown: int) -> list[Often]:
    worst = {key: most_within(sorted(times), CHATTER_US)[0] for key, times in changes.items()}
    return [_often(key, number, shown) for key, number in sorted(worst.items(), key=lambda i: (-i[1], i[0])) if number >= CHATTER]


def _often(key: Key, count: int, shown: int) -> Often:
    return Often(*key, count, count / shown if shown else 0.0)
