"""The compiled record: its shape, its order, its defaults, and that nothing but the documents' content decides its bytes."""

from __future__ import annotations

import hashlib
import json
import random
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowwatch.core.entries import canonical
from flowwatch.core.gates import Mode
from flowwatch.core.network import compile_network, utc_offset
from flowwatch.core.plan import MEASURES, compile_terms
from flowwatch.documents import Source, compile_sources, find, load, shipped
from flowwatch.documents.compiled import in_order, offsets
from flowwatch.documents.plan import Measure
from tests.documents.record import Record
from tests.documents.written import HERE, PLAN, PLAN_TEXT, SITE, SITE_TEXT, dumped, raw, shuffled

SECOND = 1_000_000
FROM, UNTIL = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (2000, 2051))


def named(things: list[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    return {thing[kind]: thing for thing in things}


@pytest.mark.determinism
def test_the_example_compiles_to_the_record_that_was_reviewed() -> None:
    site = load(SITE, PLAN).site
    del site["offsets"]
    assert json.dumps(site, ensure_ascii=False, indent=1) + "\n" == (HERE / "good" / "hall.json").read_text(encoding="utf-8")


@pytest.mark.parametrize("pair", find(shipped()), ids=lambda pair: pair[0].stem)
def test_every_shipped_document_compiles_to_a_record_of_the_promised_shape(pair: Any) -> None:
    loaded = load(*pair)
    msgspec.convert(loaded.site, Record)


def test_the_record_has_the_promised_shape_with_and_without_a_plan() -> None:
    for plan in (PLAN, None):
        record = msgspec.convert(load(SITE, plan).site, Record)
        assert (record.plan is None) == (plan is None)


def test_the_payload_is_the_canonical_record_and_the_version_is_its_digest() -> None:
    loaded = load(SITE, PLAN)
    assert loaded.payload == canonical(loaded.site)
    assert loaded.version == hashlib.sha256(loaded.payload).hexdigest()[:12]


@pytest.mark.determinism
@given(st.integers(0, 2**32))
def test_the_order_of_keys_in_the_files_means_nothing(seed: int) -> None:
    chance = random.Random(seed)
    site, plan = (dumped(shuffled(raw(text), chance)) for text in (SITE_TEXT, PLAN_TEXT))
    again = compile_sources(Source("s", site.encode()), Source("p", plan.encode()))
    assert again == load(SITE, PLAN)


def test_the_engine_takes_the_record() -> None:
    loaded = load(SITE, PLAN)
    network = compile_network([(loaded.version, loaded.site)], [f"hall/{c['counter']}" for c in loaded.site["counters"]])
    assert network.zones == ("hall/hall", "hall/stage", "hall/yard")
    assert len(compile_terms(network).names) == 3


def test_zones_come_after_those_that_they_lie_in() -> None:
    text = SITE_TEXT.replace(
        "  hall: {title", "  zz: {title: {zh: 外, en: Outer}, area_m2: 1000, capacity: 400}\n  hall: {inside: zz, title", 1
    )
    zones = compile_sources(Source("s", text.encode()), None).site["zones"]
    assert [z["zone"] for z in zones] == ["zz", "hall", "stage", "yard"]


def test_names_with_numbers_stand_in_the_order_in_which_people_count() -> None:
    assert in_order(["gate-10", "gate-9", "door", "gate-1", "9", "10"]) == ["9", "10", "door", "gate-1", "gate-9", "gate-10"]


@given(st.lists(st.text("ab019-", min_size=1, max_size=6), unique=True))
def test_the_order_of_names_is_total(names: list[str]) -> None:
    assert in_order(names) == in_order(reversed(names))


def test_what_is_left_out_gets_its_documented_value() -> None:
    site = load(SITE, PLAN).site
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
    assert site["plan"]["stages"][1]["any"][0]["clear_measure"] == "occupancy_upper"


def test_a_site_that_names_no_group_is_its_own() -> None:
    text = SITE_TEXT.replace("group: riverside\n", "")
    assert compile_sources(Source("s", text.encode()), None).site["group"] == "hall"


def test_dates_are_moments_on_the_clocks_of_the_site() -> None:
    site = load(SITE, PLAN).site
    line = named(site["counters"], "counter")["line"]
    paris = ZoneInfo("Europe/Paris")
    assert line["valid_to_us"] == int(datetime(2026, 1, 1, tzinfo=paris).timestamp()) * SECOND
    assert line["valid_from_us"] == int(datetime(2025, 3, 30, 2, 30, tzinfo=paris).timestamp()) * SECOND
    assert site["plan"]["valid_to_us"] == line["valid_to_us"]


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
    assert sorted(Measure) == sorted(MEASURES)
    assert {mode.value for mode in Mode} == {"in", "out", "both", "closed"}


def test_yuyuans_stages_turn_the_gates_as_the_district_reported() -> None:
    ((site_file, plan_file),) = [pair for pair in find(shipped()) if pair[0].stem == "yuyuan"]
    site = load(site_file, plan_file).site
    normal, three_in_five_out, exit_only = site["plan"]["stages"]
    assert len(site["gates"]) == 8
    assert set(normal["gates"].values()) == {"both"}
    assert [g for g, mode in three_in_five_out["gates"].items() if mode == "in"] == ["gate-2", "gate-3", "gate-5"]
    assert sorted(three_in_five_out["gates"].values()) == ["in"] * 3 + ["out"] * 5
    assert set(exit_only["gates"].values()) == {"out"}
    assert [(t["enter_m"], t["measure"]) for s in (three_in_five_out, exit_only) for t in s["any"]] == [
        (1_500_000, "occupancy"),
        (3_000_000, "occupancy_upper"),
    ]
