"""What speaks against documents that read well: the faults of the safety analysis, each at its place in a file.

The analysis knows records and no files (`safety`), the documents know their lines and no situations (`documents`); here the two meet, so that
`flowwatch check` and the acceptance of documents (`acceptance`) refuse the same plans with the same words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from flowwatch.documents import DocumentErrors, Fault, Loaded, load
from flowwatch.documents.faults import shown
from flowwatch.documents.load import place, shown_path
from flowwatch.documents.neighbours import strays
from flowwatch.safety import Finding, Report, analyse

Record = Mapping[str, Any]
"""A compiled site with its plans."""


def examine(
    record: Record, site_file: Path, plan_files: Sequence[Path], others: Mapping[str, Record | None], lang: Literal["zh", "en"] = "en"
) -> tuple[Report, list[Fault]]:
    """The analysis of a compiled record, and what makes the documents unfit for use, as faults in the files they came from.

    `plan_files` are those of `documents.load`, at least one: a site without a plan decides nothing and has nothing to analyse. `others` are all
    sites by name, which its plans may look at (`documents.neighbours`).
    """
    report = analyse(record)
    return report, astray(record, plan_files, others) + [_placed(found, site_file, plan_files, lang) for found in report.faults]


def astray(record: Record, plan_files: Sequence[Path], others: Mapping[str, Record | None]) -> list[Fault]:
    """The conditions of a compiled record on other sites that cannot mean anything, at their places; arguments as of `examine`."""
    return [_at(plan_files, stray.plan, stray.path, stray.text) for stray in strays(record, others)]


def read(site_file: Path, plan_files: Sequence[Path]) -> Loaded | DocumentErrors:
    """The documents of a site, or their faults."""
    try:
        return load(site_file, plan_files)
    except DocumentErrors as errors:
        return errors


def neighbours(files: Iterable[tuple[Path, Sequence[Path]]], found: Iterable[Loaded | DocumentErrors]) -> dict[str, Record | None]:
    """All sites by name, for `examine`: what `read` gave for each of `files`; None for those whose documents have faults of their own."""
    sites: dict[str, Record | None] = {}
    for (site_file, _), one in zip(files, found, strict=True):
        if isinstance(one, DocumentErrors):
            sites[site_named_in(site_file)] = None
        else:
            sites[str(one.site["site"])] = one.site
    return sites


def site_named_in(site_file: Path) -> str:
    """The site that a faulty file speaks of: what stands behind `site:`, else the file's name."""
    try:
        text = site_file.read_bytes()[:65_536]
    except OSError:
        text = b""
    found = re.search(rb"(?m)^site:[ \t]*[\"']?([A-Za-z0-9_.:-]+)", text)
    return found[1].decode() if found else site_file.stem


def place_in_file(found: Finding, site_file: Path, plan_files: Sequence[Path]) -> str:
    """Where a finding points, as faults have it: `rules/yuyuan/plan.yaml:33:5: stages[1].when`."""
    file, line, column = place([site_file] if found.plan is None else plan_files, found.plan, found.path)
    return f"{shown_path(file)}:{line}:{column}: {shown(found.path)}"


def _placed(found: Finding, site_file: Path, plan_files: Sequence[Path], lang: Literal["zh", "en"]) -> Fault:
    """A finding as a fault in the file of its plan, or of the site; its sentence has the way that leads to it."""
    told = f"{found.zh if lang == 'zh' else found.en} ({found.code})"
    return _at([site_file] if found.plan is None else plan_files, found.plan, found.path, told)


def _at(files: Sequence[Path], plan: str | None, path: tuple[str | int, ...], text: str) -> Fault:
    file, line, column = place(files, plan, path)
    return Fault(shown_path(file), line, column, shown(path), text)
