"""The roster: whether documents need two people, who they may be, and the public key of each.

It is a document like a site or a plan, `config/approvers.yaml`, or any file that `--approvers` names. Whoever may write this file decides who
may sign, so it belongs to neither of the two (docs/approval.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

from msgspec import UNSET, Meta, UnsetType, field

from flowwatch.approval.base64s import raw
from flowwatch.approval.points import is_key
from flowwatch.documents.load import read_document, source
from flowwatch.documents.walk import Problem, Rules
from flowwatch.documents.words import Document, Name, Text, note


class Approval(StrEnum):
    """Whether a version needs two people to run live."""

    REQUIRED = "required"
    OFF = "off"


class Right(StrEnum):
    """What a person may sign as."""

    WRITE = "write"
    APPROVE = "approve"


def public_key(text: str) -> bytes:
    """The 32 bytes of a public key. Raises ValueError for what is none, or is one that any signature fits."""
    data = raw(text, 32)
    if not is_key(data):
        raise ValueError(text)
    return data


PublicKey = Annotated[
    str,
    Meta(
        pattern="^[A-Za-z0-9+/]{43}=$",
        extra={"what": "a public Ed25519 key in base64, the 44 characters that `flowwatch plan key` prints", "read": public_key},
    ),
]


class Person(Document, frozen=True, kw_only=True):
    """Somebody who may sign."""

    title: Annotated[Text, note("how people are told who it is")] | UnsetType = UNSET
    may: Annotated[list[Right], Meta(min_length=1, description="write: sign as an author; approve: sign as an approver; or both")]
    key: Annotated[PublicKey, note("the public key, as `flowwatch plan key` prints it")]


class Roster(Document, frozen=True, kw_only=True):
    """Who may sign, and whether anybody must."""

    approval: Annotated[Approval, note("required: nothing runs live unless two people signed it; off: documents are taken unsigned")]
    people: Annotated[dict[Name, Person], note("name -> who may sign what, with which key")] = field(default_factory=dict)

    @property
    def required(self) -> bool:
        """Whether a version must be signed by two people."""
        return self.approval is Approval.REQUIRED

    def who_may(self, right: Right) -> list[str]:
        """The people who have that right, in the file's order."""
        return [name for name, person in self.people.items() if right in person.may]


def keys_differ(roster: Roster) -> Iterator[Problem]:
    """Two names with one key are one person."""
    owners: dict[str, str] = {}
    for name, person in roster.people.items():
        owner = owners.setdefault(person.key, name)
        if owner != name:
            yield (
                ("people", name, "key"),
                f"found the key of {owner} again, expected a key of their own: two names with one key are one person",
            )


def two_can_agree(roster: Roster) -> Iterator[Problem]:
    """Where two people are required there are two who can do it."""
    if not roster.required:
        return
    authors, approvers = roster.who_may(Right.WRITE), roster.who_may(Right.APPROVE)
    if not any(author != approver for author in authors for approver in approvers):
        told = f"found {len(authors)} who may write and {len(approvers)} who may approve"
        yield ("approval",), f"{told}, expected one of each who are two people: nothing could ever be approved"


RULES: Final[Rules] = {Roster: (keys_differ, two_can_agree)}


def load_roster(path: Path) -> Roster:
    """The roster at `path`. Raises `DocumentErrors` with every fault of it, also where there is no such file."""
    return read_document(source(path), Roster, RULES)
