"""Which devices a house has, and how they are before anybody has told them anything."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from flowwatch.documents import load
from flowwatch_sim.gatehouse.house import Fitting


def fittings(site: str, names: Iterable[str], site_file: Path | None) -> list[Fitting]:
    """The devices called `names` ("gate/gate-3"), and every gate, barrier and sign of the site file.

    A gate is first as it falls, out where no site file says otherwise. Raises ValueError for none, for another site's file, for no such kind,
    and `DocumentErrors` for a site file with faults.
    """
    found = {name: _fitting(name) for name in names}
    if site_file is not None:
        record = load(site_file).site
        if record["site"] != site:
            raise ValueError(f'found the site "{record["site"]}" in {site_file}, expected "{site}"')
        found |= {f"gate/{g['gate']}": Fitting(f"gate/{g['gate']}", g["on_lost"], g["on_lost"]) for g in record["gates"]}
        found |= {f"barrier/{b['barrier']}": _fitting(f"barrier/{b['barrier']}") for b in record["barriers"]}
        found |= {f"sign/{s['sign']}": _fitting(f"sign/{s['sign']}") for s in record["signs"]}
    if not found:
        raise ValueError("found no device, expected --gate, --device or --all")
    return list(found.values())


def _fitting(name: str) -> Fitting:
    first = {"gate": ("out", "out"), "barrier": ("lower", None), "link": ("both", None), "sign": (None, None)}
    kind, _, id_ = name.partition("/")
    if kind not in first or not id_:
        raise ValueError(f'found the device "{name}", expected <kind>/<id> with the kind {", ".join(first)}')
    return Fitting(name, *first[kind])
