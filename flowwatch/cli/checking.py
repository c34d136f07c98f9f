"""The command that reads documents as a planner would want them read: `check`, every fault at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from flowwatch.cli import options
from flowwatch.cli.exits import Exit, leave
from flowwatch.cli.output import line

if TYPE_CHECKING:
    from flowwatch.documents import Fault
    from flowwatch.safety import Finding
    from flowwatch.words import Language


@click.command()
@options.documents
@options.as_json
@options.lang
def check(documents: Path | None, as_json: bool, lang: Language) -> None:
    """Read all sites, plans and import mappings; name every fault with file, line and column (exit code 3), or say what is there.

    Documents that read well are then analysed: what the gates let out in every combination of stages, cases and overrides, what is left when a
    gate fails, which stages can be reached. A fault found there comes with the shortest way that leads to it. Warnings and notes have their
    place too; documents with warnings are used.
    """
    from flowwatch.adapters.mapping import load_import
    from flowwatch.documents import DocumentErrors, alternatives, find, shipped

    root = shipped() if documents is None else documents
    seen = _Seen([], [], [])
    try:
        in_force, others = find(root), alternatives(root)
    except DocumentErrors as errors:
        in_force, others = [], []
        seen.faults.extend(errors.faults)
    for site_file, plan_files in in_force + others:
        _judge(site_file, plan_files, lang, seen, alternative=(site_file, plan_files) in others)
    for mapping in sorted((root / "config" / "imports").glob("*.yaml")):
        try:
            seen.good.append(f"{load_import(mapping).import_}: import mapping")
        except DocumentErrors as errors:
            seen.faults.extend(errors.faults)
    for fault in seen.faults:
        if as_json:
            line({"file": fault.file, "line": fault.line, "column": fault.column, "path": fault.path, "text": fault.text})
        else:
            click.echo(str(fault))
    if seen.faults:
        click.echo(f"{len(seen.faults)} fault{'s' if len(seen.faults) > 1 else ''} in {root}", err=True)
        leave(Exit.DOCUMENTS)
    for report in seen.reports if as_json else []:
        line(report)
    for text in [] if as_json else seen.good:
        click.echo(text)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What was found of all documents: their faults, what to say of the good ones, and the analysis of each site for machines."""

    faults: list[Fault]
    good: list[str]
    reports: list[dict[str, Any]]


def _judge(site_file: Path, plan_files: Sequence[Path], lang: Language, seen: _Seen, *, alternative: bool) -> None:
    """Read one site with its plans, and analyse what reads well."""
    from flowwatch.documents import DocumentErrors, load, notes
    from flowwatch.documents.faults import shown
    from flowwatch.documents.load import shown_path
    from flowwatch.safety import analyse, render
    from flowwatch.safety.words import line as told

    try:
        loaded = load(site_file, plan_files)
    except DocumentErrors as errors:
        seen.faults.extend(fault for fault in errors.faults if fault not in seen.faults)
        return
    name = f"{loaded.site['site']}{f' with {plan_files[0].parent.name}, an alternative' if alternative else ''}"
    seen.good.append(f"{name}: version {loaded.version}, {_holds(loaded.site)}")
    seen.good.extend(f"{name}: note: {text}" for text in notes(loaded.site))
    report = analyse(loaded.site)

    def placed(found: Finding) -> str:
        file, line_, column = _place(found, site_file, plan_files)
        return f"{shown_path(file)}:{line_}:{column}: {shown(found.path)}"

    if not plan_files:
        seen.good.extend(told(found, lang, placed) for found in report.warnings)
        return
    seen.faults.extend(_placed(found, site_file, plan_files, lang) for found in report.faults)
    seen.reports.append({"site": loaded.site["site"], "plans": [shown_path(file) for file in plan_files], "safety": report.to_json()})
    seen.good.append(render(report, lang, place=placed))


def _placed(found: Finding, site_file: Path, plan_files: Sequence[Path], lang: Language) -> Fault:
    """A finding of the analysis as a fault in the file of its plan, or of the site; its sentence has the way that leads to it."""
    from flowwatch.documents import Fault
    from flowwatch.documents.faults import shown
    from flowwatch.documents.load import shown_path

    file, line_, column = _place(found, site_file, plan_files)
    return Fault(shown_path(file), line_, column, shown(found.path), f"{found.zh if lang == 'zh' else found.en} ({found.code})")


def _place(found: Finding, site_file: Path, plan_files: Sequence[Path]) -> tuple[Path, int, int]:
    """The file, line and column that a finding points at."""
    from flowwatch.documents.load import place

    return place([site_file] if found.plan is None else plan_files, found.plan, found.path)


def _holds(record: dict[str, Any]) -> str:
    """What is in a compiled record, in a line."""
    stages = sum(len(plan["stages"]) for plan in record["plans"])
    numbers = {"zone": len(record["zones"]), "gate": len(record["gates"]), "counter": len(record["counters"]), "plan": len(record["plans"])}
    return ", ".join(f"{number} {word}{'' if number == 1 else 's'}" for word, number in (numbers | {"stage": stages}).items())
