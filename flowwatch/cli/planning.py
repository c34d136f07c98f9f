"""The commands that show and tell a plan: `plan explain` in words, `plan diff` what changed, `diagram` as a picture.

All of them compile the documents first, as `run` would, so what they say is what would be done; documents with faults are not told at all.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import rich_click as click

from flowwatch.cli import options
from flowwatch.cli.exits import CommandError, Exit, leave
from flowwatch.cli.options import F, Language
from flowwatch.cli.output import line

_FOLDER = click.Path(exists=True, path_type=Path)


def _site(command: F) -> F:
    """`--site NAME`, given as `site`; None where it is not given."""
    return click.option("--site", metavar="NAME", help="Which site; needed only where there are several.")(command)


def _plan(command: F) -> F:
    """`--plan FOLDER`, given as `folder`; None for the plan in force."""
    return click.option(
        "--plan", "folder", type=_FOLDER, metavar="FOLDER", help="A folder with another plan.yaml instead of the plan in force."
    )(command)


@click.group()
def plan() -> None:
    """Read a plan before it is in force: in plain words, or what changed in it."""


@plan.command()
@options.documents
@_site
@_plan
@options.lang
def explain(documents: Path | None, site: str | None, folder: Path | None, lang: Language) -> None:
    """Tell a whole plan in plain Chinese or English: when each stage comes and goes, who agrees, what every gate does."""
    from flowwatch.planning.explain import explain as told

    click.echo(told(_chosen(documents, site, folder), lang), nl=False)


@plan.command()
@click.argument("old", type=_FOLDER)
@click.argument("new", type=_FOLDER)
@_site
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True, help="Sentences, or JSON lines.")
@options.lang
def diff(old: Path, new: Path, site: str | None, form: Literal["text", "json"], lang: Language) -> None:
    """Tell what changed from OLD to NEW, the most safety-relevant first; exit code 0 if nothing did, 1 if something did.

    OLD and NEW are folders with a plan.yaml (rules/yuyuan), or folders that hold rules/ and config/.
    """
    from flowwatch.planning import diff as differing

    before, after = _records(old, site), _records(new, site)
    if len(before) == len(after) == 1:
        pairs = [(*before.values(), *after.values())]
    else:
        _same_sites(before, after)
        pairs = [(before[name], after[name]) for name in before]
    changed = False
    for was, now in pairs:
        changes = differing.diff(was, now)
        changed = changed or bool(changes)
        if form == "json":
            for change in changes:
                line({"site": now["site"]} | change.plain())
            continue
        if len(pairs) > 1:
            click.echo(now["title"][lang])
        click.echo(differing.report(changes, lang), nl=False)
    if changed:
        leave(Exit.FINDINGS)


@click.command()
@options.documents
@_site
@_plan
@click.option("--of", metavar="PLAN", help="Which of the site's plans, a zone plan or case; the main plan, if it is not given.")
@click.option("--format", "form", type=click.Choice(["mermaid", "svg"]), default="mermaid", show_default=True, help="What to draw it as.")
@click.option("--out", type=click.Path(dir_okay=False, writable=True, path_type=Path), help="The file to write instead of the output.")
@options.lang
def diagram(
    documents: Path | None,
    site: str | None,
    folder: Path | None,
    of: str | None,
    form: Literal["mermaid", "svg"],
    out: Path | None,
    lang: Language,
) -> None:
    """Draw a plan as the engine runs it: stages from calm to closed, every gate, and what leads up and down."""
    from flowwatch.planning.diagram import ladder
    from flowwatch.planning.mermaid import mermaid
    from flowwatch.planning.poster import svg

    record = _chosen(documents, site, folder)
    drawn = ladder(record, _of(record, of), lang)
    text = svg(drawn) if form == "svg" else mermaid(drawn)
    if out is None:
        click.echo(text, nl=False)
    else:
        out.write_text(text, encoding="utf-8")


# -- which record -----------------------------------------------------------------------------------------------------------------------


def _chosen(documents: Path | None, site: str | None, folder: Path | None) -> dict[str, Any]:
    """The compiled record that the options mean."""
    from flowwatch.documents import load, shipped

    if folder is not None:
        return _with(folder, site, documents)
    root = shipped() if documents is None else documents
    files = site_files(root)
    if site is None and len(files) > 1:
        raise CommandError(Exit.USAGE, f"found {len(files)} sites in {root}, expected --site with one of {', '.join(sorted(files))}")
    return load(*files[known_site(site or next(iter(files)), files)]).site


def _records(path: Path, site: str | None) -> dict[str, dict[str, Any]]:
    """Site -> compiled record, of a folder with a plan.yaml or of a documents root."""
    from flowwatch.documents import load

    if path.name == "plan.yaml" or (path / "plan.yaml").is_file():
        record = _with(path, site, None)
        return {record["site"]: record}
    if not _is_root(path):
        raise CommandError(Exit.USAGE, f'found "{path}", expected a folder with a plan.yaml, or one that holds config/sites and rules')
    files = site_files(path)
    wanted = list(files) if site is None else [known_site(site, files)]
    return {name: load(*files[name]).site for name in wanted}


def _with(folder: Path, site: str | None, documents: Path | None) -> dict[str, Any]:
    """The record of a site with the plan in `folder` and what lies beside it, whether or not that is the one in force.

    The site file is looked for under `documents`, else under the root that the folder lies in, else among those that ship with flowwatch.
    """
    from flowwatch.documents import load, shipped

    main = folder if folder.name == "plan.yaml" else folder / "plan.yaml"
    if not main.is_file():
        raise CommandError(Exit.USAGE, f'found no plan.yaml in "{folder}", expected a folder with one')
    around = main.resolve().parent.parent.parent
    files = site_files(documents or (around if _is_root(around) else shipped()))
    named = site or _names_site(main) or ""
    wanted = next(iter(files)) if not named and len(files) == 1 else known_site(named, files)
    return load(files[wanted][0], [main, *sorted(main.parent.glob("*.plan.yaml"))]).site


def site_files(root: Path) -> dict[str, tuple[Path, list[Path]]]:
    """Site -> its file and the files of the plans in force."""
    from flowwatch.documents import find

    return {_names_site(site_file) or site_file.stem: (site_file, plan_files) for site_file, plan_files in find(root)}


def _names_site(file: Path) -> str | None:
    """The site that a document names, by a look at its line `site:`; what is wrong with the rest is told when it is compiled."""
    found = re.search(r"^site:\s*[\"']?([A-Za-z0-9_.:-]+)", file.read_text(encoding="utf-8", errors="replace"), re.MULTILINE)
    return found[1] if found is not None else None


def _is_root(path: Path) -> bool:
    return (path / "config" / "sites").is_dir()


def known_site(site: str, known: Iterable[str]) -> str:
    """`site`, or a `CommandError` with the near miss if it is not known."""
    if site not in known:
        raise CommandError(Exit.USAGE, f'found no site "{site}", expected one of {", ".join(sorted(known))}{near_miss(site, known)}')
    return site


def near_miss(name: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown name: the one of `known` that was probably meant; empty where none is near."""
    near = difflib.get_close_matches(name, list(known), 1)
    return f'; did you mean "{near[0]}"?' if near else ""


def _same_sites(before: Iterable[str], after: Iterable[str]) -> None:
    only = sorted(set(before) ^ set(after))
    if only:
        raise CommandError(
            Exit.USAGE, f"found {', '.join(only)} on one side only, expected the same sites on both, or --site with one of them"
        )


def _of(record: dict[str, Any], name: str | None) -> dict[str, Any]:
    """One of the record's plans, the main one if it is not named."""
    plans = {plan["plan"]: plan for plan in record["plans"]}
    if not plans:
        raise CommandError(Exit.USAGE, f'site "{record["site"]}" has no plan, so there is nothing to draw')
    name = next(iter(plans)) if name is None else name
    if name not in plans:
        expected = f"expected one of {', '.join(plans)}"
        raise CommandError(Exit.USAGE, f'found no plan "{name}" at site "{record["site"]}", {expected}{near_miss(name, plans)}')
    return dict(plans[name])
