"""What a site's own people call its things, and what its clocks show: titles and time of day from the compiled document.

A thing without a title keeps its name, and so does everything where the document is no longer known; times are then in UTC. Nothing here
decides anything.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from flowwatch.core.readings import OUTSIDE, SECOND

Language = Literal["zh", "en"]
Text = Mapping[Language, str]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_ROLES: Final[Mapping[str, Text]] = {
    "officer_in_charge": {"zh": "值班指挥长", "en": "the officer in charge"},
    "patrol": {"zh": "巡逻警力", "en": "patrol"},
    "volunteers": {"zh": "志愿者", "en": "volunteers"},
}
"""The duties that plans usually name; any other is called as the plan calls it."""


class Names:
    """The titles that a compiled site gives to its things, in one language; a thing without a title keeps its name.

    `document` may be None where it is no longer known: then everything keeps its name.
    """

    def __init__(self, document: Mapping[str, Any] | None, language: Language) -> None:
        self.language = language
        found = document or {}
        self._site = self._title(found)
        self._zones = self._titles(found, "zone")
        self._gates = self._titles(found, "gate")
        self._counters = self._titles(found, "counter")
        self._barriers = self._titles(found, "barrier")
        self._signs = self._titles(found, "sign")
        self._spoken = {sign["sign"] for sign in found.get("signs", ()) if sign["kind"] == "broadcast"}
        self._links = self._titles(found, "link")
        self._ends = {link["link"]: (link["from"], link["to"]) for link in found.get("links", ())}
        self._plans = self._titles(found, "plan")
        self._ladders = {plan["plan"]: self._titles(plan, "stage") for plan in found.get("plans", ())}

    def say(self, zh: str, en: str) -> str:
        """Whichever of the two is in this language."""
        return zh if self.language == "zh" else en

    def word(self, table: Mapping[str, Text], code: str) -> str:
        """A code's word in `table`, or the code itself."""
        return table[code][self.language] if code in table else code

    def listed(self, words: list[str]) -> str:
        """Words in a row."""
        return self.say("、", ", ").join(words)

    def zone(self, name: str) -> str:
        """A zone's title; "site" is the whole, "outside" the world beyond."""
        if name == "site":
            return self._site or self.say("全场", "the whole site")
        if name == OUTSIDE:
            return self.say("场外", "outside")
        return self._zones.get(name) or name

    def gate(self, name: str) -> str:
        """A gate's title with its name."""
        return self._with_name(self._gates.get(name), name)

    def counter(self, name: str) -> str:
        """A counter's title with its name."""
        return self._with_name(self._counters.get(name), name)

    def link(self, name: str) -> str:
        """A link's title with its name."""
        return self._with_name(self._links.get(name), name)

    def one_way(self, name: str, *, back: bool = False) -> str:
        """From where to where people walk on a link, along it or `back`; nothing where the link is not known."""
        if name not in self._ends:
            return ""
        start, end = (self.zone(zone) for zone in (self._ends[name][::-1] if back else self._ends[name]))
        return self.say(f"，由{start}往{end}", f", from {start} to {end}")

    def device(self, kind: str, name: str) -> str:
        """What a barrier, a sign or a link is called; `kind` is the word of a device entry."""
        match kind:
            case "link":
                return self.link(name)
            case "barrier":
                return self._with_name(self._barriers.get(name), name)
            case "sign":
                return self._with_name(self._signs.get(name), name)
        return name

    def spoken(self, sign: str) -> bool:
        """Whether a sign's text is said aloud, not shown."""
        return sign in self._spoken

    def role(self, name: str | None) -> str:
        """Who has a duty."""
        return self.say("有关人员", "somebody") if name is None else self.word(_ROLES, name)

    @property
    def several(self) -> bool:
        """Whether the site has more than one plan, so that a stage does not say of itself whose it is."""
        return len(self._plans) > 1

    def plan(self, name: str) -> str:
        """A plan's title; a case is a plan, too."""
        return self._plans.get(name) or name

    def stage(self, name: str | None, plan: str | None = None) -> str:
        """A stage's title: that of `plan`, else of the first plan that has one of this name; a site without a plan is in none."""
        if name is None:
            return self.say("无", "none")
        ladders = [self._ladders[plan]] if plan in self._ladders else list(self._ladders.values())
        return next((ladder[name] for ladder in ladders if ladder.get(name)), name)

    def rises(self, plan: str | None, start: str | None, end: str | None) -> bool | None:
        """Whether stage `end` of a plan is above `start`; None where that is not known."""
        ladder = list(self._ladders.get(plan or "", ()))
        return ladder.index(end) > ladder.index(start) if start in ladder and end in ladder else None

    def of_plan(self, plan: str | None) -> str:
        """The words that say whose stage this is, where a site has several plans, before it in Chinese and after it in English; else nothing."""
        if plan is None or not self.several:
            return ""
        return self.say(f"“{self.plan(plan)}”的", f' of "{self.plan(plan)}"')

    def subject(self, what: str, name: str) -> str:
        """What an incident is about."""
        match what:
            case "stage":
                return self.stage(name)
            case "confirmation_needed" | "plan_not_valid" | "case_active":
                return self.plan(name)
            case "override_active" if name == "stage":
                return self.say("管控阶段", "the stage")
            case "override_active" if name.startswith("stage:"):
                plan = self.plan(name.removeprefix("stage:"))
                return self.say(f"“{plan}”的管控阶段", f'the stage of "{plan}"')
            case "override_active" | "invariant_broken":
                return self.gate(name)
            case "counter_silent":
                return self.counter(name)
            case "drill_active" | "fire" | "degraded":
                return name
        return self.zone(name)

    def _with_name(self, title: str | None, name: str) -> str:
        return name if not title or title == name else self.say(f"{title}（{name}）", f"{title} ({name})")

    def _titles(self, thing: Mapping[str, Any], of: str) -> dict[str, str]:
        return {part[of]: self._title(part) for part in thing.get(f"{of}s", ())}

    def _title(self, thing: Mapping[str, Any]) -> str:
        titles = thing.get("title") or {}
        return str(titles.get(self.language) or "")


class Clock:
    """The site's wall clock: `offsets` is its document's table of UTC offsets."""

    def __init__(self, document: Mapping[str, Any] | None) -> None:
        self.zone: str = document["time_zone"] if document else "UTC"
        self._offsets: list[tuple[int, int]] = [(since, offset) for since, offset in document["offsets"]] if document else [(0, 0)]

    def moment(self, at: int) -> str:
        """Date and time of day."""
        since = max(bisect_right(self._offsets, (at, 2**31)) - 1, 0)
        try:
            local = _EPOCH + timedelta(microseconds=at + self._offsets[since][1] * SECOND)
        except OverflowError:
            return str(at)
        return local.strftime("%Y-%m-%d %H:%M:%S")

    def time(self, at: int, near: int) -> str:
        """The time of day, with the date if it is another one than that of `near`."""
        day, _, time = self.moment(at).partition(" ")
        return time if day == self.moment(near).partition(" ")[0] else f"{day} {time}"
