"""Which documents there are: site files and the plans that go with them, in a checkout, an installed wheel or an operator's own folder.

A root holds `config/sites/*.yaml` and `rules/<folder>/plan.yaml`, and beside a plan.yaml the zone plans and cases that go together with it,
`rules/<folder>/<name>.plan.yaml`. A folder belongs to the site that its plan.yaml names. Where several folders belong to one site, the one
that is called like the site is in force, and the others are alternatives: they are checked, and a backtest can try them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from flowwatch.documents.faults import DocumentErrors, Fault, Faults, TooManyFaultsError, did_you_mean, listed, near, quoted
from flowwatch.documents.load import TOP, shown_path, source
from flowwatch.documents.nodes import Mapping, Node, Scalar, read_tree


def shipped() -> Path:
    """The root of the documents that come with flowwatch: inside the installed package, or the checkout that it runs from."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "shipped"
    return inside if inside.is_dir() else package.parent


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder of plans: the site that its main plan names, its files (the main plan first), and where the site is named."""

    name: str
    site: str
    files: tuple[Path, ...]
    place: Node

    def fault(self, text: str) -> Fault:
        return Fault(shown_path(self.files[0]), self.place.line, self.place.column, "site", text)


def find(root: Path) -> list[tuple[Path, list[Path]]]:
    """Every site file under `root` with the plan files in force, main plan first (none: no plan), sorted by site file.

    Raises `DocumentErrors` where that is not clear. A file that cannot be read goes by its name (a plan's by its folder's), so that `load` can
    tell what is wrong with it.
    """
    faults: list[Fault] = []
    sites = _sites(root, faults)
    folders = _folders(root, sites, faults)
    for name in sites:
        mine = [folder for folder in folders if folder.site == name]
        if len(mine) > 1 and not any(folder.name == name for folder in mine):
            first = shown_path(mine[0].files[0])
            expected = f"expected one of them in a folder rules/{name}, which is then in force"
            faults += [folder.fault(f"found a plan for {quoted(name)} again (first in {first}), {expected}") for folder in mine[1:]]
    if faults:
        raise DocumentErrors(faults)
    return [(file, _in_force(name, folders)) for name, file in sites.items()]


def alternatives(root: Path) -> list[tuple[Path, list[Path]]]:
    """The site files under `root` with the plan files of each folder that is not in force; none where `find` raises."""
    in_force = {files[0] for _, files in find(root) if files}
    sites = _sites(root, [])
    return [(sites[f.site], list(f.files)) for f in _folders(root, sites, []) if f.files[0] not in in_force]


def _in_force(site: str, folders: Iterable[_Folder]) -> list[Path]:
    mine = [folder for folder in folders if folder.site == site]
    chosen = next((folder for folder in mine if folder.name == site), mine[0] if mine else None)
    return [] if chosen is None else list(chosen.files)


def _sites(root: Path, faults: list[Fault]) -> dict[str, Path]:
    """Site -> its file."""
    sites: dict[str, Path] = {}
    for file in sorted((root / "config" / "sites").glob("*.yaml")):
        name, place = _site_of(file, file.stem)
        first = sites.setdefault(name, file)
        if first != file:
            told = f"found the site {quoted(name)} again (first in {shown_path(first)}), expected one file for a site"
            faults.append(Fault(shown_path(file), place.line, place.column, "site", told))
    if not sites:
        faults.append(Fault(shown_path(root), 1, 1, "document", "found no site file, expected config/sites/<site>.yaml in this folder"))
    return sites


def _folders(root: Path, sites: dict[str, Path], faults: list[Fault]) -> list[_Folder]:
    """The folders of plans whose site there is."""
    found: list[_Folder] = []
    for path in sorted({file.parent for file in (root / "rules").glob("*/*plan.yaml")}):
        main, companions = path / "plan.yaml", sorted(path.glob("*.plan.yaml"))
        if not main.is_file():
            if companions:
                told = "found a zone plan or case without a main plan, expected a plan.yaml beside it"
                faults.append(Fault(shown_path(companions[0]), 1, 1, "document", told))
            continue
        name, place = _site_of(main, path.name)
        if name not in sites and path.name in sites:
            name = path.name  # `load` will tell that the plan names another site, together with everything else
        folder = _Folder(path.name, name, (main, *companions), place)
        if name in sites:
            found.append(folder)
        else:
            expected = f"expected {listed(list(sites))}{did_you_mean(near(name, sites))}"
            faults.append(folder.fault(f"found {quoted(name)}, but no file in config/sites has that site, {expected}"))
    return found


def _site_of(file: Path, otherwise: str) -> tuple[str, Node]:
    """The site that a file names, and where it does; `otherwise` if it cannot be read."""
    text, faults = source(file), Faults("")
    try:
        tree = read_tree(text.data, faults)
    except TooManyFaultsError:
        tree = None
    entries = tree.entries if isinstance(tree, Mapping) else []
    for key, value in entries:
        if key.text == "site" and isinstance(value, Scalar) and not value.null:
            return value.text, value
    return otherwise, TOP
