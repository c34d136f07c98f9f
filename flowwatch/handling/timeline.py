"""Everything that was written of one incident, in the order of time: what the journal said, what people were told, who did what and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from flowwatch import texts
from flowwatch.core.entries import Entry, EntryKind
from flowwatch.handling import words
from flowwatch.handling.readable import bodies, readable
from flowwatch.handling.records import FLOWWATCH, Alert, Said, Step
from flowwatch.titles import Names
from flowwatch.words import word

ENGINE = "engine"
"""Who says what is; people and clocks only say what was done about it."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One entry of the journal or of the book. `what`: a state, why an alert was shown or not, an act, the type of an operator's record.

    `by`: "engine", "flowwatch" (the desk and its clocks) or a person, with the `role` in which it was done; `reason`: the one that was given.
    """

    entry: Entry
    what: str
    by: str
    role: str | None
    reason: str | None
    text: Said


def timeline(journal: Iterable[Entry], book: Iterable[Entry], document: Mapping[str, Any] | None) -> list[Moment]:
    """The moments of an incident by time, of entries that are about it; at one time the journal's before what was told of it. Those that cannot be
    read are left out.

    `document`: the compiled site, for its titles; None where there is none.
    """
    names = Names(document, "zh"), Names(document, "en")
    found = [(entry.at, 0, entry.seq, _decided(entry, body, *names)) for entry, body in bodies(journal)]
    found += [(entry.at, 1, entry.seq, _told(entry, said)) for entry, said in readable(book)]
    return [moment for *_, moment in sorted(found, key=lambda one: one[:3])]


def _decided(entry: Entry, body: dict[str, Any], zh: Names, en: Names) -> Moment:
    if entry.kind is EntryKind.ACTION:
        record = body["record"]
        kind = {"zh": word(texts.ACTIONS, body["type"], "zh"), "en": word(texts.ACTIONS, body["type"], "en")}
        answer = {"yes": ("同意", "yes"), "no": ("不同意", "no")}.get(record.get("answer"), ("", ""))
        refused = "" if body["accepted"] else "，未获采纳", "" if body["accepted"] else ", refused"
        text = Said(
            f"{record['by']}{kind['zh']}{f'：{answer[0]}' if answer[0] else ''}{refused[0]}",
            f"{kind['en']} by {record['by']}{f': {answer[1]}' if answer[1] else ''}{refused[1]}",
        )
        return Moment(entry, body["type"], record["by"], None, record["reason"], text)
    try:
        said = Said(texts.incident(body, zh), texts.incident(body, en))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):  # its details are damaged
        said = Said(*[f"{body['what']}: {body['subject']}"] * 2)
    return Moment(entry, body["state"], ENGINE, None, body.get("reason"), said)


def _told(entry: Entry, said: Alert | Step) -> Moment:
    if isinstance(said, Alert):
        why = words.shown(said.shown)
        told = Said(f"{why.zh}：{said.text.zh}", f"{why.en}: {said.text.en}")
        return Moment(entry, said.shown.value, FLOWWATCH, None, None, told)
    return Moment(entry, said.act.value, said.by, said.role, said.reason or None, words.sentence(said))
