"""The reader and the types agree: what it accepts is what msgspec accepts, and what the schema files and the reference page describe."""

from __future__ import annotations

import doctest
import importlib
import json
import pkgutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

import flowwatch.documents
from flowwatch.documents import Source, read_document, schema, shipped
from flowwatch.documents.actions import Approve, Confirm, Drill, Fire, Override, Recount, Signed
from flowwatch.documents.deployment import Deployment
from flowwatch.documents.plan import Plan
from flowwatch.documents.rules import RULES
from flowwatch.documents.scalars import READERS
from flowwatch.documents.site import Site
from flowwatch.documents.wanted import wanted
from tests.documents.written import PLAN_TEXTS, SITE_TEXT

ROOT = Path(__file__).resolve().parents[2]
MODULES = [f"flowwatch.documents.{module.name}" for module in pkgutil.iter_modules(flowwatch.documents.__path__)]


def structs(kind: msgspec.inspect.Type, seen: frozenset[str] = frozenset()) -> dict[str, msgspec.inspect.StructType]:
    """Every struct that a type is made of, by name; conditions are made of conditions."""
    bare = wanted(kind).type
    found: dict[str, msgspec.inspect.StructType] = {}
    if isinstance(bare, msgspec.inspect.StructType):
        if bare.cls.__name__ in seen:
            return {}
        seen |= {bare.cls.__name__}
        found[bare.cls.__name__] = bare
        parts = [part.type for part in bare.fields]
    elif isinstance(bare, msgspec.inspect.DictType):
        parts = [bare.key_type, bare.value_type]
    else:
        parts = [bare.item_type] if isinstance(bare, msgspec.inspect.ListType) else []
    for part in parts:
        found |= structs(part, seen)
    return found


def test_the_reader_builds_what_msgspec_itself_would_build() -> None:
    documents: list[tuple[str, type[Any]]] = [(SITE_TEXT, Site), *((plan, Plan) for plan in PLAN_TEXTS)]
    for text, cls in documents:
        value = read_document(Source("document", text.encode()), cls, RULES)
        assert msgspec.convert(msgspec.to_builtins(value), cls) == value


@pytest.mark.parametrize("cls", [Site, Plan, Deployment])
def test_the_reader_knows_how_to_read_every_type_of_the_language(cls: type[Any]) -> None:
    for struct in structs(msgspec.inspect.type_info(cls)).values():
        for part in struct.fields:
            bare = wanted(part.type).type
            assert (
                isinstance(bare, (msgspec.inspect.StructType, msgspec.inspect.DictType, msgspec.inspect.ListType)) or type(bare) in READERS
            )


@pytest.mark.parametrize("name", schema.OF)
def test_the_schema_files_are_current(name: str) -> None:
    file = schema.FOLDER / f"{name}.schema.json"
    assert file.read_text(encoding="utf-8") == schema.schema(name), "write them anew: python -m flowwatch.documents.schema"


def test_the_schemas_refuse_unknown_keys_and_describe_every_key_of_a_counter() -> None:
    site = json.loads(schema.schema("site"))
    counter = site["$defs"]["Counter"]
    assert counter["additionalProperties"] is False
    assert all("description" in part or "$ref" in part or "anyOf" in part or "allOf" in part for part in counter["properties"].values())


def test_an_editor_takes_a_bar_as_a_number_or_as_a_text() -> None:
    condition = json.loads(schema.schema("plan"))["$defs"]["Condition"]["properties"]
    assert [condition[key]["type"] for key in ("enter", "clear")] == [["number", "string"]] * 2


def test_the_schema_of_conditions_refers_to_itself() -> None:
    assert json.loads(schema.schema("plan"))["$defs"]["Condition"]["properties"]["all"]["items"] == {"$ref": "#/$defs/Condition"}


def test_the_reference_page_names_every_key_of_both_documents() -> None:
    page = (ROOT / "docs" / "documents.md").read_text(encoding="utf-8")
    keys = {part.encode_name for cls in (Site, Plan) for s in structs(msgspec.inspect.type_info(cls)).values() for part in s.fields}
    assert sorted(key for key in keys if f"`{key}`" not in page) == []


def test_the_reference_page_names_every_field_of_the_operators_records() -> None:
    page = (ROOT / "docs" / "documents.md").read_text(encoding="utf-8")
    keys = {part.encode_name for cls in (Override, Recount, Confirm, Drill, Fire, Approve, Signed) for part in msgspec.structs.fields(cls)}
    assert sorted(key for key in keys if f"`{key}`" not in page) == []


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_in_the_docstrings_print_what_they_say(module: str) -> None:
    assert doctest.testmod(importlib.import_module(module)).failed == 0


def test_shipped_documents_name_the_schema_that_checks_them_in_an_editor() -> None:
    for file in [
        *shipped().glob("config/sites/*.yaml"),
        *shipped().glob("config/deployments/*.yaml"),
        *shipped().glob("rules/*/*plan.yaml"),
    ]:
        first = file.read_text(encoding="utf-8").split("\n")[0]
        assert first.startswith("# yaml-language-server: $schema=")
        assert (file.parent / first.split("=")[1]).resolve().is_file()
