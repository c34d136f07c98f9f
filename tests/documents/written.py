"""The example documents that the tests read, and ways to write documents as people might."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any, Final

import yaml

from flowwatch.documents import DocumentErrors, Source, compile_sources

HERE: Final = Path(__file__).parent
SITE: Final = HERE / "good" / "hall.yaml"
PLAN: Final = HERE / "good" / "plan.yaml"
NUMBERS: Final = (0, *range(2, 100))
COMPANIONS: Final = sorted((HERE / "good").glob("*.plan.yaml"))
PLANS: Final = [PLAN, *COMPANIONS]
SITE_TEXT: Final = SITE.read_text(encoding="utf-8")
PLAN_TEXT: Final = PLAN.read_text(encoding="utf-8")
PLAN_TEXTS: Final = [file.read_text(encoding="utf-8") for file in PLANS]


def faults(site: str | bytes, *plans: str | bytes) -> list[str]:
    """Every fault of some documents, as lines; the files are called s.yaml and p.yaml, p2.yaml, … Empty if there is none."""
    try:
        compile_sources(_source("s.yaml", site), [_source(f"p{i or ''}.yaml", plan) for i, plan in zip(NUMBERS, plans, strict=False)])
    except DocumentErrors as errors:
        return str(errors).split("\n")
    return []


def _source(name: str, text: str | bytes) -> Source:
    return Source(name, text.encode() if isinstance(text, str) else text)


def shuffled(value: Any, chance: random.Random) -> Any:
    """The same document with the keys of every mapping in another order."""
    if isinstance(value, dict):
        return {key: shuffled(value[key], chance) for key in chance.sample(sorted(value), len(value))}
    return [shuffled(item, chance) for item in value] if isinstance(value, list) else value


def raw(text: str) -> Any:
    """The document as plain dictionaries, every scalar a text as it is written."""
    return yaml.load(text, Loader=yaml.BaseLoader)


def dumped(value: Any) -> str:
    """`raw` back to YAML."""
    lines: list[str] = []
    _dump(value, "", lines)
    return "\n".join(lines) + "\n"


def _dump(value: Any, indent: str, lines: list[str]) -> None:
    for key, part in value.items() if isinstance(value, dict) else [(None, item) for item in value]:
        head = f"{indent}-" if key is None else f"{indent}{key}:"
        if isinstance(part, (dict, list)):
            lines.append(head if part else f"{head} {{}}")
            _dump(part, indent + "  ", lines)
        else:
            plain = part[:1] not in tuple("{[\"'@%&*!|>") and ": " not in part
            lines.append(f"{head} {part if plain else json.dumps(part, ensure_ascii=False)}")
