"""Several sites on one day: nobody is lost between them, their plans look at each other within the day, and each site's luck is its own."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from flowwatch.core.entries import canonical
from flowwatch.core.settings import Setting
from flowwatch.documents import DocumentErrors, Source, find, load, shipped
from flowwatch_sim.cli.main import main
from flowwatch_sim.laboratory import Day, Laboratory
from flowwatch_sim.passages import Between
from flowwatch_sim.planned import Planned, read_scenario
from flowwatch_sim.stream import records
from flowwatch_sim.variants import BadBarsError, varied
from tests.simulators.test_laboratory import same

TOP = """
scenario: riverfront
title: {zh: 滨江, en: Riverfront}
starts: 2026-03-05 18:00
lasts: 30m
"""
STREET = "streams: [{stream: strollers, people: 1500, template: even, stay: 5m}]\n"
RIVER = "streams: [{stream: visitors, people: 1200, template: even, zone: embankment, stay: 10m}]\n"
TOGETHER = f"""{TOP}
sites:
  - site: nanjing-road
    {STREET}
  - site: bund
    {RIVER}
passages:
  - {{from: nanjing-road/henan-east, to: bund/henan-cordon, share: 0.7, walk: 2m, as: visitors}}
"""
BACK = "  - {from: bund/henan-cordon, to: nanjing-road/henan-east, share: 0.5, walk: 90s, as: strollers}\n"
SETTINGS = ["in", "out", "both", "metered 40/min", "metered 60/min both", "wave in 50s hold 10s out 60s"]


@cache
def read(text: str) -> Planned:
    return read_scenario(Source("riverfront.yaml", text.encode()), shipped())


def faults(text: str) -> list[str]:
    with pytest.raises(DocumentErrors) as caught:
        read_scenario(Source("riverfront.yaml", text.encode()), shipped())
    return [str(fault) for fault in caught.value.faults]


def run(*arguments: str | Path | int, code: int = 0) -> tuple[str, str]:
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    assert result.exit_code == code, result.output
    return result.stdout, result.stderr


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "riverfront.yaml"
    path.write_text(TOGETHER + BACK, encoding="utf-8")
    return path


# -- people -------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_everybody_who_came_is_somewhere_at_every_moment_over_both_sites(seed: int) -> None:
    print("seed", seed)
    luck, planned = np.random.default_rng(seed), read(TOGETHER + BACK)
    between = Between(planned.sites, planned.passages, seed)
    street = 0
    for step in range(1, 361):
        now = step * 10.0
        between.announce(now)
        for world in between.worlds:
            world.advance(now)
        between.collect()
        if step % 12 == 0 and step < 240:
            world = between.worlds[int(luck.integers(2))]
            word = SETTINGS[int(luck.integers(len(SETTINGS)))]
            world.set_gate(int(luck.integers(len(world.lanes))), Setting.parse(word), now)
        street = sum(world.came for world in between.worlds) - sum(between.arrived)
        here = sum(sum(w.outside) + w.walking + w.passing + w.present + w.left + w.turned for w in between.worlds)
        assert street == here - sum(between.went_on) + between.walking
        assert between.walking == sum(between.went_on) - sum(between.arrived) >= 0
    assert street == sum(int(np.isfinite(world.people.came).sum()) for world in between.worlds)
    assert min(between.arrived) > 10


def test_who_walks_over_arrives_after_the_walk_and_not_before() -> None:
    planned = read(TOGETHER)
    between = Between(planned.sites, planned.passages, 1)
    left: list[float] = []
    for step in range(1, 181):
        between.announce(step * 10.0)
        for world in between.worlds:
            world.advance(step * 10.0)
        before = between.walking
        between.collect()
        left += [at for at, gate, _ in between.worlds[0].leavers if gate == planned.passages[0].gate][: between.walking - before]
        assert between.arrived[1] == between.went_on[0] - between.walking
        assert all(at < step * 10.0 <= at + 120.0 for at in left[len(left) - between.walking :])


def test_a_share_of_none_or_all_is_what_it_says() -> None:
    for share, expected in (("0.0", 0.0), ("1.0", 1.0)):
        planned = read(TOGETHER.replace("share: 0.7", f"share: {share}"))
        street, river = Laboratory(planned, [1], "perfect").run()
        assert street.came - street.left - street.turned_away - street.still_inside == 0
        assert (street.went_on > 0) == (river.arrived > 0) == bool(expected)


def test_a_greater_share_takes_those_of_a_smaller_one_and_more() -> None:
    few, many = (read(TOGETHER.replace("share: 0.7", f"share: {share}")) for share in ("0.3", "0.6"))
    sizes = [len(Between(p.sites, p.passages, 5).worlds[1].people) for p in (few, many)]
    luck = [set(Between(p.sites, p.passages, 5).worlds[1].people.luck.tolist()) for p in (few, many)]
    assert luck[0] < luck[1]
    assert sizes[0] < sizes[1]


# -- the same day -------------------------------------------------------------------------------------------------------------------------


@pytest.mark.determinism
def test_a_day_of_two_sites_is_the_same_alone_and_among_others() -> None:
    planned = read(TOGETHER + BACK)
    alone, among = Laboratory(planned, [3]).run(), Laboratory(planned, [1, 3]).run()
    assert len(among) == 4
    for site in (0, 1):
        assert same(alone[site], among[2 + site])
        assert not same(among[site], among[2 + site])


def test_a_site_to_which_nobody_comes_over_lives_the_day_that_it_lives_alone() -> None:
    (alone,) = Laboratory(read(f"{TOP}site: nanjing-road\n{STREET}"), [3]).run()
    street, _ = Laboratory(read(TOGETHER), [3]).run()
    assert street.went_on > 0
    assert same(alone, replace(street, went_on=0))


def test_sites_of_one_day_have_luck_of_their_own() -> None:
    planned = read(TOGETHER)
    worlds = Between(planned.sites, planned.passages, 3).worlds
    assert not set(worlds[0].people.luck.tolist()) & set(worlds[1].people.luck.tolist())


# -- plans --------------------------------------------------------------------------------------------------------------------------------


def begins(day: Day, plan: str, stage: str) -> list[float]:
    return [at for at, p, s in day.stages if (p, s) == (plan, stage)]


def test_the_stage_of_one_site_brings_about_the_case_of_the_other() -> None:
    held = "    actions: [{at: 5m, override: {stage: remote_hold, until: 20m}}]\n"
    street, river = Laboratory(read(TOGETHER.replace("passages:", f"{held}passages:")), [1], "perfect").run()
    (asked,) = begins(street, "bund-hold", "led_away")
    assert begins(river, "bund", "remote_hold") == [300.0]
    assert asked == 330.0
    assert ("xizang-west", "metered 400/min both") in {(gate, setting) for at, gate, setting in street.settings if at >= asked}
    assert [at for at, plan, stage in street.stages if plan == "bund-hold" and stage is None]


def test_plans_look_at_the_other_site_of_their_own_day_only() -> None:
    planned = read(TOGETHER)
    zone = planned.beside[0].layout.zones.index("embankment")
    peaks = [int(day.inside[:, zone].max()) for day in Laboratory(planned, [1, 2], "perfect").run()[1::2]]
    assert abs(peaks[0] - peaks[1]) > 20
    record = json.loads(planned.beside[0].loaded.payload)
    for stage in record["plans"][0]["stages"]:
        if stage["stage"] == "remote_hold":
            leaf: dict[str, Any] = stage["leaves"][0]
            leaf["enter_m"], leaf["clear_m"] = sum(peaks) // 2 * 1000, 1000
    loaded = replace(planned.beside[0].loaded, site=record, payload=canonical(record))
    moved = replace(planned, beside=(replace(planned.beside[0], loaded=loaded),))
    days = Laboratory(moved, [1, 2], "perfect").run()
    for i, peak in enumerate(peaks):
        held = peak == max(peaks)
        assert bool(begins(days[2 * i + 1], "bund", "remote_hold")) == held
        assert bool(begins(days[2 * i], "bund-hold", "led_away")) == held


def test_bars_are_moved_at_the_site_that_is_named() -> None:
    planned = read(TOGETHER)
    moved = varied(planned, (("bund.remote_hold", 41000),))
    assert moved.loaded.version == planned.loaded.version
    assert moved.beside[0].loaded.version != planned.beside[0].loaded.version
    with pytest.raises(BadBarsError, match=r"expected a site and its stage such as bund\.exit_only"):
        varied(planned, (("remote_hold", 41000),))


# -- the file -----------------------------------------------------------------------------------------------------------------------------


def test_names_are_those_of_the_site_under_which_they_stand() -> None:
    told = faults(TOGETHER.replace("zone: embankment", "zone: east"))
    assert len(told) == 1
    assert 'found "east", but there is no such zone in ' in told[0]
    assert told[0].startswith("riverfront.yaml:12:")


def test_every_fault_of_the_passages_comes_with_its_place() -> None:
    told = faults(TOGETHER.replace("henan-east, to: bund/henan-cordon", "henan-est, to: nanjing-road/shanxi") + BACK.replace("90s", "5s"))
    assert [fault.split(": ", 2)[1] for fault in told] == ["passages[0].from", "passages[0].to", "passages[0].as", "passages[1].walk"]
    assert 'did you mean "nanjing-road/henan-east"?' in told[0]
    assert "expected one of another site" in told[1]
    assert "expected 10s at least" in told[3]


def test_what_all_sites_share_stands_once_at_the_top() -> None:
    told = faults(TOGETHER.replace("  - site: bund\n", "  - site: bund\n    lasts: 1h\n"))
    assert 'sites[1].lasts: found "lasts" of one site, expected it once at the top, for all of them' in told[0]


def test_a_site_stands_once_and_never_alone() -> None:
    assert "expected it once" in faults(TOGETHER.replace("site: bund", "site: nanjing-road"))[0]
    assert "expected two sites or more" in faults(f"{TOP}sites: [{{site: bund, {RIVER.strip()}}}]\n")[0]


def test_sites_of_two_groups_are_no_day_together() -> None:
    told = faults(TOGETHER.replace("site: nanjing-road", "site: yuyuan").replace("nanjing-road/henan-east", "yuyuan/gate-1"))
    assert "expected sites of one group" in told[0]


# -- commands -----------------------------------------------------------------------------------------------------------------------------


def test_a_run_tells_of_each_site_and_of_its_expectations(file: Path, tmp_path: Path) -> None:
    text = file.read_text(encoding="utf-8").replace(
        "passages:", "    expect: {most: {embankment: 10}, plans: {stairs: relieve}}\npassages:"
    )
    file.write_text(text, encoding="utf-8")
    out, told = run("run", file, "--runs", 1, "--processes", 1, "--out", tmp_path / "out", code=1)
    assert "riverfront at nanjing-road, " in out
    assert "riverfront at bund, " in out
    assert "came from another site" in out
    assert "seed 1: bund: most.embankment: expected at most 10, found " in told
    assert "seed 1: bund: plans.stairs: expected relieve, found open" in told
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["site"] == "nanjing-road+bund"
    assert "+" in manifest["setups"][0]["documents"]


def test_two_kinds_of_counters_are_compared_site_by_site(file: Path) -> None:
    out, _ = run("compare", file, "--sensing", "perfect", "--sensing", "real", "--runs", 2, "--processes", 1)
    assert "peak/nanjing-road.east" in out
    assert "queue_most/bund" in out


def test_a_page_is_refused_for_several_sites_before_a_day_is_lived(file: Path, tmp_path: Path) -> None:
    _, told = run("run", file, "--report", tmp_path / "page.html", code=2)
    assert "--report: found a scenario of nanjing-road and bund, expected one of a single site" in told


@pytest.mark.slow
def test_one_of_the_sites_is_drawn(file: Path, tmp_path: Path) -> None:
    run("animate", file, "--site", "bund", "--out", tmp_path / "day.gif")
    assert (tmp_path / "day.gif").read_bytes().startswith(b"GIF89a")
    _, told = run("animate", file, "--site", "bond", "--out", tmp_path / "no.gif", code=2)
    assert 'did you mean "bund"?' in told


def test_emit_sends_the_readings_of_both_sites(file: Path, tmp_path: Path) -> None:
    lines, truth, files = tmp_path / "readings.ndjson", tmp_path / "truth.ndjson", tmp_path / "documents"
    run("emit", file, "--out", lines, "--truth", truth, "--sites", 2, "--days", 1, "--site-files", files)
    sent = {json.loads(line)["counter"] for line in lines.read_text(encoding="utf-8").splitlines()}
    sites = {"nanjing-road-00000", "bund-00000", "nanjing-road-00001", "bund-00001"}
    assert {str(counter).split("/")[0] for counter in sent} == sites
    assert {"nanjing-road-00001/line-xizang", "bund-00001/line-henan"} <= sent
    assert "bund-00001/line-xizang" not in sent
    assert {json.loads(line)["site"] for line in truth.read_text(encoding="utf-8").splitlines()} == sites
    records_ = {str(r["site"]): r for r in (load(*found).site for found in find(files))}
    assert {r["group"] for site, r in records_.items() if site.endswith("1")} == {"huangpu-riverfront-00001"}
    assert "bund-00001" in json.dumps(records_["nanjing-road-00001"]["plans"])


def test_what_leaves_by_one_site_s_counter_arrives_at_the_other_s() -> None:
    planned = read(TOGETHER.replace("share: 0.7", "share: 1.0").replace("people: 1200", "people: 1"))
    street, river = records(planned, 1, "perfect")
    here, there = ([c["counter"] for c in place.layout.site["counters"]] for place in planned.sites)
    out = int(street.egress[street.counter == here.index("line-henan")].sum())
    into = int(river.ingress[river.counter == len(here) + there.index("line-henan")].sum())
    assert 0.8 * out < into <= out + 1
