"""What is open, told to Alertmanagers (API v2): each incident that somebody should answer is an alert there until it ends.

An alert is told again every minute and lives three minutes: an Alertmanager that no longer hears of it resolves it by itself, so a dead flowwatch
leaves no alert burning for ever (flowwatch itself is watched from outside, docs/running.md). Its labels are its identity and do not change while it
is open; what may change stands in annotations. An end is told with its own time, and told again until it was taken.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from flowwatch.handling.desk import Desk
from flowwatch.handling.incident import Incident
from flowwatch.handling.records import Said
from flowwatch.handling.runbooks import address
from flowwatch.journal.export import iso

LOG: Final = logging.getLogger(__name__)
SECOND: Final = 1_000_000
EVERY_S: Final = 60.0
"""How often all is told again: as often as Prometheus does by default."""
LIVES_US: Final = 180 * SECOND
"""How long an alert lives that is not told again: three times that, so that one lost message resolves nothing."""
TURN_S: Final = 0.5
TIMEOUT_S: Final = 10.0
LONGEST_S: Final = 60.0
TROUBLE_AFTER: Final = 5
"""So many failures in a row, and people hear of it."""
REMEMBERED: Final = 10_000

_SEVERITIES: Final[Mapping[str | None, str]] = {"I": "critical", "II": "warning", "III": "warning"}
Trouble = Callable[..., None]
Key = tuple[str, str, str]
"""(site, incident, severity)."""


@dataclass(frozen=True, slots=True)
class Goal:
    """One Alertmanager: `url` is its root; `token` a bearer token; `ca` whom to believe."""

    url: str
    token: str | None = field(default=None, repr=False)
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


def labels(incident: Incident) -> dict[str, str]:
    """An incident's identity. Should its severity change, it is another alert, and the old one ends."""
    found = {
        "severity": _SEVERITIES.get(incident.priority, "info"),
        "alertname": f"flowwatch_{incident.what}",
        "site": incident.site,
        "incident": incident.name,
        "what": incident.what,
        "subject": incident.subject,
    }
    return found | ({"drill": "true"} if incident.drill else {})


def alert(incident: Incident, now_us: int, links: str | None, *, ends_us: int | None = None) -> dict[str, Any]:
    """An incident as the API takes it; with `ends_us` it is over since then."""
    said = incident.alert
    annotations = {
        "summary": said.text.en,
        "summary_zh": said.text.zh,
        "priority": incident.priority or "notice",
        "handling": incident.handling.value,
    }
    if said.instruction is not None:
        annotations |= {"description": said.instruction.en, "description_zh": said.instruction.zh}
    made: dict[str, Any] = {
        "labels": labels(incident),
        "annotations": annotations,
        "startsAt": iso(min(incident.since_us, now_us)),
        "endsAt": iso(now_us + LIVES_US if ends_us is None else ends_us),
    }
    if links:
        annotations["runbook_url"] = address(incident.what, links)
        made["generatorURL"] = f"{links.rstrip('/')}/v1/incidents/{incident.name}"
    return made


def is_told(incident: Incident) -> bool:
    """Whether an Alertmanager hears of it: somebody should answer it (or exercises to), its condition holds, and nothing stands for it."""
    return incident.active and incident.parent is None and (incident.priority is not None or incident.drill)


