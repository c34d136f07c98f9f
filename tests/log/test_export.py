"""The log as people see it: JSON lines, tables, and the doctor's survey."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from flowwatch import log
from flowwatch.core.readings import ABSENT, Reason
from flowwatch.log.export import utc
from tests.log.making import SECOND, another_boot, document, only_segment, readings

AT = 1_755_676_800 * SECOND


def _log(path: Path) -> None:
    log.create(path, partitions=1)
    with log.Writer.open(path) as writer:
        writer.append_document(document("yuyuan", ["gate-1", "九曲桥"]), AT)
        columns = {"at": np.array([AT, AT + 1]), "received": np.array([AT + 5, ABSENT]), "seq": np.array([ABSENT, 8])}
        writer.append(readings(["yuyuan/九曲桥", "yuyuan/gate-1"], **columns))
        writer.append_action("yuyuan", b'{"action":"01"}', AT)
        writer.append_action("yuyuan", b"\xff", AT)
        writer.append_refused("人".encode(), Reason.UNREADABLE, AT)
        writer.tick(AT + SECOND)


def test_cat_shows_every_row_with_names_and_iso_times_and_nothing_absent(tmp_path: Path) -> None:
    _log(tmp_path)
    shown = list(log.cat(tmp_path))
    assert json.loads(json.dumps(shown)) == shown
    start = "2025-08-20T08:00:00Z"
    assert shown[1:3] == [
        {
            "partition": "p00", "offset": 1, "kind": "delta", "counter": "yuyuan/九曲桥", "at": start,
            "received": "2025-08-20T08:00:00.000005Z", "in": 0, "out": 0, "ordinal": 0,
        },
        {
            "partition": "p00", "offset": 2, "kind": "delta", "counter": "yuyuan/gate-1", "at": "2025-08-20T08:00:00.000001Z",
            "seq": 8, "in": 1, "out": 0, "ordinal": 0,
        },
    ]  # fmt: skip
    assert shown[0]["payload"]["site"] == "yuyuan"
    assert shown[3]["payload"] == {"action": "01"}
    assert shown[4]["raw_base64"] == "/w=="
    assert shown[5] == {"partition": "p00", "offset": 5, "kind": "tick", "at": "2025-08-20T08:00:01Z"}
    assert shown[6] == {
        "partition": "unrouted", "offset": 0, "kind": "refused", "received": start, "reason": "unreadable", "raw": "人",
    }  # fmt: skip
    assert list(log.cat(tmp_path, ["p00"], start=2, limit=2)) == shown[2:4]


def test_a_time_that_no_calendar_has_is_shown_as_its_number() -> None:
    assert utc(2**62) == 2**62
    assert utc(0) == "1970-01-01T00:00:00Z"


@pytest.mark.parametrize("restarted", [False, True])
def test_cat_shows_the_rows_before_damage_and_then_raises(tmp_path: Path, restarted: bool) -> None:
    _log(tmp_path)
    size = only_segment(tmp_path, "p00").stat().st_size
    with log.Writer.open(tmp_path) as writer:
        writer.append(readings(["yuyuan/gate-1"]))
        writer.commit()
        writer.append(readings(["yuyuan/gate-1"]))
    if restarted:
        another_boot(tmp_path)
    segment = only_segment(tmp_path, "p00")
    data = bytearray(segment.read_bytes())
    data[size + 100] ^= 1
    segment.write_bytes(data)
    shown: list[dict[str, object]] = []
    with pytest.raises(log.LogDamaged):
        shown.extend(log.cat(tmp_path, ["p00"]))  # what came before the error stays
    with pytest.raises(log.LogDamaged):
        log.table(tmp_path, "p00")
    assert [row["offset"] for row in shown] == list(range(6))
    with log.Reader(tmp_path, "p00") as reader, pytest.raises(log.LogDamaged):
        reader.documents()


def test_a_partition_opens_as_a_table_with_times_and_names(tmp_path: Path) -> None:
    _log(tmp_path)
    frame = log.table(tmp_path, "p00").to_pandas()
    assert frame["offset"].tolist() == list(range(6))
    assert frame["counter"].tolist()[1:3] == ["yuyuan/九曲桥", "yuyuan/gate-1"]
    assert frame["counter"].isna().tolist() == [True, False, False, True, True, True]
    assert frame["at"][1] == pd.Timestamp("2025-08-20T08:00Z")
    assert pd.isna(frame["received"][2])
    assert log.table(tmp_path, "p00", 2, 3).column("offset").to_pylist() == [2, 3, 4]
    assert len(log.table(tmp_path, log.UNROUTED, 2)) == 0


def test_a_survey_of_a_healthy_log_finds_no_fault(tmp_path: Path) -> None:
    _log(tmp_path)
    assert [(found.partition, found.first, found.end, found.torn_bytes, found.fault) for found in log.survey(tmp_path)] == [
        ("p00", 0, 6, 0, None),
        ("unrouted", 0, 2, 0, None),
    ]


def test_a_survey_tells_a_torn_end_from_a_fault_and_changes_nothing(tmp_path: Path) -> None:
    _log(tmp_path)
    segment = only_segment(tmp_path, "p00")
    with segment.open("ab") as file:
        file.write(b"torn")
    other = only_segment(tmp_path, log.UNROUTED)
    other.write_bytes(other.read_bytes()[:20])
    found = {surveyed.partition: surveyed for surveyed in log.survey(tmp_path)}
    assert (found["p00"].torn_bytes, found["p00"].fault) == (4, None)
    assert "no whole title frame" in str(found[log.UNROUTED].fault)
    assert segment.read_bytes().endswith(b"torn")
