"""The dashboards as they are shipped: JSON in `config/grafana/dashboards`, read without Grafana's SDK."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from flowwatch.documents import shipped
from flowwatch.handling.runbooks import PATH
from flowwatch.words import Language

USUAL: Final = "/var/lib/grafana/dashboards/flowwatch"
"""Where the provisioning as it is shipped looks for dashboards."""
_VARIABLE: Final = re.compile(r"\$\{?([A-Za-z_]\w*)\}?")


@dataclass(frozen=True, slots=True)
class Asked:
    """One expression of a panel."""

    dashboard: str
    panel: str
    ref: str
    expr: str


def folder() -> Path:
    """Where dashboards and provisioning lie: in the installed package, or in the checkout that it runs from."""
    return shipped() / "config" / "grafana"


def file_of(name: str, lang: Language) -> Path:
    """The file of a dashboard."""
    return folder() / "dashboards" / lang / f"{name}.json"


def read(lang: Language) -> dict[str, dict[str, Any]]:
    """Name -> dashboard, of one language."""
    files = sorted((folder() / "dashboards" / lang).glob("*.json"))
    return {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in files}


def shipped_text(lang: Language, console: str | None = None) -> dict[str, str]:
    """Name -> file of every dashboard; with a link to the run books of the service at `console`, if there is an address."""
    found = {}
    for name, dashboard in read(lang).items():
        if console:
            dashboard["links"].append(_console(console.rstrip("/"), lang))
        found[name] = json.dumps(dashboard, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
    return found


def provisioning(dashboards: Path) -> dict[str, str]:
    """Name -> file of what provisions them in Grafana, from the folder `dashboards`."""
    place = folder() / "provisioning"
    found = {str(file.relative_to(place)): file.read_text(encoding="utf-8") for file in sorted(place.rglob("*.yml"))}
    return {name: text.replace(USUAL, str(dashboards.resolve())) for name, text in found.items()}


def _console(url: str, lang: Language) -> dict[str, Any]:
    title = "处置手册" if lang == "zh" else "run books"
    return {"title": title, "type": "link", "icon": "doc", "url": f"{url}{PATH}", "targetBlank": True, "tooltip": url} | {
        "tags": [],
        "asDropdown": False,
        "includeVars": False,
        "keepTime": False,
    }


def panels(dashboard: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every panel that is no row."""
    for panel in dashboard["panels"]:
        if panel["type"] != "row":
            yield panel
        yield from (inner for inner in panel.get("panels", ()))


def expressions(lang: Language, values: Mapping[str, str]) -> Iterator[Asked]:
    """Every expression of every panel, with `values` in the place of variables. Raises KeyError for a variable that has none."""
    for name, dashboard in read(lang).items():
        for panel in panels(dashboard):
            for target in panel["targets"]:
                yield Asked(name, panel["title"], target["refId"], filled(target["expr"], values))


def filled(expression: str, values: Mapping[str, str]) -> str:
    """An expression with values in the place of its variables."""
    return _VARIABLE.sub(lambda found: values[found[1]], expression)