class AlertmanagerFeed:
    """One thread for one Alertmanager, so that none waits for another. `start`, then `stop`."""

    def __init__(self, goal: Goal, desk: Desk, now_us: Callable[[], int], links: str | None, trouble: Trouble) -> None:
        """`now_us`: the wall clock, which is the Alertmanager's too."""
        self._goal, self._desk, self._now_us, self._links, self._trouble = goal, desk, now_us, links, trouble
        self._told: dict[Key, dict[str, Any]] = {}
        """What the Alertmanager was told is open: the alert as it was told."""
        self._ending: dict[Key, dict[str, Any]] = {}
        self._opened: dict[Key, dict[str, Any]] = {}
        self._looked = False
        self._failures, self._troubled = 0, False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alertmanager", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; what is open stays so there for as long as it lives."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join(TIMEOUT_S + 1)

    def _run(self) -> None:
        headers = {} if self._goal.token is None else {"authorization": f"Bearer {self._goal.token}"}
        with httpx.Client(headers=headers, timeout=TIMEOUT_S, trust_env=False, follow_redirects=False, **self._tls()) as client:
            again_at = 0.0
            while not self._stopping.wait(TURN_S):
                due = time.monotonic() >= again_at
                changed, alerts = self._look()
                if alerts and (due or (changed and not self._failures)):
                    again_at = time.monotonic() + self._send(client, alerts)

    def _tls(self) -> dict[str, Any]:
        verify: dict[str, Any] = {} if self._goal.ca is None else {"verify": str(self._goal.ca)}
        if self._goal.certificate is not None:
            verify["cert"] = str(self._goal.certificate) if self._goal.key is None else (str(self._goal.certificate), str(self._goal.key))
        return verify

    def _look(self) -> tuple[bool, list[dict[str, Any]]]:
        """(whether anything is new since it was told, what is to be told)."""
        now = self._now_us()
        found = {_key(i): i for i in self._incidents()}
        opened = {key: alert(i, now, self._links) for key, i in found.items() if is_told(i)}
        if not self._looked:  # what ended while nobody was here to tell it
            self._looked = True
            lately = {key: i for key, i in found.items() if i.ended_us is not None and i.ended_us > now - 2 * LIVES_US}
            self._ending = {key: alert(i, now, self._links, ends_us=min(i.ended_us or now, now)) for key, i in lately.items()}
        for key in self._told.keys() - opened.keys():
            incident = found.get(key)
            ended = now if incident is None or incident.ended_us is None else min(incident.ended_us, now)
            self._ending[key] = self._told.pop(key) | {"endsAt": iso(ended)}
        for key in opened:
            self._ending.pop(key, None)
        while len(self._ending) > REMEMBERED:
            del self._ending[next(iter(self._ending))]
        changed = bool(self._ending) or any(_lasting(a) != _lasting(self._told.get(key)) for key, a in opened.items())
        self._opened = opened
        return changed, [*opened.values(), *self._ending.values()]

    def _incidents(self) -> Iterable[Incident]:
        for site in self._desk.sites():
            yield from self._desk.known(site)

    def _send(self, client: httpx.Client, alerts: list[dict[str, Any]]) -> float:
        """Tell it; how many seconds until it is told again."""
        try:
            answer = client.post(f"{self._goal.url.rstrip('/')}/api/v2/alerts", json=alerts)
            answer.raise_for_status()
        except httpx.HTTPError as error:
            self._failures += 1
            LOG.warning("alertmanager %s: %s", self._goal.url, error)
            if self._failures >= TROUBLE_AFTER:
                self._tell(on=True)
            return float(min(2.0**self._failures / 2, LONGEST_S))
        self._failures = 0
        self._told, self._ending = dict(self._opened), {}
        self._tell(on=False)
        return EVERY_S

    def _tell(self, *, on: bool) -> None:
        if on == self._troubled:
            return
        self._troubled = on
        if on:
            text = Said(
                "Alertmanager 推送失败，请检查网络和对方服务", "an Alertmanager cannot be told; please see to the network and to it"
            )
        else:
            text = Said("Alertmanager 推送恢复", "the Alertmanager is told again")
        self._trouble(f"alertmanager/{self._goal.url}", text, on=on)


def _key(incident: Incident) -> Key:
    return incident.site, incident.name, labels(incident)["severity"]


def _lasting(told: dict[str, Any] | None) -> dict[str, Any] | None:
    """What of an alert does not change by itself."""
    return None if told is None else {name: value for name, value in told.items() if name != "endsAt"}
