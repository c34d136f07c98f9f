"""docs/approval.md says what the code does, and who does not sign or verify does without cryptography."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import msgspec

from flowwatch.approval.roster import Person, Roster, load_roster
from flowwatch.approval.signatures import Role, Signature, statement

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "approval.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", PAGE, re.DOTALL)


def test_the_page_names_every_key_of_a_roster_and_of_a_signature() -> None:
    keys = {part.encode_name for cls in (Roster, Person, Signature) for part in msgspec.structs.fields(cls)}
    assert sorted(key for key in keys if f"`{key}`" not in PAGE) == []


def test_the_roster_on_the_page_is_one(tmp_path: Path) -> None:
    (text,) = (text for language, text in BLOCKS if language == "yaml")
    file = tmp_path / "approvers.yaml"
    file.write_text(text, encoding="utf-8")
    assert list(load_roster(file).people) == ["wang", "li"]


def test_what_is_signed_is_what_the_page_says() -> None:
    (text,) = (text for _, text in BLOCKS if text.startswith("flowwatch: "))
    fields = dict(line.split(": ", 1) for line in text.splitlines())
    said = statement(fields["site"], fields["version"], Role(fields["as"]), fields["by"], fields["at"])
    assert said.decode() == text


def test_cryptography_is_loaded_by_who_signs_or_verifies_and_by_nobody_else() -> None:
    program = "import sys; import flowwatch.acceptance, flowwatch.explain; print('cryptography' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "False\n"
