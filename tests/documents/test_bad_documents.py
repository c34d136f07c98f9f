"""Each bad document is refused with exactly the faults that its first comment lines say, and nothing else.

Their names begin with the document that they are: `plan-` is a main plan for good/hall.yaml, `beside-` a zone plan or case beside
good/plan.yaml, all others are site files.
"""

from __future__ import annotations

from itertools import takewhile
from pathlib import Path

import pytest

from flowwatch.documents import DocumentErrors, load
from tests.documents.written import HERE, PLAN, SITE

BAD = sorted((HERE / "bad").glob("*.bad.yaml"))


def expected(file: Path) -> list[str]:
    """The faults that the comment on top says, as flowwatch would write them from the folder of this test."""
    lines = file.read_text(encoding="utf-8").split("\n")
    return [f"{file.relative_to(HERE)}:{line[2:]}" for line in takewhile(lambda line: line.startswith("# "), lines)]


@pytest.mark.parametrize("file", BAD, ids=lambda file: file.name.removesuffix(".bad.yaml"))
def test_a_bad_document_is_refused_with_exactly_the_faults_it_was_made_for(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(HERE)
    plans = {"plan": [file], "beside": [PLAN, file]}.get(file.name.split("-")[0])
    with pytest.raises(DocumentErrors) as caught:
        load(SITE if plans else file, plans or [])
    assert str(caught.value).split("\n") == expected(file)


def test_there_is_a_bad_document_for_every_kind_of_fault() -> None:
    assert len(BAD) >= 140
