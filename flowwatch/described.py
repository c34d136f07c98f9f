"""A protocol of messages for those who build its other end: JSON Schemas and an AsyncAPI 3 document, made from the types that the service runs on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import yaml

JSON = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Described:
    """The messages of a protocol by name, with examples, and the files that describe them: a schema of each in `folder`, and `asyncapi`."""

    folder: Path
    asyncapi: Path
    messages: Mapping[str, type[Any]]
    examples: Mapping[str, Sequence[JSON]]

    def schema(self, name: str) -> str:
        """The JSON Schema of the message called `name`, as its file has it."""
        made = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": name, **msgspec.json.schema(self.messages[name])}
        return json.dumps(made | {"examples": self.examples[name]}, ensure_ascii=False, indent=2) + "\n"

    def document(self, info: JSON, channels: JSON, operations: JSON, of_message: Mapping[str, JSON] | None = None) -> str:
        """The AsyncAPI 3 document, as its file has it. `of_message`: what stands in a message besides its payload and examples."""
        schemas, components = msgspec.json.schema_components(tuple(self.messages.values()), ref_template="#/components/schemas/{name}")
        messages = {
            name: {
                "name": name,
                "contentType": "application/json",
                "payload": part,
                "examples": [{"payload": example} for example in self.examples[name]],
                **(of_message or {}).get(name, {}),
            }
            for name, part in zip(self.messages, schemas, strict=True)
        }
        document = {
            "asyncapi": "3.0.0",
            "info": info | {"license": {"name": "Apache-2.0"}},
            "defaultContentType": "application/json",
            "channels": channels,
            "operations": operations,
            "components": {"messages": messages, "schemas": components},
        }
        return yaml.dump(document, Dumper=_Plain, allow_unicode=True, sort_keys=False, width=140)

    def write(self, document: str) -> None:
        """Write all of it anew."""
        self.folder.mkdir(exist_ok=True)
        for name in self.messages:
            (self.folder / f"{name}.schema.json").write_text(self.schema(name), encoding="utf-8")
        self.asyncapi.write_text(document, encoding="utf-8")


class _Plain(yaml.SafeDumper):
    """Writes what is there twice twice."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the signature of the base
        return True
