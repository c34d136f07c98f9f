"""JSON Schema of readings and import documents, generated from their types; senders and editors read it, a test keeps it current.

`python -m flowwatch.adapters.schema` writes the files anew. Two rules on readings are not in their type and are added here: figures of one
kind only, and one identity at most.
"""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import msgspec

from flowwatch.adapters.mapping import Import
from flowwatch.adapters.ndjson import FIGURES, Reading

FOLDER: Final = Path(__file__).parent / "schemas"


def reading() -> dict[str, Any]:
    """The schema of a line of the reading format."""
    made: dict[str, Any] = msgspec.json.schema(Reading)["$defs"]["Reading"]
    for field in made["properties"].values():
        field.pop("default", None)
    made["properties"]["at"]["format"] = "date-time"
    groups = list(FIGURES.values())
    made["anyOf"] = [{"required": [name]} for group in groups for name in group]
    mixed = [[a, b] for one, other in combinations(groups, 2) for a in one for b in other]
    made["allOf"] = [{"not": {"required": names}} for names in (*mixed, ["seq", "id"])]
    return made


def schema(name: str) -> str:
    """The JSON Schema of "reading" or "import", as its file has it."""
    made = reading() if name == "reading" else msgspec.json.schema(Import)
    whole = {"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "title": name}
    return json.dumps(whole, ensure_ascii=False, indent=2) + "\n"


def main() -> None:
    """Write all schema files anew."""
    for name in ("reading", "import"):
        (FOLDER / f"{name}.schema.json").write_text(schema(name), encoding="utf-8")


if __name__ == "__main__":
    main()
