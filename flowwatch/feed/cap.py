"""An alert as a message of the Common Alerting Protocol 1.2 (OASIS), in Chinese and English: a pure function of the record and what is told with it.

One incident is one chain: Alert, then Update and at its end Cancel, each of which names all earlier messages that it takes the place of. What CAP
leaves open is decided here, and docs/feed.md says why: `scope` is Restricted, a message expires a day after it was sent unless another takes its
place, and an all-clear is Past, Minor, AllClear.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

from lxml import etree

from flowwatch.core.incidents import What
from flowwatch.feed.events import incident_link
from flowwatch.feed.xml import add, shown, written
from flowwatch.handling import runbooks
from flowwatch.handling.records import Alert, Said
from flowwatch.titles import Clock, Names
from flowwatch.vocabulary import level as level_word
from flowwatch.words import Language, Text, closed, whole

NAMESPACE: Final = "urn:oasis:names:tc:emergency:cap:1.2"
MEDIA_TYPE: Final = "application/cap+xml"
EXPIRES_US: Final = 24 * 3_600 * 1_000_000
"""How long a message is in force if nothing takes its place: longer than a place is open, so that no warning lapses on a day because its feed fell
silent, and none of a system that is gone stands for ever. ASSUMED."""
CLEAR_EXPIRES_US: Final = 3_600 * 1_000_000
"""How long an all-clear is news. ASSUMED."""
HEADLINE: Final = 160
"""The most characters of a headline that devices with short lines show (CAP 1.2, 3.2.2)."""

CODES: Final[Mapping[Language, str]] = {"zh": "zh-CN", "en": "en-US"}
SEVERITIES: Final[Mapping[str | None, str]] = {"IV": "Minor", "III": "Moderate", "II": "Severe", "I": "Extreme", None: "Minor"}
DRILL_MARK: Final[Text] = {"zh": "【演练】", "en": "[DRILL] "}
EVENTS: Final[Mapping[str, Text]] = {
    What.STAGE: {"zh": "客流预警", "en": "Crowd warning"},
    What.FIRE: {"zh": "火警疏散", "en": "Fire evacuation"},
    What.DEGRADED: {"zh": "客流监测数据不足", "en": "Crowd monitoring impaired"},
    What.DRILL_ACTIVE: {"zh": "客流管控演练", "en": "Crowd control exercise"},
    What.CASE_ACTIVE: {"zh": "专项预案启用", "en": "Special crowd plan in force"},
}
_OTHER: Final[Text] = {"zh": "客流管控", "en": "Crowd management"}
_RESPONSES: Final[Mapping[str, tuple[str, ...]]] = {
    What.FIRE: ("Evacuate",),
    What.STAGE: ("Execute",),
    What.DEGRADED: ("Monitor",),
    What.DRILL_ACTIVE: ("Execute",),
    What.CASE_ACTIVE: ("Execute",),
}
_NOTE: Final = "演练，并非真实警情。 This is an exercise and not a real event."
_RESTRICTION: Final = (
    "供公安机关和景区管理单位内部使用，未经批准不得向公众发布。 "
    "For the police and the managers of the site; not for the public unless they decide so."
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who speaks: the sender's name, which other messages refer to, and how people reach the API (None: nobody said)."""

    sender: str
    public_url: str | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that was sent: what it is called, and when (microseconds)."""

    identifier: str
    at_us: int


def message(
    alert: Alert,
    at_us: int,
    earlier: Sequence[Sent],
    speaker: Speaker,
    document: Mapping[str, Any] | None,
) -> bytes:
    """The alert, told at `at_us`, as a CAP file.

    `earlier`: the incident's messages that are in force, the oldest first. `document`: the compiled site, None where it is not known (then titles are
    names and times UTC). Raises ValueError for an alert that is no CAP message.
    """
    if alert.cap is None:
        raise ValueError(f"incident {alert.incident}: the alert has no CAP identifier")
    told = _Told(alert, at_us, speaker, document)
    root = etree.Element(f"{{{NAMESPACE}}}alert", nsmap={None: NAMESPACE})
    add(root, "identifier", alert.cap)
    add(root, "sender", speaker.sender)
    add(root, "sent", moment(at_us, document))
    add(root, "status", "Exercise" if told.exercise else "Actual")
    add(root, "msgType", "Alert" if not earlier else "Cancel" if told.cleared else "Update")
    add(root, "scope", "Restricted")
    add(root, "restriction", _RESTRICTION)
    if told.exercise:
        add(root, "note", _NOTE)
    if earlier:
        add(root, "references", " ".join(f"{speaker.sender},{one.identifier},{moment(one.at_us, document)}" for one in earlier))
    add(root, "incidents", alert.incident)
    for lang in CODES:
        _info(root, told, lang)
    return written(root)


def is_exercise(alert: Alert) -> bool:
    """Whether the alert is no more than a drill's."""
    return alert.drill or alert.what == What.DRILL_ACTIVE


