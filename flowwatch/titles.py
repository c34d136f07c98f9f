"""What a site's own people call its things, and what its clocks show: titles and time of day from the compiled document.

A thing without a title keeps its name, and so does everything where the document is no longer known; times are then in UTC. Nothing here
decides anything.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from flowwatch.core.readings import OUTSIDE, SECOND
from flowwatch.vocabulary import DEVICE_STATES, THINGS, role
from flowwatch.words import Language, Text, listed, quoted, say, sentence, word

__all__ = ["Clock", "Language", "Names", "Text"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CHINESE: Final = re.compile(r"[\u3400-\u9fff]")
_TITLED: Final = ("zone", "gate", "link", "counter", "barrier", "sign", "plan")


OF_DEVICES: Final = frozenset(
    ("override_active", "invariant_broken", "release_needed", "gate_unanswered", "gate_wrong_mode", "gate_lost", "gate_contradicted")
)
"""Incidents whose subject is a gate or another device."""


class Names:
    """The titles that a compiled site gives to its things, in one language; a thing without a title keeps its name.

    `document` may be None where it is no longer known: then everything keeps its name.
    """

    _named = True
    """Whether a title is told with the name."""

    def __init__(self, document: Mapping[str, Any] | None, language: Language) -> None:
        self.language: Language = language
        found = document or {}
        self.site = self.text(found) or str(found.get("site") or "")
        self._whole = self.text(found) or self.say("全场", "the whole site")
        self._titles: dict[str, dict[str, str]] = {kind: self._in(found, kind) for kind in _TITLED}
        self._spoken = {sign["sign"] for sign in found.get("signs", ()) if sign["kind"] == "broadcast"}
        self._ends = {link["link"]: (link["from"], link["to"]) for link in found.get("links", ())}
        self._ladders = {plan["plan"]: self._in(plan, "stage") for plan in found.get("plans", ())}

    def say(self, zh: str, en: str) -> str:
        """Whichever of the two is in this language."""
        return say(self.language, zh, en)

    def word(self, table: Mapping[str, Text], code: str) -> str:
        """A code's word in `table`, or the code itself."""
        return word(table, code, self.language)

    def text(self, thing: Mapping[str, Any], key: str = "title") -> str:
        """One of the texts of a part of the document, in this language; "" where there is none."""
        return str((thing.get(key) or {}).get(self.language) or "")

    def listed(self, words: Sequence[str], last: str | None = None) -> str:
        """Words in a row, as `words.listed` has them."""
        return listed(words, self.language, last)

    def sentence(self, text: str) -> str:
        """The text as a sentence begins."""
        return sentence(text, self.language)

    def quoted(self, text: str) -> str:
        """The text in the language's quotation marks."""
        return quoted(text, self.language)

    def zone(self, name: str) -> str:
        """A zone's title; "site" is the whole, "outside" the world beyond."""
        if name == "site":
            return self._whole
        if name == OUTSIDE:
            return self.say("场外", "outside")
        return self._titles["zone"].get(name) or self._without_title("zone", name)

    def at_zone(self, name: str) -> str:
        """English: the zone with its preposition."""
        called = self.zone(name)
        return f"on {called}" if called == "the whole site" else f"at {called}"

    def gate(self, name: str) -> str:
        """What sentences call a gate."""
        return self.called("gate", name)

    def counter(self, name: str) -> str:
        """What sentences call a counter."""
        return self.called("counter", name)

    def link(self, name: str) -> str:
        """What sentences call a link."""
        return self.called("link", name)

    def called(self, kind: str, name: str) -> str:
        """What sentences call a gate, link, counter, barrier or sign: its title with its name, or what it is and its name.

        >>> Names(None, "zh").called("counter", "turnstile-4"), Names(None, "en").called("counter", "turnstile-4")
        ('计数器“turnstile-4”', 'counter turnstile-4')
        """
        shown = self.title(kind, name)
        if self.language == "zh":
            return shown if _CHINESE.search(shown) else self._without_title(kind, shown)
        return shown if shown != name else self._without_title(kind, name)

    def title(self, kind: str, name: str) -> str:
        """The title with the name, or the name alone, as it stands in tables and lists."""
        title = self._titles[kind].get(name) if kind in self._titles else None
        if not title or title == name:
            return name
        return self.say(f"{title}（{name}）", f"{title} ({name})") if self._named else title

    def asked_of(self, name: str, state: str) -> str:
        """What is asked of the link or barrier `name`: its state in words, and from where to where people walk on a link."""
        if state not in ("one_way", "one_way_back") or len(set(self._ends.get(name, ()))) < 2:
            return self.word(DEVICE_STATES, state)
        start, end = (self.zone(zone) for zone in (self._ends[name] if state == "one_way" else self._ends[name][::-1]))
        return self.say(f"单向通行，由{start}往{end}", f"one way, from {start} to {end}")

    def spoken(self, sign: str) -> bool:
        """Whether a sign's text is said aloud, not shown."""
        return sign in self._spoken

    def role(self, name: str | None) -> str:
        """Who has a duty."""
        return self.say("有关人员", "somebody") if name is None else role(name, self.language)

    @property
    def several(self) -> bool:
        """Whether the site has more than one plan, so that a stage does not say of itself whose it is."""
        return len(self._ladders) > 1

    def plan(self, name: str) -> str:
        """A plan's title; a case is a plan, too."""
        return self._titles["plan"].get(name) or name

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
            case _ if what in OF_DEVICES:
                return self.device(name)
            case "counter_silent":
                return self.counter(name)
            case "drill_active" | "fire" | "degraded" | "advise_only":
                return name
        return self.zone(name)

    def device(self, name: str) -> str:
        """A gate by its name, or another device by its kind and name, as in "barrier/x"."""
        kind, _, device = name.rpartition("/")
        return self.called(kind, device) if kind else self.gate(name)

    def _without_title(self, kind: str, name: str) -> str:
        what = self.word(THINGS, "broadcast" if name in self._spoken else kind)
        return self.say(f"{what}“{name}”", name if name.startswith(kind) else f"{what} {name}")

    def _in(self, thing: Mapping[str, Any], kind: str) -> dict[str, str]:
        return {part[kind]: self.text(part) for part in thing.get(f"{kind}s", ())}


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
