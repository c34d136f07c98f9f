"""What speaks against documents that read well: the faults of the safety analysis, each at its place in a file.

The analysis knows records and no files (`safety`), the documents know their lines and no situations (`documents`); here the two meet, so that
`flowwatch check` and the acceptance of documents (`acceptance`) refuse the same plans with the same words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from flowwatch.documents import Fault
from flowwatch.documents.faults import shown
from flowwatch.documents.load import place, shown_path
from flowwatch.safety import Finding, Report, analyse


def examine(
    record: Mapping[str, Any], site_file: Path, plan_files: Sequence[Path], lang: Literal["zh", "en"] = "en"
) -> tuple[Report, list[Fault]]:
    """The analysis of a compiled record, and what of it makes the documents unfit for use, as faults in the files they came from.

    `plan_files` are those of `documents.load`, at least one: a site without a plan decides nothing and has nothing to analyse.
    """
    report = analyse(record)
    return report, [_placed(found, site_file, plan_files, lang) for found in report.faults]


def _placed(found: Finding, site_file: Path, plan_files: Sequence[Path], lang: Literal["zh", "en"]) -> Fault:
    """A finding as a fault in the file of its plan, or of the site, with the way that leads to it."""
    file, line, column = place([site_file] if found.plan is None else plan_files, found.plan, found.path)
    text = found.zh if lang == "zh" else found.en
    way = [event.zh if lang == "zh" else event.en for event in found.events or ()]
    return Fault(shown_path(file), line, column, shown(found.path), f"{text} ({found.code}){': ' + ' → '.join(way) if way else ''}")
