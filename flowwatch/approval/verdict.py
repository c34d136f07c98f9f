"""Whether a version of a site's documents is approved, and if not, exactly what is missing.

It is when one person who may write signed it as its author, and another, with another key, who may approve, signed it as its approver.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flowwatch.approval.roster import Right, Roster
from flowwatch.approval.signatures import Role, Signature, command
from flowwatch.documents.faults import did_you_mean, near


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the signatures of one version amount to."""

    signed: tuple[Signature, ...]
    """Those of this version by people who may sign so."""
    pair: tuple[Signature, Signature] | None
    """Author and approver, two people; None while the version is not approved."""
    missing: str
    """What is there and what is expected; empty once it is approved."""

    @property
    def told(self) -> str:
        """Who signed, in a line."""
        return ", ".join(f"by {s.by} as {s.as_.value}" for s in self.signed)


def judge(roster: Roster, site: str, version: str, signatures: Sequence[Signature]) -> Verdict:
    """What `signatures`, which were verified when they were read, amount to for `version` of the site's documents."""
    mine = [s for s in signatures if s.site == site and s.version == version]
    signed = tuple(s for s in mine if _counts(roster, s))
    authors, approvers = ([s for s in signed if s.as_ is role] for role in Role)
    pair = next(((a, b) for a in authors for b in approvers if a.by != b.by and roster.people[a.by].key != roster.people[b.by].key), None)
    if pair is not None:
        return Verdict(signed, pair, "")
    told = Verdict(signed, None, "").told
    found = [f"signed {told}" if told else "found no signature of this version"]
    found += [_why_not(roster, s) for s in mine if not _counts(roster, s)]
    if not mine and signatures:
        found[0] += f", but {len(signatures)} of others: the documents have changed since, or were compiled by another flowwatch"
    return Verdict(signed, None, f"{'; '.join(found)}; expected {_expected(roster, site, authors, approvers)}")


def _counts(roster: Roster, signature: Signature) -> bool:
    person = roster.people.get(signature.by)
    return person is not None and signature.as_.right in person.may


def _why_not(roster: Roster, signature: Signature) -> str:
    """Why a signature of this version is none that counts."""
    told = f"that of {signature.by} as {signature.as_.value} does not count, since "
    person = roster.people.get(signature.by)
    if person is None:
        return f"{told}the roster has no {signature.by}{did_you_mean(near(signature.by, roster.people))}"
    return f"{told}{signature.by} may {' and '.join(person.may)} only"


def _expected(roster: Roster, site: str, authors: Sequence[Signature], approvers: Sequence[Signature]) -> str:
    """Whose signature would approve it, and what they type."""
    if not authors and not approvers:
        first, then = (_able(roster, role.right) for role in Role)
        return f"the signatures of an author ({first}) and of another person as approver ({then}): `{command(site, Role.AUTHOR)}`"
    role, there = (Role.APPROVER, authors) if authors else (Role.AUTHOR, approvers)
    others = sorted({s.by for s in there})
    but = f" other than {others[0]}" if len(others) == 1 else ""
    return f"the signature of an {role.value}{but} ({_able(roster, role.right, others if but else ())}): `{command(site, role)}`"


def _able(roster: Roster, right: Right, but: Sequence[str] = ()) -> str:
    return " or ".join(name for name in roster.who_may(right) if name not in but) or "nobody may"
