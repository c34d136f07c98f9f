"""The sites that the service speaks of: where they lie, their newest documents, and which counters they have.

Read from the log again when something says that documents came: the journal, which tells of them when they come into force; the log's routing,
for a new site; and in any case once a minute. Where the log is damaged it is read as far as it can be, and what was known before stays known.
Names that are not there are told with the near miss, but only among the sites that the asker may see.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from flowwatch.decided import decided
from flowwatch.evidence import Document, Evidence, Version
from flowwatch.log.errors import LogError
from flowwatch.log.routing import Routing
from flowwatch.log.settings import Clock, load
from flowwatch.service.auth.identity import Areas, Identity, Role, Scope
from flowwatch.service.problems import Problem, unknown
from flowwatch.workspace import Workspace

LOG: Final = logging.getLogger(__name__)
ASKED_S: Final = 1.0
"""How often it is asked whether documents came, at most."""
LOOKED_S: Final = 60.0
"""How often the log is read anyway."""


class Sites:
    """The sites of one log. For several threads. `sign` changes when documents have come into force."""

    def __init__(
        self, log: Path, areas: Areas, now_s: Callable[[], float] = time.monotonic, sign: Callable[[], object] = lambda: None
    ) -> None:
        """Raises `LogError` where there is no log."""
        self.log = log
        self.areas = areas
        self._settings = load(log)
        self._now_s = now_s
        self._sign = sign
        self._lock = threading.Lock()
        self._asked = self._looked = now_s()
        self._seen = self._signs()
        self._documents: dict[str, Document] = {}
        self._counters: frozenset[str] = frozenset()
        self._damage: frozenset[str] = frozenset()
        self._read()

    def decided_us(self, site: str) -> int | None:
        """The tick up to which the engine has decided on the site, microseconds; None where no engine has since it was started."""
        place = Routing(self.log, self._settings).sites.get(site)
        found = None if place is None else decided(Workspace(self.log.parent), place.partition)
        return None if found is None else found.tick

    @property
    def clock(self) -> Clock:
        """Where the log's time comes from."""
        return self._settings.clock

    def names(self) -> list[str]:
        """All sites that have a document."""
        self._fresh()
        return sorted(self._documents)

    def has(self, site: str) -> bool:
        """Whether there is such a site."""
        self._fresh()
        return site in self._documents

    def counters(self) -> frozenset[str]:
        """The full names of all counters; as of the last look, so that asking costs nothing."""
        return self._counters

    def seen_by(self, identity: Identity, role: Role = Role.VIEWER, scope: Scope = Scope.READ) -> list[str]:
        """The sites in which it has the role (a person) or the scope (a machine)."""
        return [name for name in self.names() if identity.may(role, scope, self.areas.of(name))]

    def document(self, site: str) -> Document:
        """The site's newest document. Raises KeyError."""
        self._fresh()
        return self._documents[site]

    def versions(self, site: str) -> list[Version]:
        """The documents of the site that the log has."""
        with Evidence(self.log) as evidence:
            return evidence.versions(site)

    def version(self, site: str, version: str) -> Document | None:
        """One of them."""
        with Evidence(self.log) as evidence:
            return evidence.document(site, version)

    def _fresh(self) -> None:
        now = self._now_s()
        if now - self._asked < ASKED_S:
            return
        with self._lock:
            if now - self._asked < ASKED_S:
                return
            self._asked = now
            signs = self._signs()
            if signs != self._seen or now - self._looked >= LOOKED_S:
                self._seen, self._looked = signs, now
                self._read()

    def _signs(self) -> tuple[object, object]:
        with suppress(FileNotFoundError):
            return (self.log / "routing.json").stat().st_mtime_ns, self._sign()
        return None, self._sign()

    def _read(self) -> None:
        met: list[LogError] = []
        with Evidence(self.log) as evidence:
            found = evidence.documents(met.append)
        damage = frozenset(map(str, met))
        for text in sorted(damage - self._damage):
            LOG.error("the sites are read as far as the log can be: %s", text)
        if damage:
            found = self._documents | found
        self._damage, self._documents = damage, found
        self._counters = frozenset(f"{site}/{counter['counter']}" for site, document in found.items() for counter in document["counters"])


def names_in(document: Mapping[str, Any], of: str) -> list[str]:
    """The names of a document's zones, gates, plans, cases... (`of` in the singular)."""
    if of == "case":
        return [plan["plan"] for plan in document["plans"] if plan["case"] is not None]
    return [thing[of] for thing in document[f"{of}s"]]


def need(document: Mapping[str, Any], of: str, name: str, *, kind: str = "invalid") -> None:
    """Raise `Problem` with the near miss unless the document has a zone, gate, plan... of that name."""
    known = names_in(document, of)
    if name not in known:
        raise _of_site(unknown(kind, of, name, known), document)


def need_stage(document: Mapping[str, Any], stage: str, plan: str | None) -> None:
    """Raise `Problem` with the near miss unless `plan` (None: the main plan) has the stage."""
    if not document["plans"]:
        raise Problem("invalid", f'site "{document["site"]}" has no plan')
    if plan is not None:
        need(document, "plan", plan)
    found = next(p for p in document["plans"] if plan in (None, p["plan"]))
    known: Collection[str] = [s["stage"] for s in found["stages"]]
    if stage not in known:
        raise _of_site(unknown("invalid", "stage", stage, known), document)


def _of_site(problem: Problem, document: Mapping[str, Any]) -> Problem:
    return Problem(problem.kind, f'site "{document["site"]}" has {problem.detail}', **problem.more)
