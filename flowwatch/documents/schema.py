"""JSON Schema of the documents, generated from their types; editors read it, a test keeps it current.

`python -m flowwatch.documents.schema` writes the files anew. A file that begins with `# yaml-language-server: $schema=...` is checked and
completed while it is typed, in every editor with a YAML language server.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import msgspec

from flowwatch.documents.actions import Action
from flowwatch.documents.plan import Plan
from flowwatch.documents.site import Site

FOLDER: Final = Path(__file__).parent / "schemas"
OF: Final[dict[str, Any]] = {"site": Site, "plan": Plan, "action": Action}


def schema(name: str) -> str:
    """The JSON Schema of the documents called `name`, as its file has it."""
    made = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": name, **msgspec.json.schema(OF[name])}
    return json.dumps(made, ensure_ascii=False, indent=2) + "\n"


def main() -> None:
    """Write all schema files anew."""
    for name in OF:
        (FOLDER / f"{name}.schema.json").write_text(schema(name), encoding="utf-8")


if __name__ == "__main__":
    main()
