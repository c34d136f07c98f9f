"""Import documents: what is wrong with one is told all at once, each fault with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowwatch.adapters.mapping import RULES, Import, load_import
from flowwatch.documents.faults import DocumentErrors
from flowwatch.documents.load import Source, read_document
from flowwatch.documents.shelf import shipped

GOOD = """\
import: gates
title: {zh: 闸机, en: Gates}
time: {from: "{when}", format: "%Y-%m-%d %H:%M", zone: Asia/Shanghai}
counter: "{gate}"
counts: delta
in: in
out: out
lateness: 5m
"""


def faults(text: str) -> list[str]:
    try:
        read_document(Source("gates.yaml", text.encode()), Import, RULES)
    except DocumentErrors as errors:
        return [str(fault) for fault in errors.faults]
    return []


def test_every_import_that_ships_is_sound_and_named_after_its_file() -> None:
    files = sorted((shipped() / "config" / "imports").glob("*.yaml"))
    assert {"sail", "grand-central", "calit2", "mta", "shenzhen"} <= {file.stem for file in files}
    assert [load_import(file).import_ for file in files] == [file.stem for file in files]


def test_a_sound_document_has_no_faults_and_belongs_to_the_site_it_names() -> None:
    assert faults(GOOD) == []
    assert read_document(Source("x", GOOD.encode()), Import, RULES).site_name == "gates"
    assert read_document(Source("x", (GOOD + "site: yuyuan\n").encode()), Import, RULES).site_name == "yuyuan"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            ("lateness: 5m", "lateness: 5 min"),
            '8:11: lateness: found "5 min", expected a duration such as 30s, 10m or 2h, at most 720h; did you mean "5m"?',
        ),
        (("lateness: 5m\n", ""), '1:1: lateness: found no "lateness", expected a duration such as 30s, 10m or 2h, at most 720h'),
        (('"{gate}"', '"{gate"'), '4:10: counter: found "{gate", expected a text with columns in braces, such as "{station}-{device}"'),
        (("in: in", 'in: "|"'), '6:5: in: found "|", expected the name of a column'),
        (("counts: delta", "counts: sum"), '5:9: counts: found "sum", expected one of delta, cumulative, absolute'),
        (("counts: delta", "counts: absolute"), "6:5: in: found in with counts: absolute, expected inside"),
        (("in: in\nout: out\n", ""), "1:1: document: found no figures, expected one of: in and out, inside, direction, wide"),
        (("in: in", "inside: in"), "6:9: inside: found inside beside in, expected one of them"),
        (("in: in", "people: in"), "6:9: people: found people without direction, expected it with direction, or in and out instead"),
        ((", zone: Asia/Shanghai", ""), "3:7: time.zone: found no zone for times without an offset, expected one such as Asia/Shanghai"),
        (
            ("Asia/Shanghai", "Shanghai"),
            '3:56: time.zone: found "Shanghai", expected a time zone such as Asia/Shanghai; did you mean "Asia/Shanghai"?',
        ),
        (
            ('"%Y-%m-%d %H:%M"', "yyyy-mm-dd"),
            '3:32: time.format: found "yyyy-mm-dd", expected iso, seconds, milliseconds, microseconds or a pattern',
        ),
        (('"%Y-%m-%d %H:%M"', "seconds"), "3:47: time.zone: found a zone with format: seconds, expected epoch: with the offset in it"),
        (('"{when}"', "when"), "3:14: time.from: found 'when', expected a column in braces"),
        (("counter:", "count:"), '4:1: count: found the unknown key "count"'),
        (('counter: "{gate}"\n', ""), "1:1: counter: found no counter, expected a text with columns in braces"),
        (("out: out", "seq: n\nid: '{n}'"), "8:5: id: found id beside seq, expected one of them"),
        (("out: out", "encoding: gb18030\ndelimiter: pipe"), "8:12: delimiter: found pipe with encoding: gb18030"),
        (
            ("in: in\nout: out", "direction: {column: d, in: [a, b], out: [b]}"),
            "6:36: direction.out: found 'b' in both in and out, expected it in one of them",
        ),
        (("in: in\nout: out", "direction: {column: d}"), "6:12: direction: found neither in nor out, expected the values that mean them"),
        (
            ('counter: "{gate}"\ncounts: delta\nin: in\nout: out', "counts: delta\nwide: {columns: '(?P<gate>.*)'}"),
            '5:17: wide.columns: found "(?P<gate>.*)", expected a regular expression with a group (?P<counter>...)',
        ),
        (
            ("in: in\nout: out", "wide: {columns: '(?P<counter>.*)', in: [a]}"),
            "6:17: wide.columns: found in or out without a group (?P<direction>...), expected the group",
        ),
    ],
)
def test_a_fault_says_where_it_is_what_was_found_and_what_was_expected(change: tuple[str, str], told: str) -> None:
    assert change[0] in GOOD
    found = faults(GOOD.replace(*change))
    assert any(fault.startswith(f"gates.yaml:{told}") for fault in found), found


def test_all_faults_of_a_document_are_told_at_once() -> None:
    text = GOOD.replace("5m", "soon").replace("delta", "deltas").replace("Asia/Shanghai", "Mars/Crater")
    assert [fault.split(":")[1] for fault in faults(text)] == ["3", "5", "8"]


def test_a_document_that_is_not_there_is_told_like_any_fault(tmp_path: Path) -> None:
    with pytest.raises(DocumentErrors, match="cannot be read"):
        load_import(tmp_path / "nowhere.yaml")
