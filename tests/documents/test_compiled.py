"""The compiled record: its shape, its order, its defaults, and that nothing but the documents' content decides its bytes."""

from __future__ import annotations

import hashlib
import json
import random
from datetime import UTC, datetime
from functools import cache
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowwatch.core import alerts, clocks
from flowwatch.core.entries import canonical
from flowwatch.core.gates import Mode
from flowwatch.core.network import compile_network, utc_offset
from flowwatch.core.terms import SOURCES, compile_terms
from flowwatch.documents import Loaded, Source, alternatives, compile_sources, find, load, shipped, words
from flowwatch.documents.compiled import in_order, offsets
from flowwatch.documents.conditions import OCCUPANCIES, Measure
from flowwatch.documents.site import LostMode
from flowwatch.documents.templates import PLACEHOLDERS
from flowwatch.documents.words import SIMPLE_MODES
from tests.documents.record import Record
from tests.documents.written import COMPANIONS, HERE, PLAN, PLAN_TEXTS, PLANS, SITE, SITE_TEXT, dumped, raw, shuffled

SECOND = 1_000_000
FROM, UNTIL = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (2000, 2051))


def named(things: list[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    return {thing[kind]: thing for thing in things}


@pytest.mark.determinism
def test_the_example_compiles_to_the_record_that_was_reviewed() -> None:
    site = load(SITE, PLANS).site
    del site["offsets"]
    for plan in site["plans"]:
        del plan["days_until"]
        plan["days"] = {name: spans for name, spans in plan["days"].items() if name not in ("holiday", "makeup")}
    assert json.dumps(site, ensure_ascii=False, indent=1) + "\n" == (HERE / "good" / "hall.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("pair", [*find(shipped()), *alternatives(shipped())], ids=lambda pair: pair[0].stem)
def test_every_shipped_document_compiles_to_a_record_of_the_promised_shape(pair: Any) -> None:
    loaded = load(*pair)
    msgspec.convert(loaded.site, Record)


def test_the_record_has_the_promised_shape_with_any_number_of_plans() -> None:
    for plans in ([], [PLAN], PLANS):
        record = msgspec.convert(load(SITE, plans).site, Record)
        assert len(record.plans) == len(plans)


def test_the_main_plan_comes_first_and_then_the_others_by_name() -> None:
    assert [plan["plan"] for plan in load(SITE, [PLAN, *reversed(COMPANIONS)]).site["plans"]] == ["evening", "flood", "gala", "steps"]


def test_the_payload_is_the_canonical_record_and_the_version_is_its_digest() -> None:
    loaded = load(SITE, [PLAN])
    assert loaded.payload == canonical(loaded.site)
    assert loaded.version == hashlib.sha256(loaded.payload).hexdigest()[:12]


@cache
def as_written() -> Loaded:
    return load(SITE, PLANS)


@pytest.mark.determinism
@given(st.integers(0, 2**32))
def test_the_order_of_keys_in_the_files_means_nothing(seed: int) -> None:
    chance = random.Random(seed)
    site, *plans = (dumped(shuffled(raw(text), chance)) for text in (SITE_TEXT, *PLAN_TEXTS))
    again = compile_sources(Source("s", site.encode()), [Source("p", plan.encode()) for plan in plans])
    assert again == as_written()


def test_the_engine_takes_the_record() -> None:
    loaded = load(SITE, PLANS)
    network = compile_network([(loaded.version, loaded.site)], [f"hall/{c['counter']}" for c in loaded.site["counters"]])
    assert network.zones == ("hall/hall", "hall/steps-below", "hall/stage", "hall/yard")
    terms = compile_terms(network)
    assert [plan["plan"] for plan in terms.plans] == ["evening", "flood", "gala", "steps"]
    assert len(terms.leaves) == sum(
        len(part["leaves"])
        for plan in loaded.site["plans"]
        for part in [*plan["stages"], *plan["degraded"], *([plan["case"]] if plan["case"] else [])]
    )


def test_zones_come_after_those_that_they_lie_in() -> None:
    text = SITE_TEXT.replace(
        "  hall: {title", "  zz: {title: {zh: 外, en: Outer}, area_m2: 1000, capacity: 400}\n  hall: {inside: zz, title", 1
    )
    zones = compile_sources(Source("s", text.encode())).site["zones"]
    assert [z["zone"] for z in zones] == ["steps-below", "zz", "hall", "stage", "yard"]


def test_names_with_numbers_stand_in_the_order_in_which_people_count() -> None:
    assert in_order(["gate-10", "gate-9", "door", "gate-1", "9", "10"]) == ["9", "10", "door", "gate-1", "gate-9", "gate-10"]


@given(st.lists(st.text("ab019-", min_size=1, max_size=6), unique=True))
def test_the_order_of_names_is_total(names: list[str]) -> None:
    assert in_order(names) == in_order(reversed(names))


def test_what_is_left_out_gets_its_documented_value() -> None:
    site = load(SITE, [PLAN]).site
    gates, counters = named(site["gates"], "gate"), named(site["counters"], "counter")
    assert gates["door-1"]["from"] == "outside"
    assert [gates[g]["on_lost"] for g in ("door-1", "door-2", "turnstile")] == ["out", "both", "closed"]
    assert gates["door-1"]["lane_per_min"] == 25
    assert counters["beam-1"]["lateness_us"] == 120 * SECOND
    assert counters["beam-1"]["error_ppm"] == 5000
    assert counters["beam-1"]["max_per_min"] == 2 * 60
    assert counters["line"]["max_per_min"] == 3 * 123
    assert counters["beam-3"]["max_per_min"] == 90
    assert counters["camera"]["max_per_min"] == 0
    assert counters["beam-1"]["coverage_ppm"] == 1_000_000
    assert (gates["door-1"]["delivery"], gates["door-2"]["delivery"]) == ("automatic", "confirm")
    assert site["plans"][0]["stages"][1]["leaves"][0]["clear_source"] == "occupancy_upper"
    assert site["plans"][0]["stages"][1]["confirm"] == {
        "rise": {"by": None, "within_us": None, "otherwise": "apply"},
        "fall": {"by": "officer_in_charge", "within_us": None, "otherwise": "keep"},
    }


def test_a_site_that_names_no_group_is_its_own() -> None:
    text = SITE_TEXT.replace("group: riverside\n", "")
    assert compile_sources(Source("s", text.encode())).site["group"] == "hall"


def test_dates_are_moments_on_the_clocks_of_the_site() -> None:
    site = load(SITE, [PLAN]).site
    line = named(site["counters"], "counter")["line"]
    paris = ZoneInfo("Europe/Paris")
    assert line["valid_to_us"] == int(datetime(2026, 1, 1, tzinfo=paris).timestamp()) * SECOND
    assert line["valid_from_us"] == int(datetime(2025, 3, 30, 2, 30, tzinfo=paris).timestamp()) * SECOND
    assert site["plans"][0]["valid_to_us"] == line["valid_to_us"]


@pytest.mark.parametrize(
    "zone", ["Asia/Shanghai", "Europe/Paris", "America/St_Johns", "Africa/Casablanca", "Australia/Lord_Howe", "Pacific/Apia", "UTC"]
)
@given(second=st.integers(FROM, UNTIL - 1))
def test_the_offsets_say_what_the_time_zone_says_at_any_moment(zone: str, second: int) -> None:
    shift = datetime.fromtimestamp(second, ZoneInfo(zone)).utcoffset()
    assert shift is not None
    assert utc_offset({"offsets": offsets(zone)}, second * SECOND) == shift.total_seconds() * SECOND


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "Europe/Paris", "Africa/Casablanca", "Australia/Lord_Howe"])
def test_the_offsets_change_at_the_very_second(zone: str) -> None:
    table = offsets(zone)
    assert table[0][0] == FROM * SECOND
    for (_, before), (since, after) in pairwise(table):
        at = since // SECOND
        shifts = [datetime.fromtimestamp(t, ZoneInfo(zone)).utcoffset() for t in (at - 1, at)]
        assert [shift.total_seconds() for shift in shifts if shift is not None] == [before, after]


def test_shanghai_has_one_offset() -> None:
    assert offsets("Asia/Shanghai") == ((946_684_800 * SECOND, 28_800),)


def test_the_words_of_the_documents_are_the_engines() -> None:
    assert set(SOURCES) == {*OCCUPANCIES, Measure.BAND_WIDTH}
    assert {*SIMPLE_MODES, "metered", "wave"} == {mode.value for mode in Mode}
    assert {mode.value for mode in LostMode} == set(SIMPLE_MODES)
    assert words.WEEKDAYS == clocks.WEEKDAYS
    assert tuple(PLACEHOLDERS) == alerts.PLACES


def test_yuyuans_stages_turn_the_gates_as_the_district_reported() -> None:
    ((site_file, plan_files),) = [pair for pair in find(shipped()) if pair[0].stem == "yuyuan"]
    site = load(site_file, plan_files).site
    normal, three_in_five_out, exit_only = site["plans"][0]["stages"]
    assert len(site["gates"]) == 8
    assert set(normal["gates"].values()) == {"both"}
    assert [g for g, mode in three_in_five_out["gates"].items() if mode == "in"] == ["gate-2", "gate-3", "gate-5"]
    assert sorted(three_in_five_out["gates"].values()) == ["in"] * 3 + ["out"] * 5
    assert set(exit_only["gates"].values()) == {"out"}
    assert [(t["enter_m"], t["measure"]) for s in (three_in_five_out, exit_only) for t in s["leaves"]] == [
        (1_500_000, "occupancy"),
        (3_000_000, "occupancy_upper"),
    ]


def leaf(condition: str) -> dict[str, Any]:
    """The compiled leaf of a condition in a stage of a plan for the hall (400 people, 900 m2) with its stage (80.5 m2)."""
    plan = "\n".join(
        (
            "plan: p",
            "site: hall",
            "title: {zh: 一, en: One}",
            "stages:",
            "  - {stage: calm, title: {zh: 平时, en: Calm}, gates: {turnstile: in, others: both}}",
            "  - {stage: up, title: {zh: 高, en: Up}, dwell: 1m, gates: {turnstile: closed, others: out}, when: {any: ["
            + condition
            + "]}}",
        )
    )
    stage = compile_sources(Source("s", SITE_TEXT.encode()), [Source("p", plan.encode())]).site["plans"][0]["stages"][1]
    assert stage["clauses"] == [[0]]
    (found,) = stage["leaves"]
    return dict(found)


@pytest.mark.parametrize(
    ("condition", "bars", "sources"),
    [
        ("zone: hall, measure: occupancy_lower, enter: 300, clear: 250", (300_000, 250_000), ("occupancy_lower", "occupancy_upper")),
        ("zone: hall, measure: capacity_share, enter: 80%, clear: 72.5%", (320_000, 290_000), ("occupancy", "occupancy_upper")),
        ("zone: site, measure: capacity_share, enter: 50%, clear: 45%", (200_000, 180_000), ("occupancy", "occupancy_upper")),
        ("zone: stage, measure: density, enter: 2, clear: 0.5", (161_000, 40_250), ("occupancy", "occupancy_upper")),
        ("zone: hall, measure: level_of_service, enter: E, clear: C", (972_000, 387_000), ("occupancy", "occupancy_upper")),
        ("zone: steps-below, measure: queue, enter: 90, clear: 50", (90_000, 50_000), ("occupancy", "occupancy_upper")),
        ("zone: hall, measure: band_width, enter: 90, clear: 50", (90_000, 50_000), ("band_width", "band_width")),
        ("zone: hall, measure: net_flow, enter: 40, clear: 0", (40_000, 0), ("net_flow", "net_flow")),
        ("gate: door-1, measure: specific_flow, enter: 60, clear: 45.5", (120_000, 91_000), None),
        ("link: steps, measure: opposing_flow, enter: 60, clear: 45", (60_000, 45_000), None),
    ],
)
def test_bars_are_scaled_to_thousandths_of_a_person(condition: str, bars: tuple[int, int], sources: tuple[str, str] | None) -> None:
    made = leaf("{" + condition + ", hold: 10s}")
    assert (made["enter_m"], made["clear_m"]) == bars
    assert sources is None or (made["source"], made["clear_source"]) == sources


def test_a_time_that_passes_midnight_ends_before_it_begins_in_the_record() -> None:
    assert leaf('{time: "22:00-05:30"}') == {"kind": "time", "from_s": 79_200, "until_s": 19_800}
    assert leaf('{time: "22:00-24:00"}') == {"kind": "time", "from_s": 79_200, "until_s": 0}


def test_conditions_that_say_the_same_are_one_leaf() -> None:
    stage = load(SITE, [PLAN]).site["plans"][0]["stages"][2]
    assert stage["clauses"][-2:] == [[9, 10, 11], [9, 10, 12]]
    assert len(stage["leaves"]) == 13
