"""JSON Schema of the documents, generated from their types; editors read it, a test keeps it current.

`python -m flowwatch.documents.schema` writes the files anew. A file that begins with `# yaml-language-server: $schema=...` is checked and
completed while it is typed, in every editor with a YAML language server.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import msgspec

from flowwatch.approval.roster import Roster
from flowwatch.approval.signatures import Signatures
from flowwatch.documents.actions import Action
from flowwatch.documents.deployment import Deployment
from flowwatch.documents.plan import Plan
from flowwatch.documents.site import Site
from flowwatch.documents.words import NUMBER_OR_TEXT
from flowwatch.trials.language import Trials

FOLDER: Final = Path(__file__).parent / "schemas"
OF: Final[dict[str, Any]] = {
    "site": Site,
    "plan": Plan,
    "action": Action,
    "trial": Trials,
    "approvers": Roster,
    "signatures": Signatures,
    "deployment": Deployment,
}


def schema(name: str) -> str:
    """The JSON Schema of the documents called `name`, as its file has it."""
    made = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": name, **_with_numbers(msgspec.json.schema(OF[name]))}
    return json.dumps(made, ensure_ascii=False, indent=2) + "\n"


def _with_numbers(part: Any) -> Any:
    """The same schema, with numbers allowed where a text may be written as one."""
    if isinstance(part, dict):
        made = {key: _with_numbers(value) for key, value in part.items()}
        if made.get("format") == NUMBER_OR_TEXT:
            made = {key: value for key, value in made.items() if key != "format"} | {"type": ["number", "string"]}
        return made
    return [_with_numbers(item) for item in part] if isinstance(part, list) else part


def main() -> None:
    """Write all schema files anew."""
    for name in OF:
        (FOLDER / f"{name}.schema.json").write_text(schema(name), encoding="utf-8")


if __name__ == "__main__":
    main()
