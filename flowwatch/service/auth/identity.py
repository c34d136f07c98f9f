"""Who asks, once it is known: a person with roles in areas, or a machine with scopes.

Areas are paths, from the bureau down to the site (`huangpu/yuyuan/yuyuan`); who has `huangpu` has all beneath it, and "" is everywhere.
Roles say what a person may do in an area; `IMPLIES` is the whole of their order. Scopes say what a machine may do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

EVERYWHERE: Final = ""
AREA: Final = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}(?:/[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}){0,15})?")
"""What an area's path looks like; names are those of documents."""


class Role(StrEnum):
    """What a person is."""

    VIEWER = "viewer"
    """Sees everything of an area's sites."""
    OPERATOR = "operator"
    """Decides by hand: overrides, recounts, answers, drills, fire."""
    SUPERVISOR = "supervisor"
    """Answers for the operators: ends a fire, lets a site act by itself again, writes the roster."""
    PLANNER = "planner"
    """Writes plans; reads every version of them."""
    ADMIN = "admin"
    """Says who may do what, and decides nothing else."""


IMPLIES: Final[Mapping[Role, frozenset[Role]]] = {
    Role.VIEWER: frozenset({Role.VIEWER}),
    Role.OPERATOR: frozenset({Role.VIEWER, Role.OPERATOR}),
    Role.SUPERVISOR: frozenset({Role.VIEWER, Role.OPERATOR, Role.SUPERVISOR}),
    Role.PLANNER: frozenset({Role.VIEWER, Role.PLANNER}),
    Role.ADMIN: frozenset({Role.VIEWER, Role.ADMIN}),
}
"""What each role may do besides its own: an admin is no operator, so that whoever gives rights does not move gates by the same log-in."""


class Scope(StrEnum):
    """What a machine may do."""

    READINGS_WRITE = "readings:write"
    READ = "read"
    """What a viewer sees."""
    FIRE_WRITE = "fire:write"
    """Report a fire; ending one takes a person."""
    METRICS_READ = "metrics:read"
    """Read the figures of the whole installation."""
    TIME_WRITE = "time:write"
    """Say what time it is, in a rehearsal; no other log is told."""


@dataclass(frozen=True, slots=True)
class Grant:
    """One role in one area."""

    role: Role
    area: str = EVERYWHERE


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks. `who` is unique among people and machines ("user:…", "token:…")."""

    who: str
    name: str
    grants: tuple[Grant, ...] = ()
    scopes: frozenset[Scope] = frozenset()
    areas: tuple[str, ...] = ()
    sites: frozenset[str] | None = None
    """A machine's: the only sites that it may speak of; None: all of its areas."""
    session: bytes | None = field(default=None, repr=False)
    """A person's: the hash of the session's cookie."""

    @property
    def signature(self) -> str:
        """What stands in a record as who wrote it: a person's name; a machine's token, which no person's name looks like, with its label."""
        return self.name if self.is_person else f"{self.who} ({self.name})"

    @property
    def is_person(self) -> bool:
        """Whether a person asks."""
        return self.session is not None

    def is_any(self, role: Role | None, scope: Scope | None) -> bool:
        """Whether it has the role (a person) or the scope (a machine) in any area."""
        if self.is_person:
            return role is not None and any(role in IMPLIES[grant.role] for grant in self.grants)
        return scope is not None and scope in self.scopes

    def may(self, role: Role | None, scope: Scope | None, path: str) -> bool:
        """Whether it has the role or the scope for what lies at this area path (a site's path ends with the site)."""
        if self.is_person:
            return role is not None and any(role in IMPLIES[grant.role] and covers(grant.area, path) for grant in self.grants)
        if scope is None or scope not in self.scopes or not any(covers(area, path) for area in self.areas):
            return False
        return self.sites is None or path.rpartition("/")[2] in self.sites

    def sees_everything(self) -> bool:
        """Whether nothing is outside its areas."""
        areas = {grant.area for grant in self.grants} if self.is_person else set(self.areas)
        return EVERYWHERE in areas and self.sites is None

    def administers(self, areas: Iterable[str]) -> bool:
        """Whether it may give and take rights in all of these areas."""
        return all(self.may(Role.ADMIN, None, area) for area in areas)


def covers(area: str, path: str) -> bool:
    """Whether `path` lies in `area`.

    >>> covers("huangpu", "huangpu/yuyuan/yuyuan"), covers("huang", "huangpu"), covers("", "huangpu")
    (True, False, True)
    """
    return area in (EVERYWHERE, path) or path.startswith(area + "/")


class Areas:
    """Where sites lie: `of` gives a site's path, which is its area's with its own name behind it."""

    def __init__(self, areas: Mapping[str, str] | None = None) -> None:
        """`areas`: site -> its area's path. Raises ValueError for what is no path."""
        self._areas = dict(areas or {})
        for site, area in self._areas.items():
            if not AREA.fullmatch(area):
                raise ValueError(f'the area of site "{site}" is "{area:.80}", expected a path such as huangpu/yuyuan')

    def of(self, site: str) -> str:
        """The path of a site; one without an area lies at the top."""
        area = self._areas.get(site, EVERYWHERE)
        return f"{area}/{site}" if area else site

    def lies_in(self, site: str, areas: Iterable[str]) -> bool:
        """Whether a site lies in one of these areas."""
        return any(covers(area, self.of(site)) for area in areas)
