"""Who signed which version of a site's documents: `config/signatures/<site>.yaml`, which `flowwatch plan sign` keeps.

A signature is of a short text that names the site, the version (the SHA-256 of the compiled documents, so of the site file and all plans in
force together), in which role it is given, by whom and when. Nothing signed for one of them says anything about another.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

from msgspec import Meta, field

from flowwatch.approval.base64s import raw
from flowwatch.approval.roster import Right, Roster
from flowwatch.documents.faults import quoted
from flowwatch.documents.load import read_document, source
from flowwatch.documents.walk import Problem, Rules
from flowwatch.documents.words import Document, Name, note
from flowwatch.log.disk import replace_file

DOMAIN: Final = "flowwatch: I signed the documents of a site, form 1"
"""The first line of what is signed: no signature for another purpose, or of another form, is one of documents."""

HEAD: Final = "# Who signed which version of these documents; `flowwatch plan sign` keeps this file (docs/approval.md)."


class Role(StrEnum):
    """What a person signs as."""

    AUTHOR = "author"
    APPROVER = "approver"

    @property
    def right(self) -> Right:
        """The right that it takes."""
        return Right.WRITE if self is Role.AUTHOR else Right.APPROVE


def _signature(text: str) -> bytes:
    return raw(text, 64)


Version = Annotated[
    str, Meta(pattern="^[0-9a-f]{64}$", extra={"what": "the version in full, the 64 digits that `flowwatch plan sign` prints"})
]
Instant = Annotated[
    str,
    Meta(
        pattern="^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2})$",
        extra={"what": "a time with its offset, such as 2026-10-01T09:00:00+08:00", "read": datetime.fromisoformat},
    ),
]
SignatureText = Annotated[
    str,
    Meta(
        pattern="^[A-Za-z0-9+/]{86}==$",
        extra={"what": "an Ed25519 signature in base64, the 88 characters that `flowwatch plan sign` writes", "read": _signature},
    ),
]


class Signature(Document, frozen=True, kw_only=True):
    """One person's word for one version of one site's documents."""

    site: Annotated[Name, note("whose documents")]
    version: Annotated[Version, note("the SHA-256 of the compiled documents, in hex")]
    as_: Annotated[Role, note("author: I wrote it; approver: I agree to it")] = field(name="as")
    by: Annotated[Name, note("who, by the name in the roster")]
    at: Annotated[Instant, note("when")]
    signature: Annotated[SignatureText, note("Ed25519, of all the other keys")]


class Signatures(Document, frozen=True, kw_only=True):
    """Who signed the documents of a site."""

    signatures: list[Signature]


def statement(site: str, version: str, role: Role, by: str, at: str) -> bytes:
    """What is signed: one line for the purpose and one for each field; none of them can hold the end of a line.

    >>> print(statement("yuyuan", "0a" * 32, Role.AUTHOR, "wang", "2026-10-01T09:00:00Z").decode(), end="")
    flowwatch: I signed the documents of a site, form 1
    site: yuyuan
    version: 0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a
    as: author
    by: wang
    at: 2026-10-01T09:00:00Z
    """
    return f"{DOMAIN}\nsite: {site}\nversion: {version}\nas: {role.value}\nby: {by}\nat: {at}\n".encode()


def is_signed(signature: Signature, key: str) -> bool:
    """Whether a signature is the one that the owner of the public `key` gave."""
    from flowwatch.approval.keys import verify  # noqa: PLC0415 - a roster that is off, or documents nobody signed, need no cryptography

    said = statement(signature.site, signature.version, signature.as_, signature.by, signature.at)
    return verify(key, signature.signature, said)


def file_of(root: Path, site: str) -> Path:
    """Where the signatures of a site's documents under `root` are."""
    return root / "config" / "signatures" / f"{site}.yaml"


def load_signatures(
    path: Path, site: str, version: str, roster: Roster, *, replacing: tuple[str, Role] | None = None
) -> tuple[Signature, ...]:
    """All signatures of a site, those of other versions included; none where there is no file.

    `replacing` names one, by whom and as what, that is about to be given anew and so left out, whatever it is.

    Raises `DocumentErrors` with every fault of the file. A signature of `version` that is not what the roster's key of its person gives is
    one; of other versions nothing is asked, and nothing of people whom the roster does not have.
    """
    if not path.exists():
        return ()

    def belong_to_the_site(document: Signatures) -> Iterator[Problem]:
        for i, signature in enumerate(document.signatures):
            if signature.site != site:
                yield ("signatures", i, "site"), f"found {quoted(signature.site)}, expected {quoted(site)}, whose file this is"

    def are_what_their_keys_give(document: Signatures) -> Iterator[Problem]:
        for i, signature in enumerate(document.signatures):
            person = roster.people.get(signature.by)
            if signature.version != version or person is None or (signature.by, signature.as_) == replacing:
                continue
            if not is_signed(signature, person.key):
                told = f"found a signature that {signature.by} did not give for this version as {signature.as_.value} at this time"
                anew = command(site, signature.as_, signature.by)
                yield ("signatures", i, "signature"), f"{told}, expected one by the key in the roster: `{anew}`"

    rules: Rules = {Signatures: (belong_to_the_site, are_what_their_keys_give)}
    found = read_document(source(path), Signatures, rules).signatures
    return tuple(signature for signature in found if (signature.by, signature.as_) != replacing)


def command(site: str, role: Role, by: str = "NAME") -> str:
    """What one types to sign."""
    return f"flowwatch plan sign {site} --as {role.value} --by {by} --key FILE"


def write_signatures(path: Path, signatures: Sequence[Signature]) -> None:
    """Put these signatures at `path`, whole or not at all. Raises `DiskRefused`, `OSError`."""
    lines = [HEAD, "signatures:" if signatures else "signatures: []"]
    for s in signatures:
        fields = {"site": s.site, "version": s.version, "as": s.as_.value, "by": s.by, "at": s.at, "signature": s.signature}
        told = [f"{key}: {json.dumps(value)}" for key, value in fields.items()]
        lines += [f"  - {told[0]}", *(f"    {line}" for line in told[1:])]
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, ["\n".join(lines).encode() + b"\n"])
