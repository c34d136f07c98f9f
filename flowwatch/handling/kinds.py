"""What an incident is to people: how urgent each kind is, which other stands for it, and the kinds that are the desk's own.

The engine tells conditions; how urgent one is for a command room is a matter of what a person can do about it, and how soon (EEMUA 191: few high,
some medium, most low). A plan's own level counts before the table, and the deployment file's `alarms.priorities` before both.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from flowwatch.core.incidents import What
from flowwatch.handling.records import Alert

NOTICE: Final = None
"""The priority of what nobody need answer."""
RANKS: Final[Mapping[str | None, int]] = {None: 0, "IV": 1, "III": 2, "II": 3, "I": 4}
"""How urgent a priority is, the most urgent last."""


class Own(StrEnum):
    """The kinds of incident that the desk raises itself."""

    COUNTERS_SILENT = "counters_silent"
    """Several counters of a site are silent: a switch, a line, a power cut (a group)."""
    GATES_LOST = "gates_lost"
    """Several devices of a site cannot be reached (a group)."""
    FLOOD = "flood"
    """More alerts come than a person can read; the milder ones are gathered."""
    FEED_UNDELIVERED = "feed_undelivered"
    """Somebody who is to be told cannot be reached: a webhook, a broker, an Alertmanager."""


USUAL: Final[Mapping[str, str | None]] = {
    What.FIRE: "I",  # people must leave, now
    What.STAGE: "III",  # where the plan gives the stage no level
    What.DEGRADED: "III",  # the same
    What.INVARIANT_BROKEN: "II",  # an operator's word was lifted; "table" (below) is red
    What.GATE_CONTRADICTED: "II",  # people walk against the plan at this moment
    What.GATE_LOST: "III",  # it falls to its own mode; somebody must go
    What.GATE_UNANSWERED: "III",
    What.GATE_WRONG_MODE: "III",
    What.CONFIRMATION_NEEDED: "III",  # the plan waits for a word; to rise is urgent (below)
    What.RELEASE_NEEDED: "III",
    What.RECOUNT_NEEDED: "IV",
    What.NEGATIVE_OCCUPANCY: "IV",
    What.OCCUPANCY_UNKNOWN: "IV",
    What.COUNTER_SILENT: "IV",
    What.PLAN_NOT_VALID: "IV",
    What.OVERRIDE_ACTIVE: NOTICE,  # a person did it, and knows
    What.DRILL_ACTIVE: NOTICE,
    What.CASE_ACTIVE: NOTICE,
    What.ADVISE_ONLY: NOTICE,
    Own.COUNTERS_SILENT: "III",
    Own.GATES_LOST: "II",
    Own.FLOOD: "III",
    Own.FEED_UNDELIVERED: "IV",
}
"""Kind -> its usual priority."""
_LEVELLED: Final = (What.STAGE, What.DEGRADED)
"""Kinds whose level is the plan's word."""

GROUPS: Final[Mapping[str, Own]] = {What.COUNTER_SILENT: Own.COUNTERS_SILENT, What.GATE_LOST: Own.GATES_LOST}
"""Kind -> the group that stands for several of it at one site."""
GROUP_FROM: Final = 3
"""So many of one kind at a site, within `GROUP_US`, have one cause more often than three. ASSUMED."""
GROUP_US: Final = 600 * 1_000_000

PARENTS: Final[Mapping[str, tuple[str, ...]]] = {
    What.GATE_UNANSWERED: (What.GATE_LOST,),  # who cannot be reached cannot answer
    What.GATE_WRONG_MODE: (What.GATE_LOST,),  # and falls to its own mode
    What.RECOUNT_NEEDED: (What.OCCUPANCY_UNKNOWN, What.NEGATIVE_OCCUPANCY),  # one count answers all of them
    What.NEGATIVE_OCCUPANCY: (What.OCCUPANCY_UNKNOWN,),
}
"""Kind -> the kinds that stand for it where they are open for the same subject; `stands_for` knows the rest."""

AT_FIRES: Final = (
    What.COUNTER_SILENT,
    Own.COUNTERS_SILENT,
    What.NEGATIVE_OCCUPANCY,
    What.OCCUPANCY_UNKNOWN,
    What.RECOUNT_NEEDED,
    What.PLAN_NOT_VALID,
)
"""What a fire at the site stands for: nobody counts while people leave. Never what speaks of a way out."""

DEVICES: Final = (What.COUNTER_SILENT, What.GATE_LOST, What.GATE_UNANSWERED, What.GATE_WRONG_MODE, What.GATE_CONTRADICTED)
"""Kinds that speak of a device, which may be under maintenance."""

COUNTERS: Final = "counters"
"""In the detail of an alert about a rule for missing data: the counters whose silence it looks at."""
EVERY: Final = "*"
"""In their place: all of the site."""

PUBLIC: Final = (What.STAGE, What.FIRE, What.DEGRADED, What.DRILL_ACTIVE, What.CASE_ACTIVE)
"""Kinds that concern the people in the place, and so become CAP messages too."""


def priority(what: str, subject: str, reason: str | None, level: str | None, chosen: Mapping[str, str]) -> str | None:
    """How urgent an incident is, "I" to "IV", or None for a notice. `chosen`: the deployment's own priorities.

    A kind that is not known is as urgent as a yellow one, rather than not at all. A fire, and plans that would together take people's way out, are
    red whatever a deployment says.

    >>> priority("stage", "p", "exit_only", "I", {}), priority("gate_lost", "gate/g", None, None, {"gate_lost": "II"})
    ('I', 'II')
    """
    if what == What.FIRE or (what == What.INVARIANT_BROKEN and subject == "table"):
        return "I"
    if what in chosen:
        mine = None if chosen[what] == "notice" else chosen[what]
        return max((mine, level if what in _LEVELLED else None), key=lambda p: RANKS[p])
    if what in _LEVELLED and level is not None:
        return level
    if what == What.CONFIRMATION_NEEDED:
        return "II" if (reason or "").startswith("rise") else "IV"
    return USUAL.get(what, "III")


def stands_for(parent: Alert, child: Alert) -> bool:
    """Whether an incident of which `parent` was told says all that a person needs to know of `child`, and is as urgent as that.

    The same device is lost; a rule of the plan speaks of this counter's silence (of a rule about any counter: those that were silent when it began,
    because the next one is news); there is a fire.
    """
    if child.priority == "I" or (parent.drill and not child.drill) or RANKS[child.priority] > RANKS[parent.priority]:
        return False
    if parent.what in PARENTS.get(child.what, ()):
        return parent.subject == child.subject
    if child.what == What.COUNTER_SILENT and parent.what == What.DEGRADED:
        silent = (parent.detail or {}).get(COUNTERS, ())
        return child.subject in silent or (EVERY in silent and child.since_us <= parent.since_us)
    return child.what in AT_FIRES and parent.what == What.FIRE


def is_public(body: Mapping[str, Any]) -> bool:
    """Whether a journal's incident is told to the people in the place, too: a rule for missing data only where it announces a level."""
    return body["what"] in PUBLIC and (body["what"] != What.DEGRADED or body.get("level") is not None)
