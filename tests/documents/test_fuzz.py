"""Whatever is in the files, loading them gives a record or faults, never anything else."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from flowwatch.documents import DocumentErrors, Fault, Source, compile_sources
from tests.documents.written import PLAN_TEXT, SITE_TEXT

WORDS = st.sampled_from(
    [
        *[
            ":",
            "- ",
            "{",
            "}",
            "[",
            "]",
            ",",
            "'",
            '"',
            "&a ",
            "*a",
            "!!int ",
            "|",
            ">",
            "\n",
            "\t",
            "#",
            "---\n",
            "? ",
            "<<: ",
            "null",
            "~",
            "0",
        ],
        *["-1", "1e9", "9" * 30, ".inf", "in", "others", "site", "outside", "10s", "inside: hall", "stage: calm", "大厅"],
        *["\u2028", "\ufeff", "\x00", " "],
    ]
)
TEXTS = st.one_of(WORDS, st.text(max_size=5))


@st.composite
def damaged(draw: st.DrawFn, text: str) -> str:
    """`text` after a few cuts, copies and insertions."""
    for _ in range(draw(st.integers(1, 4))):
        at, until = sorted(draw(st.tuples(st.integers(0, len(text)), st.integers(0, len(text)))))
        part = text[at : min(until, at + draw(st.sampled_from([0, 1, 3, 20, 400])))]
        text = draw(
            st.sampled_from([text[:at] + text[at + len(part) :], text[:at] + part + text[at:], text.replace(part, "", 1) + part])
            | TEXTS.map(lambda new, text=text, at=at, part=part: text[:at] + new + text[at + len(part) :])  # type: ignore[misc]
        )
    return text


def check(site: bytes, plan: bytes) -> None:
    faults: tuple[Fault, ...] = ()
    try:
        compile_sources(Source("s.yaml", site), Source("p.yaml", plan))
    except DocumentErrors as errors:
        faults = errors.faults or (Fault("", 0, 0, "", ""),)
    for fault in faults:
        assert fault.file in ("s.yaml", "p.yaml")
        assert fault.line >= 1
        assert fault.column >= 1
        assert "\n" not in str(fault)
        assert len(str(fault)) < 2000


@settings(max_examples=300)
@given(damaged(SITE_TEXT), damaged(PLAN_TEXT))
def test_damaged_documents_give_faults_and_nothing_else(site: str, plan: str) -> None:
    check(site.encode("utf-8", "surrogatepass"), plan.encode("utf-8", "surrogatepass"))


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_arbitrary_bytes_give_faults_and_nothing_else(site: bytes, plan: bytes) -> None:
    check(site, plan)


@given(st.recursive(TEXTS, lambda parts: st.lists(parts, max_size=4) | st.dictionaries(TEXTS, parts, max_size=4), max_leaves=30))
def test_any_structure_in_place_of_a_document_gives_faults_and_nothing_else(value: object) -> None:
    check(repr(value).encode("utf-8", "surrogatepass"), repr(value).encode("utf-8", "surrogatepass"))


@settings(max_examples=200)
@given(st.data())
def test_a_line_left_out_anywhere_gives_faults_or_a_record(data: st.DataObject) -> None:
    lines = [SITE_TEXT.split("\n"), PLAN_TEXT.split("\n")]
    for part in lines:
        del part[data.draw(st.integers(0, len(part) - 1))]
    check(*("\n".join(part).encode() for part in lines))
