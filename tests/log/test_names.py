"""Sites keep their partitions, counters keep their codes, and what is unknown is kept with its reason."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowwatch import log
from flowwatch.core.readings import Kind, Reason
from tests.log.making import SECOND, document, fresh_log, readings, rows

DOCUMENTS = st.lists(
    st.tuples(
        st.sampled_from("abcd"), st.lists(st.sampled_from("uvwxyz"), unique=True), st.sampled_from(["go on", "commit", "roll", "reopen"])
    ),
    max_size=12,
)


def _codes_by_a_plain_loop(path: Path, partition: str) -> list[str]:
    names: list[str] = []
    for row in rows(path, partition):
        if row[1] == Kind.DOCUMENT:
            body = json.loads(row[-1])
            for counter in body["counters"]:
                name = f"{body['site']}/{counter['counter']}"
                if name not in names:
                    names.append(name)
    return names


@settings(max_examples=60)
@given(DOCUMENTS)
def test_codes_are_given_by_first_appearance_in_the_log_and_survive_rolls_and_restarts(steps: Sequence[tuple[str, list[str], str]]) -> None:
    with fresh_log(partitions=2) as path:
        writer = log.Writer.open(path, segment_bytes=1)
        for i, (site, counters, then) in enumerate(steps):
            writer.append_document(document(site, counters), i)
            if then == "roll":
                writer.tick(i * SECOND + 1)
            if then != "go on":
                writer.commit()
            if then == "reopen":
                writer.close()
                writer = log.Writer.open(path, segment_bytes=1)
        writer.commit()
        for number, partition in enumerate(writer.settings.folders):
            expected = _codes_by_a_plain_loop(path, partition)
            with log.Reader(path, partition) as reader:
                assert reader.names() == expected
            assert writer.resolve(expected).tolist() == [number << 32 | code for code in range(len(expected))]
        writer.close()


def test_a_document_that_was_never_committed_gives_no_codes(tmp_path: Path) -> None:
    log.create(tmp_path, partitions=1)
    writer = log.Writer.open(tmp_path)
    writer.append_document(document("a", ["lost"]), 1)
    writer.close()
    with log.Writer.open(tmp_path) as writer:
        assert writer.resolve(["a/lost"]).tolist() == [-1]
        writer.append_document(document("a", ["kept"]), 2)
    with log.Writer.open(tmp_path) as writer:
        assert writer.resolve(["a/kept", "a/lost"]).tolist() == [0, -2]


def test_a_document_whose_row_was_never_written_gives_no_codes_though_its_segment_was_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.create(tmp_path, partitions=1)

    def fail(fd: int, parts: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("flowwatch.log.segments.write_all", fail)
        with pytest.raises(log.DiskRefused), log.Writer.open(tmp_path) as writer:
            writer.append_document(document("a", ["lost"]), 1)
    assert len(list((tmp_path / "p00").glob("*.seg"))) == 1
    with log.Writer.open(tmp_path) as writer:
        writer.append_document(document("a", ["kept"]), 2)
        assert writer.resolve(["a/kept", "a/lost"]).tolist() == [0, -2]


def test_a_group_has_the_partition_of_its_crc_and_its_sites_share_it(tmp_path: Path) -> None:
    log.create(tmp_path, partitions=16)
    with log.Writer.open(tmp_path) as writer:
        writer.append_document(document("bund", ["x"], "waterfront"), 1)
        writer.append_document(document("lujiazui", ["x"], "waterfront"), 1)
    partition = f"p{zlib.crc32(b'waterfront') % 16:02d}"
    place = {"group": "waterfront", "partition": partition}
    assert json.loads((tmp_path / "routing.json").read_text()) == {"bund": place, "lujiazui": place}
    assert len(rows(tmp_path, partition)) == 2


def test_a_site_whose_document_names_another_group_is_refused(tmp_path: Path) -> None:
    log.create(tmp_path)
    with log.Writer.open(tmp_path) as writer:
        writer.append_document(document("a", ["x"], "one"), 1)
        with pytest.raises(log.BadRecord, match=r"routing\.json: site 'a' in group 'two'; expected group 'one'"):
            writer.append_document(document("a", ["x"], "two"), 2)
    with log.Writer.open(tmp_path) as writer, pytest.raises(log.BadRecord):
        writer.append_document(document("a", ["x"], "two"), 3)


@pytest.mark.parametrize("payload", [b"", b"[]", b'{"site": "a"}', document("a/b", ["x"]), document("", ["x"])])
def test_a_payload_that_is_no_compiled_site_is_refused(tmp_path: Path, payload: bytes) -> None:
    log.create(tmp_path)
    with log.Writer.open(tmp_path) as writer, pytest.raises(log.BadRecord):
        writer.append_document(payload, 1)


def test_a_membership_is_on_the_disk_before_the_first_row_of_its_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log.create(tmp_path, partitions=1)
    seen: list[bool] = []
    import flowwatch.log.partition as module  # noqa: PLC0415 - the module whose write is watched

    write = module.Partition.write

    def watched(partition: module.Partition) -> None:
        seen.append("new" in json.loads((tmp_path / "routing.json").read_text()))
        write(partition)

    monkeypatch.setattr(module.Partition, "write", watched)
    with log.Writer.open(tmp_path) as writer:
        writer.append_document(document("new", ["x"]), 1)
    assert seen == [True]


def test_readings_of_unknown_sites_and_counters_become_refused_rows_with_their_bytes(tmp_path: Path) -> None:
    log.create(tmp_path, partitions=1)
    with log.Writer.open(tmp_path) as writer:
        writer.append_document(document("a", ["x"]), 1)
        assert writer.append(readings(["a/x", "a/typo", "nowhere/x", "a/x", "nonsense"])) == 3
    found = rows(tmp_path, "p00")
    assert [row[1] for row in found] == [Kind.DOCUMENT, Kind.DELTA, Kind.DELTA, Kind.REFUSED]
    assert found[3][4] == SECOND + 7
    assert found[3][7] == Reason.UNKNOWN_COUNTER
    assert found[3][-1] == b"raw a/typo 1"
    unrouted = rows(tmp_path, log.UNROUTED)
    assert [(row[7], row[-1]) for row in unrouted] == [(Reason.UNKNOWN_SITE, b"raw nowhere/x 2"), (Reason.UNKNOWN_SITE, b"raw nonsense 4")]


def test_an_action_for_an_unknown_site_names_the_nearest(tmp_path: Path) -> None:
    log.create(tmp_path)
    with log.Writer.open(tmp_path) as writer:
        writer.append_document(document("yuyuan", ["x"]), 1)
        with pytest.raises(log.BadRecord, match="no site 'yuyaun'; expected 'yuyuan', perhaps"):
            writer.append_action("yuyaun", b"{}", 2)


def test_the_writer_knows_the_version_of_each_sites_newest_document(tmp_path: Path) -> None:
    log.create(tmp_path, partitions=1)
    with log.Writer.open(tmp_path, segment_bytes=1) as writer:
        writer.append_document(document("a", ["x"]), 1)
        writer.append_document(document("b", ["x"]), 1)
        first = writer.documents
        writer.tick(SECOND)
        writer.append_document(document("a", ["x", "y"]), 2)
    with log.Writer.open(tmp_path) as writer:
        assert writer.documents["b"] == first["b"]
        with log.Reader(tmp_path, "p00") as reader:
            assert reader.documents() == writer.documents
        assert writer.documents["a"] != first["a"]
        assert len(first["a"]) == 12


def test_a_routing_file_that_moves_a_site_is_an_error(tmp_path: Path) -> None:
    log.create(tmp_path, partitions=4)
    with log.Writer.open(tmp_path) as writer:
        writer.append_document(document("a", ["x"]), 1)
        here = writer.routing["a"].partition
    elsewhere = next(f"p{i:02d}" for i in range(4) if f"p{i:02d}" != here)
    file = tmp_path / "routing.json"
    file.write_text(file.read_text().replace(here, elsewhere))
    with pytest.raises(log.LogError, match=rf"site 'a' in '{elsewhere}'; expected '{here}'"):
        log.Writer.open(tmp_path)
    file.write_text("{")
    with pytest.raises(log.LogError, match=r"routing\.json: unreadable"):
        log.Writer.open(tmp_path)
