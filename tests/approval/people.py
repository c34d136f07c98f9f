"""Three people with keys, a roster of them, and a place whose documents they sign: what the tests of approval share."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from flowwatch.approval.keys import PrivateKey, public, sign
from flowwatch.approval.policy import ROSTER
from flowwatch.approval.signatures import Role, Signature, file_of, statement, write_signatures
from flowwatch.documents import Loaded, find, load

AT: Final = "2026-10-01T09:00:00+08:00"
RIGHTS: Final[dict[str, str]] = {"wang": "write", "li": "approve", "zhao": "write, approve"}


def key_of(name: str) -> PrivateKey:
    """A person's private key, the same in every run."""
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())


def roster_text(rights: Mapping[str, str] = RIGHTS, approval: str = "required", keys: Mapping[str, str] | None = None) -> str:
    """A roster in which `rights` says what each person may; `keys` names whose key somebody has, if not their own."""
    people = [f'  {name}: {{may: [{may}], key: "{public(key_of((keys or {}).get(name, name)))}"}}' for name, may in rights.items()]
    return "\n".join([f"approval: {approval}", "people:", *people, ""])


def write_roster(root: Path, text: str | None = None) -> Path:
    """Put a roster under `root`; its file."""
    file = root / ROSTER
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(roster_text() if text is None else text, encoding="utf-8")
    return file


def signed(by: str, role: str, version: str, site: str = "yuyuan", *, key: str | None = None, at: str = AT) -> Signature:
    """A signature; `key` is whose key gave it, if not that of `by`."""
    as_ = Role(role)
    text = sign(key_of(by if key is None else key), statement(site, version, as_, by, at))
    return Signature(site=site, version=version, as_=as_, by=by, at=at, signature=text)


def loaded(root: Path, site: str = "yuyuan") -> Loaded:
    """The documents of the site under `root`."""
    return next(found for found in (load(*files) for files in find(root)) if found.site["site"] == site)


def sign_all(root: Path, *who: tuple[str, str], site: str = "yuyuan") -> Path:
    """Let people sign the present documents of the site, each (name, role), in the place of all who did before; the file."""
    version = loaded(root, site).digest
    file = file_of(root, site)
    write_signatures(file, [signed(by, role, version, site) for by, role in who])
    return file


BOTH: Final = (("wang", "author"), ("li", "approver"))
