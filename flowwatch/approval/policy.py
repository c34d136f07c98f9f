"""What one root of documents asks for: its roster, and the verdict on the documents of each of its sites.

The roster is `config/approvers.yaml` under the root, or the file that is named instead. Without one, and with one that says `approval: off`,
documents are taken unsigned.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flowwatch.approval.roster import Roster, load_roster
from flowwatch.approval.signatures import Signature, file_of, load_signatures
from flowwatch.approval.verdict import Verdict, judge
from flowwatch.documents import DocumentErrors, Fault, Loaded
from flowwatch.documents.load import shown_path

ROSTER: Final = Path("config") / "approvers.yaml"
"""Where the roster is under a root, unless it is named."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The roster of a root of documents, None where it has none, and the file that it is, or would be, in."""

    root: Path
    file: Path
    roster: Roster | None

    @classmethod
    def of(cls, root: Path, approvers: Path | None = None) -> Policy:
        """The policy of the documents under `root`, by the roster `approvers` if it is named. Raises `DocumentErrors` for its faults.

        A roster that is named must be there; that under the root may be missing, but a link there that leads nowhere is one that cannot be read.
        """
        file = root / ROSTER if approvers is None else approvers
        return cls(root, file, load_roster(file) if approvers is not None or os.path.lexists(file) else None)

    @property
    def required(self) -> bool:
        """Whether a version must be signed by two people."""
        return self.roster is not None and self.roster.required

    @property
    def unsigned(self) -> str:
        """Why documents are taken unsigned, where they are."""
        return f"approval is off in {shown_path(self.file)}" if self.roster is not None else f"there is no {shown_path(self.file)}"

    def verdict(self, loaded: Loaded) -> Verdict:
        """What the signatures of these documents amount to; there must be a roster. Raises `DocumentErrors` for faults in their file."""
        assert self.roster is not None
        site = str(loaded.site["site"])
        return judge(self.roster, site, loaded.digest, load_signatures(file_of(self.root, site), site, loaded.digest, self.roster))

    def approved(self, loaded: Loaded) -> tuple[Signature, Signature] | None:
        """Author and approver of these documents; None where nobody needs to sign. Raises `DocumentErrors` saying what is missing."""
        if not self.required:
            return None
        verdict = self.verdict(loaded)
        if verdict.pair is None:
            told = f"version {loaded.version} is not approved: {verdict.missing}"
            raise DocumentErrors([Fault(shown_path(file_of(self.root, str(loaded.site["site"]))), 1, 1, "signatures", told)])
        return verdict.pair
