"""The command that reads documents as a planner would want them read: `check`, every fault at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from flowwatch.cli import options
from flowwatch.cli.exits import Exit, leave
from flowwatch.cli.output import line

if TYPE_CHECKING:
    from flowwatch.approval.policy import Policy
    from flowwatch.documents import DocumentErrors, Fault, Loaded
    from flowwatch.safety import Finding
    from flowwatch.soundness import Record
    from flowwatch.words import Language


@click.command()
@options.documents
@options.approvers
@click.option(
    "--deployment",
    "deployments",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    multiple=True,
    help="Read this deployment file too; may be given more than once. Those in config/deployments are read anyway.",
)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True, help="json: one object a line.")
@options.lang
def check(documents: Path | None, approvers: Path | None, deployments: tuple[Path, ...], form: str, lang: Language) -> None:
    """Read all sites, plans, import mappings and deployments; name every fault with file, line and column (exit code 3), or say what is there.

    Documents that read well are then analysed: what the gates let out in every combination of stages, cases and overrides, what is left when a
    gate fails, which stages can be reached. A fault found there comes with the shortest way that leads to it. Warnings and notes have their
    place too; documents with warnings are used. Where there is a roster, who signed each site's documents is told, and what is missing for
    their approval; a signature that is not what it says is a fault.
    """
    from flowwatch.adapters.mapping import load_import
    from flowwatch.documents import DocumentErrors, alternatives, find, shipped
    from flowwatch.soundness import neighbours, read

    root, as_json = shipped() if documents is None else documents, form == "json"
    seen = _Seen([], [], [])
    policy = _policy(root, approvers, seen)
    try:
        in_force, others = find(root), alternatives(root)
    except DocumentErrors as errors:
        in_force, others = [], []
        seen.faults.extend(errors.faults)
    found = [read(*files) for files in in_force]
    known = neighbours(in_force, found)
    for files, one in zip(in_force, found, strict=True):
        _judge(one, files, lang, seen, known, policy)
    for files in others:
        _judge(read(*files), files, lang, seen, known, None, alternative=True)
    for mapping in sorted((root / "config" / "imports").glob("*.yaml")):
        try:
            seen.good.append(f"{load_import(mapping).import_}: import mapping")
        except DocumentErrors as errors:
            seen.faults.extend(errors.faults)
    _deployments(root, deployments, seen)
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


def _deployments(root: Path, more: Sequence[Path], seen: _Seen) -> None:
    """Read the deployment files of the root, and `more`, against the names of its sites."""
    from flowwatch.documents import DocumentErrors
    from flowwatch.documents.deployment import deployment_notes, load_deployment

    sites = sorted((root / "config" / "sites").glob("*.yaml"))
    for file in dict.fromkeys([*sorted((root / "config" / "deployments").glob("*.yaml")), *more]):
        try:
            found = load_deployment(file, sites)
        except DocumentErrors as errors:
            seen.faults.extend(errors.faults)
            continue
        inputs = len(found.inputs.mqtt) + len(found.inputs.poll)
        seen.good.append(f"{found.deployment}: deployment, {inputs} inputs, {len(found.devices)} devices, {len(found.actuators)} actuators")
        seen.good.extend(f"{found.deployment}: note: {text}" for text in deployment_notes(found))


def _policy(root: Path, approvers: Path | None, seen: _Seen) -> Policy | None:
    """Who may sign the documents; None where nobody can, or where the roster has faults."""
    from flowwatch.approval.policy import Policy
    from flowwatch.approval.roster import Right
    from flowwatch.documents import DocumentErrors
    from flowwatch.documents.load import shown_path

    try:
        policy = Policy.of(root, approvers)
    except DocumentErrors as errors:
        seen.faults.extend(errors.faults)
        return None
    if policy.roster is None:
        return None
    authors, approving = (len(policy.roster.who_may(right)) for right in Right)
    rights = f"{authors} may write, {approving} may approve"
    seen.good.append(f"{shown_path(policy.file)}: approval is {policy.roster.approval.value}; {rights}")
    return policy


def _judge(
    one: Loaded | DocumentErrors,
    files: tuple[Path, Sequence[Path]],
    lang: Language,
    seen: _Seen,
    known: Mapping[str, Record | None],
    policy: Policy | None,
    *,
    alternative: bool = False,
) -> None:
    """Analyse one site with its plans, if it reads well, and see who signed it."""
    from flowwatch.documents import DocumentErrors, notes
    from flowwatch.documents.load import shown_path
    from flowwatch.safety import analyse, render
    from flowwatch.safety.words import line as line_of
    from flowwatch.soundness import examine, place_in_file

    (site_file, plan_files), loaded = files, one
    if isinstance(loaded, DocumentErrors):
        seen.faults.extend(fault for fault in loaded.faults if fault not in seen.faults)
        return
    name = f"{loaded.site['site']}{f' with {plan_files[0].parent.name}, an alternative' if alternative else ''}"
    seen.good.append(f"{name}: version {loaded.version}, {_holds(loaded.site)}")
    seen.good.extend(f"{name}: note: {text}" for text in notes(loaded.site))
    told: dict[str, Any] = {"site": loaded.site["site"], "plans": [shown_path(file) for file in plan_files]}
    if policy is not None:
        told["approval"] = _signed(policy, loaded, seen)

    def placed(found: Finding) -> str:
        return place_in_file(found, site_file, plan_files)

    if not plan_files:
        seen.good.extend(line_of(found, lang, placed) for found in analyse(loaded.site).warnings)
        if policy is not None:
            seen.reports.append(told)
        return
    report, faults = examine(loaded.site, site_file, plan_files, known, lang)
    seen.faults.extend(faults)
    seen.reports.append(told | {"safety": report.to_json()})
    seen.good.append(render(report, lang, place=placed))


def _signed(policy: Policy, loaded: Loaded, seen: _Seen) -> dict[str, Any]:
    """Who signed the documents of a site, and whether that approves them: told, and as data."""
    from flowwatch.documents import DocumentErrors

    site = loaded.site["site"]
    try:
        verdict = policy.verdict(loaded)
    except DocumentErrors as errors:
        seen.faults.extend(errors.faults)
        return {"approved": False, "signed": [], "missing": ""}
    if verdict.pair is not None:
        seen.good.append(f"{site}: approved: signed {verdict.told}")
    elif policy.required:
        seen.good.append(f"{site}: note: not approved: {verdict.missing}")
    elif verdict.signed:
        seen.good.append(f"{site}: signed {verdict.told}")
    signed = [{"by": s.by, "as": s.as_.value, "at": s.at} for s in verdict.signed]
    return {"approved": verdict.pair is not None, "signed": signed, "missing": verdict.missing}


def _holds(record: dict[str, Any]) -> str:
    """What is in a compiled record, in a line."""
    stages = sum(len(plan["stages"]) for plan in record["plans"])
    numbers = {"zone": len(record["zones"]), "gate": len(record["gates"]), "counter": len(record["counters"]), "plan": len(record["plans"])}
    return ", ".join(f"{number} {word}{'' if number == 1 else 's'}" for word, number in (numbers | {"stage": stages}).items())
