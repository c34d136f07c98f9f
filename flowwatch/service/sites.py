"""The sites that the service speaks of: where they lie, their newest documents, and which counters they have.

Read from the log again when its routing or a partition's end says that something came; documents are found by the flags in the heads of
frames, so looking costs little. Names that are not there are told with the near miss, but only among the sites that the asker may see.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, Final

from flowwatch.evidence import Document, Evidence, Version
from flowwatch.log.routing import Routing
from flowwatch.log.settings import Clock, load
from flowwatch.service.auth.identity import Areas, Identity, Role, Scope
from flowwatch.service.problems import Problem, unknown

LOOKED_S: Final = 2.0
"""How often the log is looked at for new documents, at most."""


class Sites:
    """The sites of one log. For several threads."""

    def __init__(self, log: Path, areas: Areas, now_s: Callable[[], float] = time.monotonic) -> None:
        """Raises `LogError` where there is no log."""
        self.log = log
        self.areas = areas
        self._settings = load(log)
        self._now_s = now_s
        self._lock = threading.Lock()
        self._looked = -LOOKED_S
        self._documents: dict[str, Document] = {}
        self._counters: frozenset[str] = frozenset()
        self._look()

    @property
    def clock(self) -> Clock:
        """Where the log's time comes from."""
        return self._settings.clock

    def names(self) -> list[str]:
        """All sites that have a document."""
        self._fresh()
        return sorted(self._documents)

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

    def look(self) -> None:
        """Look at the log now."""
        with self._lock:
            self._look()

    def _fresh(self) -> None:
        if self._now_s() - self._looked >= LOOKED_S:
            self.look()

    def _look(self) -> None:
        with Evidence(self.log) as evidence:
            places = Routing(self.log, self._settings).sites
            found = {site: document for site in places if (document := evidence.document(site)) is not None}
        self._documents = found
        self._counters = frozenset(f"{site}/{counter['counter']}" for site, document in found.items() for counter in document["counters"])
        self._looked = self._now_s()


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
