"""A day as a moving map: the same bytes each time, zones as large as they are, everything on the page."""

from __future__ import annotations

from functools import cache
from math import isclose
from pathlib import Path

import pytest

from flowwatch.documents import find, load, shipped
from flowwatch_sim.animation import HIGH, WIDE, animate, boxes, spots, times
from flowwatch_sim.laboratory import Day, Laboratory
from flowwatch_sim.layout import Layout, layout
from flowwatch_sim.planned import Planned, read_scenario
from tests.simulators.made import setup

SITES = [pytest.param(files, id=files[0].stem) for files in find(shipped())]


@cache
def day() -> tuple[Day, Planned]:
    short = setup()
    text = short.text.data.replace(b"lasts: 2h", b"lasts: 20m").replace(b"people: 5200", b"people: 900")
    planned = read_scenario(type(short.text)(short.text.name, text), short.root, short.plan)
    return Laboratory(planned, [3], "perfect").run()[0], planned


@pytest.mark.determinism
def test_a_day_gives_the_same_bytes_each_time(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image", reason="matplotlib is not installed: animations need flowwatch-crowd[plots]")
    files = [tmp_path / "one.gif", tmp_path / "two.gif"]
    assert [animate(*day(), file, "zh", frames=4) for file in files] == [4, 4]
    assert files[0].read_bytes() == files[1].read_bytes()
    with image.open(files[0]) as picture:
        assert (picture.format, picture.n_frames) == ("GIF", 4)


def test_moments_are_whole_minutes_and_end_with_the_day() -> None:
    assert times(1200, 4) == [300.0, 600.0, 900.0, 1200.0]
    assert times(90, 84) == [60.0]


@pytest.mark.parametrize("files", SITES)
def test_areas_are_true_to_each_other_and_nothing_leaves_the_map(files: tuple[Path, list[Path]]) -> None:
    here: Layout = layout(load(*files).site)
    places = boxes(here)
    whole = [i for i, held in enumerate(here.held) if len(held) == 1]
    per_m2 = [places[i].w * places[i].h / here.area[i] for i in whole]
    assert all(isclose(scale, per_m2[0]) for scale in per_m2)
    for box, held in zip(places, here.held, strict=True):
        outer = places[held[1]] if len(held) > 1 else None
        x, y, w, h = (0.0, 0.0, WIDE, HIGH) if outer is None else (outer.x, outer.y, outer.w, outer.h)
        assert x <= box.x <= box.x + box.w <= x + w
        assert y <= box.y <= box.y + box.h <= y + h
    found = spots(here, places)
    assert len(found) == len(here.gates)
    assert len({(spot.x, spot.y) for spot in found}) == len(found)
