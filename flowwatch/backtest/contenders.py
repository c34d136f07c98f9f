"""The plans that are tried against each other: folders of plans under a root, or the documents that stand in the log itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from flowwatch.backtest.archive import Archive
from flowwatch.documents import Loaded, alternatives, find, load
from flowwatch.documents.faults import did_you_mean, near, quoted
from flowwatch.evidence import Evidence

LOG: Final = "log"
"""Names the documents in the log, as they came into force there."""


class UnknownPlanError(Exception):
    """No folder of plans has that name, or it is another site's."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A plan to be tried: its name as it was asked for, its compiled site, and the bytes of that (None: the log's own documents)."""

    name: str
    record: Mapping[str, Any]
    payload: bytes | None
    version: str | None

    @property
    def main(self) -> Mapping[str, Any] | None:
        """The main plan; None at a site without one."""
        return self.record["plans"][0] if self.record["plans"] else None


def loaded_plan(name: str, root: Path) -> Loaded:
    """The compiled site of the folder `name` of plans under `root`/rules. Raises `UnknownPlanError`, `DocumentErrors`."""
    folder = name.removeprefix("rules/").strip("/")
    known = {files[0].parent.name: (site, files) for site, files in [*find(root), *alternatives(root)] if files}
    if folder not in known:
        found = ", ".join([*sorted(known), f'"{LOG}" for the documents in the log'])
        raise UnknownPlanError(f"{root}: no plan {quoted(name)} in rules/, expected {found}{did_you_mean(near(folder, known))}")
    return load(*known[folder])


def contender(name: str, loaded: Loaded | None, archive: Archive) -> Contender:
    """A plan of the archive's site: `loaded`, or where that is None what stands in the log. Raises `UnknownPlanError`, `LogError`."""
    if loaded is not None:
        if loaded.site["site"] != archive.site:
            expected = f"expected one for {quoted(archive.site)}, whose archive this is"
            raise UnknownPlanError(f"the plan {quoted(name)} is for the site {quoted(str(loaded.site['site']))}, {expected}")
        return Contender(name, loaded.site, loaded.payload, loaded.version)
    with Evidence(archive.log) as evidence:
        record = evidence.document(archive.site)
    if record is None:
        raise UnknownPlanError(f"{archive.log} has none of the documents of {quoted(archive.site)} any more")
    return Contender(name, record, None, None)
