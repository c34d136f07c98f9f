"""Whatever is in the files, loading them gives a record or faults, never anything else."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowwatch.documents import DocumentErrors, Fault, Loaded, Source, compile_sources
from flowwatch.documents.conditions import Measure
from tests.documents.record import Record
from tests.documents.written import PLAN_TEXT, PLAN_TEXTS, SITE_TEXT

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
        *[
            "any:",
            "all: [",
            "{day: [sat]}",
            "time: 17:00-23:00",
            "80%",
            "E",
            "metered 40/min",
            "wave in 5s",
            "{inside",
            "case:",
            "zone: hall",
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


def check(site: bytes, *plans: bytes) -> Loaded | None:
    faults: tuple[Fault, ...] = ()
    loaded = None
    try:
        loaded = compile_sources(Source("s.yaml", site), [Source("p.yaml", plan) for plan in plans])
    except DocumentErrors as errors:
        faults = errors.faults or (Fault("", 0, 0, "", ""),)
    for fault in faults:
        assert fault.file in ("s.yaml", "p.yaml")
        assert fault.line >= 1
        assert fault.column >= 1
        assert "\n" not in str(fault)
        assert len(str(fault)) < 2000
    return loaded


@pytest.mark.slow
@settings(max_examples=300)
@given(damaged(SITE_TEXT), damaged(PLAN_TEXT))
def test_damaged_documents_give_faults_and_nothing_else(site: str, plan: str) -> None:
    check(site.encode("utf-8", "surrogatepass"), plan.encode("utf-8", "surrogatepass"))


@settings(max_examples=200)
@given(st.sampled_from(PLAN_TEXTS[1:]).flatmap(damaged))
def test_a_damaged_companion_gives_faults_and_nothing_else(companion: str) -> None:
    check(SITE_TEXT.encode(), PLAN_TEXT.encode(), companion.encode("utf-8", "surrogatepass"))


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


VALUES = {
    "zone": ["hall", "stage", "yard", "steps-below", "site", "nowhere"],
    "gate": ["door-1", "turnstile", "door-9"],
    "link": ["steps", "back-door"],
    "counter": ["any", "camera", "beam-1"],
    "site": ["pier", "Pier"],
    "plan": ["stairs"],
    "stage": ["full"],
    "time": ["17:00-23:00", "23:00-02:00", "17:00"],
    "measure": [measure.value for measure in Measure],
    "direction": ["in", "out", "both"],
    "within": ["15m", "0s"],
    "enter": ["1", "40", "300", "2.5", "80%", "120%", "E", "F", "x"],
    "clear": ["-3", "0", "20", "250", "1.5", "60%", "D", "x"],
    "clear_measure": ["occupancy", "occupancy_lower"],
    "health": ["silent", "stuck"],
    "hold": ["0s", "10s", "soon"],
}
KEYS = {
    "zone": ["measure", "enter", "clear", "hold"],
    "gate": ["measure", "enter", "clear", "hold", "direction"],
    "link": ["measure", "enter", "clear", "hold"],
    "counter": ["health", "hold"],
    "site": ["stage", "hold", "plan"],
    "time": [],
}
DAY_LISTS = st.lists(st.sampled_from(["mon", "sat", "holiday", "workday", "gala", "gale"]), min_size=1, max_size=3)


@st.composite
def leaf(draw: st.DrawFn) -> dict[str, object]:
    """A condition that is nearly right, or wholly."""
    lead = draw(st.sampled_from([*KEYS, "day"]))
    if lead == "day":
        return {"day": draw(DAY_LISTS)}
    keys = {lead, *KEYS[lead]}
    keys ^= draw(st.sets(st.sampled_from(sorted(VALUES)), max_size=draw(st.sampled_from([0, 0, 1, 2]))))
    return {key: draw(st.sampled_from(VALUES[key])) for key in sorted(keys)}


GROUPS = st.recursive(
    leaf(),
    lambda inner: st.builds(lambda key, group: {key: group}, st.sampled_from(["any", "all"]), st.lists(inner, min_size=1, max_size=4)),
    max_leaves=12,
)
WHENS = st.builds(lambda key, group: {key: group}, st.sampled_from(["any", "all"]), st.lists(GROUPS, min_size=1, max_size=4))


@pytest.mark.slow
@settings(max_examples=400)
@given(st.lists(WHENS, min_size=1, max_size=4))
def test_any_conditions_give_faults_or_a_record_of_the_promised_shape(whens: list[dict[str, object]]) -> None:
    head = PLAN_TEXT[: PLAN_TEXT.index("  - stage: busy")]
    stage = "  - {{stage: s{0}, title: {{zh: 高, en: Up}}, dwell: 1m, gates: {{others: out, turnstile: closed}}, when: {1}}}\n"
    plan = (head + "".join(stage.format(i, json.dumps(when)) for i, when in enumerate(whens))).encode()
    loaded = check(SITE_TEXT.encode(), plan)
    if loaded is not None:
        msgspec.convert(loaded.site, Record)
