"""A folder of results, read back: the days of a run, comparison or search that is done, and what they were days of.

The folder has the scenario's text; the site's documents it names by their version, and they are read from where documents are. If these have
changed since, the folder's days are not days of them any more, and that is an error, not a page.
"""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from flowwatch.documents import Source
from flowwatch_sim.runs import MANIFEST, SCENARIO, Result, Setup
from flowwatch_sim.shelf import folder as shipped_scenarios
from flowwatch_sim.shelf import names as shipped_names


class KeptError(Exception):
    """A folder is no folder of results, or not of these documents; the message says what was found and what was expected."""


def read(folder: Path, root: Path) -> tuple[list[Setup], list[Result]]:
    """The setups of a folder, with documents from `root`, and their days. Raises `KeptError`, `DocumentErrors`, `BadBarsError`."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        text = (folder / SCENARIO).read_bytes()
        days, curves = (pq.read_table(folder / f"{name}.parquet").to_pydict() for name in ("days", "curves"))
        said = [
            (
                Setup(
                    Source("", text),
                    root,
                    one["folder"],
                    one["sensing"],
                    tuple((stage, int(people)) for stage, people in one["moved"]),
                    tuple((key, value) for key, value in one["operators"]),
                ),
                one["documents"],
            )
            for one in manifest["setups"]
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise KeptError(f"found no results in {folder} ({error}), expected a folder that --out wrote with this version") from error
    source = Source(_name(text, folder), text)
    setups = [replace(setup, text=source) for setup, _ in said]
    for setup, (_, version) in zip(setups, said, strict=True):
        here = setup.planned().version
        if here != version:
            raise KeptError(
                f"found documents of version {here} for {setup.name} under {root}, expected {version}, those of the days in {folder}; "
                "--documents names another folder"
            )
    return setups, _results(days, curves)


def shown_name(text: Source) -> str:
    """What a scenario is called on a command line: by its name if it ships, else by its file."""
    file = Path(text.name)
    ships = file.stem in shipped_names() and file.resolve() == (shipped_scenarios() / file.name).resolve()
    return file.stem if ships else text.name


def _name(text: bytes, folder: Path) -> str:
    """The file of a scenario: the one that ships, if it is that one, else the folder's own."""
    same = (file for file in sorted(shipped_scenarios().glob("*.yaml")) if file.read_bytes() == text)
    return str(next(same, folder / SCENARIO))


def _results(days: dict[str, list[Any]], curves: dict[str, list[Any]]) -> list[Result]:
    """In the order in which they were written. A day begins where its measures begin again."""
    rows = zip(days["plan"], days["sight"], days["seed"], days["measure"], days["value"], strict=True)
    found: list[Result] = []
    last = ""
    for plan, sight, seed, measure, value in rows:
        before = found[-1] if found else None
        if before is None or (before.plan, before.sight, before.seed) != (plan, sight, seed) or measure <= last:
            found.append(Result(plan, sight, seed, {}, []))
        found[-1].measures[measure] = value
        last = measure
    zones = [key for key in curves if key not in ("plan", "sight", "seed")]
    minutes = iter(zip(*(curves[key] for key in zones), strict=True))
    for result, (_, those) in zip(found, groupby(_counted(minutes), key=lambda one: one[0]), strict=True):
        result.minutes.extend(list(row) for _, row in those)
    return found


def _counted(minutes: Any) -> Any:
    """(number of the day, row), a day beginning at its first minute."""
    day, last = -1, 0
    for row in minutes:
        day += 1 if day < 0 or row[0] <= last else 0
        last = row[0]
        yield day, row