def headline(alert: Alert, lang: Language) -> str:
    """The alert's text on one line, marked if it is only a drill's."""
    return _marked(alert, alert.text, lang)


def level_of(alert: Alert, document: Mapping[str, Any] | None) -> str | None:
    """The warning level: the alert's own, or that of the stage that is drilled; None where nobody is warned."""
    if alert.level is None and alert.what == What.DRILL_ACTIVE and document is not None:
        stages = (stage for plan in document["plans"][:1] for stage in plan["stages"])
        return next((stage["level"] for stage in stages if stage["stage"] == alert.reason), None)
    return alert.level


def moment(at_us: int, document: Mapping[str, Any] | None) -> str:
    """A moment on the site's clock as CAP writes it: whole seconds, never Z; UTC is -00:00 (CAP 1.2, 3.3.2).

    >>> moment(1_790_834_580_999_999, {"offsets": [[0, 28_800]]}), moment(1_790_834_580_000_000, None)
    ('2026-10-01T14:03:00+08:00', '2026-10-01T06:03:00-00:00')
    """
    offsets = [(0, 0)] if document is None else document["offsets"]
    minutes = offsets[max(bisect_right(offsets, at_us, key=lambda row: int(row[0])) - 1, 0)][1] // 60
    local = _EPOCH + timedelta(seconds=at_us // 1_000_000, minutes=minutes)
    sign = "+" if minutes > 0 else "-"
    return f"{local:%Y-%m-%dT%H:%M:%S}{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


@dataclass(frozen=True, slots=True)
class _Told:
    """What both languages are told from."""

    alert: Alert
    at_us: int
    speaker: Speaker
    document: Mapping[str, Any] | None

    @property
    def figure(self) -> Mapping[str, Any] | None:
        """How many people there are, as the cause in the journal has it: zone, inside_m, lower_m, upper_m (thousandths of a person), known."""
        found = (self.alert.detail or {}).get("people")
        return found if isinstance(found, dict) else None

    @property
    def cleared(self) -> bool:
        return self.alert.state == "cleared"

    @property
    def exercise(self) -> bool:
        return is_exercise(self.alert)

    @property
    def forecast(self) -> bool:
        return self.alert.certainty == "likely" and not self.cleared

    @property
    def level(self) -> str | None:
        return level_of(self.alert, self.document)

    @property
    def expires_us(self) -> int:
        """When it ends by itself: a drill when it was said that it ends."""
        if self.cleared:
            return self.at_us + CLEAR_EXPIRES_US
        until = (self.alert.detail or {}).get("until_us") if self.alert.what == What.DRILL_ACTIVE else None
        return until if isinstance(until, int) and until > self.at_us else self.at_us + EXPIRES_US


def _info(root: etree._Element, told: _Told, lang: Language) -> None:
    alert, names = told.alert, Names(told.document, lang)
    info = add(root, "info")
    add(info, "language", CODES[lang])
    for category in ("Safety", "Fire") if alert.what == What.FIRE else ("Safety",):
        add(info, "category", category)
    add(info, "event", EVENTS.get(alert.what, _OTHER)[lang])
    for response in _responses(told):
        add(info, "responseType", response)
    add(info, "urgency", "Past" if told.cleared else "Expected" if told.forecast else "Immediate")
    add(info, "severity", _severity(told))
    add(info, "certainty", "Likely" if told.forecast else "Observed")
    _value(info, "eventCode", "flowwatch", alert.what)
    add(info, "effective", moment(told.at_us, told.document))
    if not told.forecast:
        add(info, "onset", moment(min(alert.since_us, told.at_us), told.document))
    add(info, "expires", moment(told.expires_us, told.document))
    site = shown(names.site) or alert.site
    add(info, "senderName", names.say(f"{site}客流预警系统", f"{site}: crowd early warning"))
    text = headline(alert, lang)
    add(info, "headline", text if len(text) <= HEADLINE else f"{text[: HEADLINE - 1]}…")
    add(info, "description", _description(told, text, names))
    if alert.instruction is not None and not told.cleared and _say(alert.instruction, lang):
        add(info, "instruction", _marked(alert, alert.instruction, lang))
    if told.speaker.public_url is not None:
        add(info, "web", f"{runbooks.address(quote(alert.what, safe=''), told.speaker.public_url)}?lang={lang}")
    for name, value in _parameters(told, names):
        _value(info, "parameter", name, value)
    if told.speaker.public_url is not None:
        resource = add(info, "resource")
        add(resource, "resourceDesc", names.say("事件记录（需登录）", "The incident's record (asks who you are)"))
        add(resource, "mimeType", "application/json")
        add(resource, "uri", incident_link(quote(alert.incident, safe=""), told.speaker.public_url))
    lies = shown(names.text(told.document or {}, "area"))
    add(add(info, "area"), "areaDesc", names.say(f"{site}（{lies}）", f"{site} ({lies})") if lies else site)


def _severity(told: _Told) -> str:
    """By the level; what has none is as severe as it is urgent for people, and what is over is not."""
    found = None if told.cleared else told.level or told.alert.priority
    return SEVERITIES.get(found, SEVERITIES[None])


def _responses(told: _Told) -> tuple[str, ...]:
    if told.cleared:
        return ("AllClear",)
    if told.forecast:
        return ("Prepare",)
    found = _RESPONSES.get(told.alert.what, ("Monitor",))
    return (*found, "Avoid") if told.alert.what == What.STAGE and told.level in ("I", "II") else found


def _description(told: _Told, text: str, names: Names) -> str:
    clock, lang = Clock(told.document), names.language
    said, since = [closed(text, lang)], clock.moment(told.alert.since_us)
    if told.cleared:
        until = clock.time(told.at_us, told.alert.since_us)
        said.append(names.say(f"{since} 起，{until} 解除。", f"From {since} until {until}."))
    else:
        if told.level is not None:
            said.append(names.say(f"预警级别：{level_word(told.level, lang)}。", f"Warning {level_word(told.level, lang)}."))
        if told.forecast:
            said.append(names.say("此为预测，尚未发生。", "This is a forecast; it has not happened."))
        said.append(names.say(f"自 {since} 起。", f"Since {since}."))
    figure = told.figure
    if figure is not None:
        people = _people(figure)
        where = names.zone(str(figure.get("zone") or "site"))
        if "people" in people and "people_upper" in people:
            about, low, high = (whole(int(people[name]) * 1000) for name in ("people", "people_lower", "people_upper"))
            said.append(names.say(f"{where}在场约 {about} 人（{low} 至 {high} 人）。", f"{where}: about {about} people ({low} to {high})."))
        elif "people_lower" in people:
            low = whole(int(people["people_lower"]) * 1000)
            said.append(names.say(f"{where}在场人数未知，至少 {low} 人。", f"{where}: how many are inside is not known, at least {low}."))
    return names.say("", " ").join(said)


def _people(figure: Mapping[str, Any]) -> dict[str, str]:
    """Whole persons; what is not known is left out, never guessed."""
    found = {"people": figure.get("inside_m"), "people_lower": figure.get("lower_m"), "people_upper": figure.get("upper_m")}
    if not figure.get("known", True):
        found = {"people_lower": found["people_lower"]}
    return {name: str(max(round(milli / 1000), 0)) for name, milli in found.items() if isinstance(milli, int | float)}


def _parameters(told: _Told, names: Names) -> list[tuple[str, str]]:
    """What programs read, under one name in both languages; texts that people read are in the language."""
    alert = told.alert
    found = [("site", alert.site), ("state", alert.state)]
    if told.level is not None and not told.cleared:
        found.append(("level", told.level))
    stage = alert.subject if alert.what == What.STAGE else alert.reason if alert.what == What.DRILL_ACTIVE else None
    if stage is not None:
        found += [("stage", stage), ("stage_title", names.stage(stage))]
    if alert.what == What.CASE_ACTIVE:
        found += [("case", alert.subject), ("case_title", names.plan(alert.subject))]
    figure = told.figure
    if figure is not None and (people := _people(figure)):
        found += [("zone", str(figure.get("zone") or "site")), *people.items()]
    if alert.entry is not None:
        found.append(("journal_entry", alert.entry))
    return [(name, value) for name, value in found if shown(value)]


def _value(parent: etree._Element, kind: str, name: str, value: str) -> None:
    pair = add(parent, kind)
    add(pair, "valueName", name)
    add(pair, "value", value)


def _say(said: Said, lang: Language) -> str:
    return shown(said.zh if lang == "zh" else said.en)


def _marked(alert: Alert, said: Said, lang: Language) -> str:
    text, mark = _say(said, lang), DRILL_MARK[lang]
    text = text or EVENTS.get(alert.what, _OTHER)[lang]
    return text if not is_exercise(alert) or text.startswith(mark.strip()) else f"{mark}{text}"
