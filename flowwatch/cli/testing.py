"""The command that plays the tests of plans: `test`, each in a world of its own, with a timeline where one fails."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import rich_click as click

from flowwatch.cli import options
from flowwatch.cli.exits import CommandError, Exit, leave
from flowwatch.cli.output import line
from flowwatch.cli.progress import progress

if TYPE_CHECKING:
    from flowwatch.documents import Loaded
    from flowwatch.trials import Outcome, Test

PATTERN = "*.test.yaml"


@click.command()
@options.documents
@click.option("--site", metavar="NAME", help="Only the plans of this site.")
@click.option("--plan", "plan", metavar="FOLDER", help="Only this folder of plans under rules/; with FILES, the plans that they test.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True, help="json: one object a line.")
@options.lang
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def test(
    documents: Path | None,
    site: str | None,
    plan: str | None,
    form: Literal["text", "json"],
    lang: options.Language,
    files: tuple[Path, ...],
) -> None:
    """Play the tests of plans, rules/<plan>/*.test.yaml or FILES: what happens at the place, and what the plan is expected to do about it.

    Exit codes: 0 all passed; 1 some failed; 3 faults in tests, plans or sites.
    """
    from flowwatch.documents import DocumentErrors, Fault, shipped
    from flowwatch.trials import run

    faults: list[Fault] = []
    tests: list[tuple[Test, Loaded]] = []
    try:
        chosen = _chosen(shipped() if documents is None else documents, site, plan, files)
    except DocumentErrors as errors:
        chosen = []
        faults += errors.faults
    for site_file, plan_files, test_files in chosen:
        try:
            tests += _read(site_file, plan_files, test_files)
        except DocumentErrors as errors:
            faults += [fault for fault in errors.faults if fault not in faults]
    if faults:
        _tell_faults(faults, form)
    failed = 0
    with progress("tests", len(tests), "tests") as advance:
        for one, loaded in tests:
            outcome = run(one, loaded)
            failed += not outcome.passed
            _tell(outcome, form, lang)
            advance(1)
    _sum_up(len(tests) - failed, failed, form, lang)
    if failed:
        leave(Exit.FINDINGS)


Chosen = tuple[Path, list[Path], list[Path]]
"""A site file, the plans that are tested, and the files that test them."""


def _chosen(root: Path, site: str | None, plan: str | None, files: Sequence[Path]) -> list[Chosen]:
    """What is to be tested. Raises `CommandError` where that is nothing."""
    from flowwatch.documents import alternatives, find

    shelf = [(site_file, plans) for site_file, plans in find(root) + alternatives(root) if plans]
    folders = {plans[0].parent.name: (site_file, plans) for site_file, plans in shelf}
    if site is not None:
        sites = {site_file.stem for site_file, _ in folders.values()}
        folders = {name: found for name, found in folders.items() if found[0].stem == site}
        if not folders:
            raise _unknown("--site", site, sites, "a site with a plan")
    if plan is not None:
        name = Path(plan).name
        if name not in folders:
            raise _unknown("--plan", plan, folders, "a folder under rules/ with a plan.yaml")
        folders = {name: folders[name]}
    if not files:
        chosen = [(site_file, plans, sorted(plans[0].parent.glob(PATTERN))) for site_file, plans in folders.values()]
        chosen = [found for found in chosen if found[2]]
        if not chosen:
            where = ", ".join(f"{root / 'rules' / name / PATTERN}" for name in folders)
            raise CommandError(Exit.USAGE, f"found no tests, expected them beside the plan: {where}")
        return chosen
    by_folder: dict[str, list[Path]] = {}
    for file in files:
        name = next(iter(folders)) if plan is not None else file.resolve().parent.name
        if name not in folders or (plan is None and file.resolve().parent != folders[name][1][0].parent.resolve()):
            raise CommandError(Exit.USAGE, f"{file} stands beside no plan of {root}, expected --plan FOLDER to say which plans it tests")
        by_folder.setdefault(name, []).append(file)
    return [(*folders[name], mine) for name, mine in by_folder.items()]


def _unknown(option: str, name: str, known: Any, what: str) -> CommandError:
    from flowwatch.documents.faults import did_you_mean, listed, near, quoted

    return CommandError(
        Exit.USAGE, f"{option}: found {quoted(name)}, expected {what}: {listed(sorted(known))}{did_you_mean(near(name, known))}"
    )


def _read(site_file: Path, plan_files: list[Path], test_files: list[Path]) -> list[tuple[Test, Loaded]]:
    """The tests of one folder of plans. Raises `DocumentErrors` with every fault of all files."""
    from flowwatch.documents import DocumentErrors, Fault, load
    from flowwatch.documents.load import shown_path, source
    from flowwatch.trials import Stock, read

    loaded = load(site_file, plan_files)
    stock = Stock.of(loaded.site, shown_path(site_file), shown_path(plan_files[0].parent))
    tests: list[tuple[Test, Loaded]] = []
    faults: list[Fault] = []
    for file in test_files:
        try:
            tests += [(one, loaded) for one in read(source(file), stock)]
        except DocumentErrors as errors:
            faults += errors.faults
    if faults:
        raise DocumentErrors(faults)
    return tests


def _tell_faults(faults: Sequence[Any], form: str) -> None:
    for fault in faults:
        if form == "json":
            line({"file": fault.file, "line": fault.line, "column": fault.column, "path": fault.path, "text": fault.text})
        else:
            click.echo(str(fault))
    click.echo(f"{len(faults)} fault{'s' if len(faults) > 1 else ''}: nothing was tested", err=True)
    leave(Exit.DOCUMENTS)


def _tell(outcome: Outcome, form: str, lang: options.Language) -> None:
    from flowwatch.trials import timeline

    one = outcome.test
    if form == "json":
        line(_as_data(outcome))
    elif not outcome.passed:
        click.echo(f"{'未通过' if lang == 'zh' else 'FAILED'}  {one.file}:{one.line}: {one.trial.name}")
        for text in timeline(outcome, lang):
            click.echo(text)
        click.echo("")


def _as_data(outcome: Outcome) -> dict[str, Any]:
    from flowwatch.trials.timeline import clock

    one = outcome.test
    failures = [
        {"line": f.line, "at": clock(f.at), "key": d.key, "expected": d.expected, "found": d.found}
        for f in outcome.failures
        for d in f.differences
    ]
    moments = [
        {
            "at": clock(m.at),
            "figures": {name: value / 1000 for name, (value, _) in m.figures.items()},
            "estimates": {zone: band and [part / 1000 for part in band] for zone, band in m.estimates.items()},
            "stage": m.stage,
            "asks": list(m.asks),
            "gates": dict(m.gates),
        }
        for m in outcome.moments
    ]
    told = {"file": one.file, "line": one.line, "test": one.trial.name, "passed": outcome.passed, "failures": failures}
    return told if outcome.passed else told | {"timeline": moments}


def _sum_up(passed: int, failed: int, form: str, lang: options.Language) -> None:
    if form == "json":
        line({"passed": passed, "failed": failed})
    else:
        click.echo(f"通过 {passed} 项，未通过 {failed} 项" if lang == "zh" else f"{passed} passed, {failed} failed")
