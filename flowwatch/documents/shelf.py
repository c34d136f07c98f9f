"""Which documents there are: site files and the plans that go with them, in a checkout, an installed wheel or an operator's own folder.

A root holds `config/sites/*.yaml` and `rules/*/plan.yaml`; a plan belongs to the site that it names.
"""

from __future__ import annotations

from pathlib import Path

from flowwatch.documents.faults import DocumentErrors, Fault, Faults, TooManyFaultsError, did_you_mean, listed, near, quoted
from flowwatch.documents.load import TOP, shown_path, source
from flowwatch.documents.nodes import Mapping, Node, Scalar, read_tree


def shipped() -> Path:
    """The root of the documents that come with flowwatch: inside the installed package, or the checkout that it runs from."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "shipped"
    return inside if inside.is_dir() else package.parent


def find(root: Path) -> list[tuple[Path, Path | None]]:
    """Every site file under `root` with its plan, or None, sorted by file; raises `DocumentErrors` where that is not clear.

    A file that cannot be read goes by its name (a plan's by its folder's), so that `load` can tell what is wrong with it.
    """
    faults: list[Fault] = []
    sites: dict[str, Path] = {}
    for file in sorted((root / "config" / "sites").glob("*.yaml")):
        name, place = _site_of(file, file.stem)
        first = sites.setdefault(name, file)
        if first != file:
            told = f"found the site {quoted(name)} again (first in {shown_path(first)}), expected one file for a site"
            faults.append(Fault(shown_path(file), place.line, place.column, "site", told))
    if not sites:
        faults.append(Fault(shown_path(root), 1, 1, "document", "found no site file, expected config/sites/<site>.yaml in this folder"))
    plans: dict[str, Path] = {}
    for file in sorted((root / "rules").glob("*/plan.yaml")):
        folder = file.parent.name
        name, place = _site_of(file, folder)
        if name not in sites and folder in sites:
            name = folder  # `load` will tell that the plan names another site, together with everything else
        first = plans.setdefault(name, file)
        if name not in sites:
            expected = f"expected {listed(list(sites))}{did_you_mean(near(name, sites))}"
            told = f"found {quoted(name)}, but no file in config/sites has that site, {expected}"
            faults.append(Fault(shown_path(file), place.line, place.column, "site", told))
        elif first != file:
            told = f"found a plan for {quoted(name)} again (first in {shown_path(first)}), expected one plan for a site"
            faults.append(Fault(shown_path(file), place.line, place.column, "site", told))
    if faults:
        raise DocumentErrors(faults)
    return [(file, plans.get(name)) for name, file in sites.items()]


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
