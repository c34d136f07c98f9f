"""The sites of a log as its newest documents describe them, for commands that are given names by people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from flowwatch.cli.exits import CommandError, Exit
from flowwatch.evidence import Evidence
from flowwatch.log import load
from flowwatch.log.routing import Routing


@dataclass(frozen=True, slots=True)
class Site:
    """A compiled site as it stands in the log."""

    record: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.record["site"])

    @property
    def zone(self) -> ZoneInfo:
        """Its time zone."""
        return ZoneInfo(self.record["time_zone"])

    def need(self, of: str, name: str) -> None:
        """Raise `CommandError` with the near miss unless `name` is one of the site's zones, gates, plans, cases... (`of` in the singular)."""
        self._need(
            of, name, [plan["plan"] for plan in self.record["plans"] if plan["case"] is not None] if of == "case" else self._names(of)
        )

    def need_stage(self, stage: str, plan: str | None = None) -> None:
        """Raise `CommandError` with the near miss unless `stage` is one of those of `plan`, of the main plan if it is not given."""
        if not self.record["plans"]:
            raise CommandError(Exit.USAGE, f'site "{self.name}" has no plan')
        if plan is not None:
            self.need("plan", plan)
        found = next(p for p in self.record["plans"] if plan in (None, p["plan"]))
        self._need("stage", stage, [s["stage"] for s in found["stages"]], found["plan"])

    def _names(self, of: str) -> list[str]:
        return [thing[of] for thing in self.record[f"{of}s"]]

    def _need(self, of: str, name: str, known: list[str], plan: str | None = None) -> None:
        if name not in known:
            where = "" if plan is None or len(self.record["plans"]) == 1 else f' in plan "{plan}"'
            raise CommandError(Exit.USAGE, f'site "{self.name}" has no {of} "{name}"{where}{_near(name, known)}')


class Sites:
    """The sites of one log."""

    def __init__(self, log: Path) -> None:
        """Read nothing but the routing yet. Raises `LogError`."""
        self._log = log
        self._places = Routing(log, load(log)).sites

    def names(self) -> list[str]:
        """All sites that ever had a document."""
        return sorted(self._places)

    def partition(self, name: str) -> str:
        """The partition that a site's records are in. Raises `CommandError` for an unknown site."""
        if name not in self._places:
            raise CommandError(Exit.USAGE, f'no site "{name}" in {self._log}{_near(name, self.names())}')
        return self._places[name].partition

    def site(self, name: str) -> Site:
        """The site's newest document. Raises `CommandError` for an unknown site, `LogError`."""
        self.partition(name)
        with Evidence(self._log) as evidence:
            record = evidence.document(name)
        if record is None:
            raise CommandError(Exit.DAMAGE, f'site "{name}": {self._log} has none of its documents any more')
        return Site(record)


def _near(name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, n=1)
    if near:
        return f'; did you mean "{near[0]}"?'
    return f"; it has {', '.join(known[:8])}{' and more' if len(known) > 8 else ''}" if known else ""
