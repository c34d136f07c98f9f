"""Tables by an import document: what each row becomes, whatever the file looks like."""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowwatch.adapters import csv_import
from flowwatch.adapters.batch import Batch
from flowwatch.adapters.lines import SourceError, opened
from flowwatch.adapters.mapping import RULES, Encoding, Import
from flowwatch.adapters.ndjson import identity
from flowwatch.adapters.tables import Table
from flowwatch.adapters.times import microseconds
from flowwatch.core.readings import Kind, Reason
from flowwatch.documents.load import Source, read_document
from tests.adapters.told import Row, raws, rows

HEAD = "import: gates\ntitle: {zh: 闸机, en: Gates}\nlateness: 5m\n"
LONG = HEAD + 'time: {from: "{when}"}\ncounter: "{gate}"\ncounts: delta\nin: in\nout: out\n'
TAPS = HEAD + 'time: {from: "{when}"}\ncounter: "{gate}"\ncounts: delta\ndirection: {column: way, in: [进, enter], out: [出]}\n'
WIDE = HEAD + "time: {from: '{when}'}\ncounts: delta\nwide: {columns: '(?P<counter>g.+)_(?P<direction>.+)'}\n"
AT = "2026-10-01T09:00:00+08:00"
US = microseconds(AT)


def document(text: str) -> Import:
    return read_document(Source("gates.yaml", text.encode()), Import, RULES)


def batches(folder: Path, text: str, table: bytes) -> list[Batch]:
    file = folder / "table.csv"
    file.write_bytes(table)
    with opened(file) as stream:
        return [batch for batch in csv_import.batches(document(text), stream) if batch is not None]


def told(folder: Path, text: str, table: str | bytes) -> list[Row]:
    return rows(batches(folder, text, table if isinstance(table, bytes) else table.encode()))


def delta(ingress: int | None, egress: int | None, counter: str = "gates/a") -> Row:
    return ("reading", counter, Kind.DELTA, US, ingress, egress, None, None)


def refused(reason: Reason, line: str) -> Row:
    return ("refused", reason, line.encode())


def test_a_row_becomes_a_reading_of_the_counter_that_its_cells_name(tmp_path: Path) -> None:
    assert told(tmp_path, LONG, f"when,gate,in,out\n{AT},a,12,3\n{AT}, b ,0,\n") == [delta(12, 3), delta(0, None, "gates/b")]


def test_columns_are_found_by_name_in_any_order_with_blanks_around_them(tmp_path: Path) -> None:
    assert told(tmp_path, LONG, f",out ,note, gate,when,in   \n1,3,x,a,{AT},12\n") == [delta(12, 3)]


def test_a_column_may_have_another_name_in_another_file(tmp_path: Path) -> None:
    text = LONG.replace('"{gate}"', '"{C/A|CA}-{gate}"')
    both = [told(tmp_path, text, f"when,{name},gate,in,out\n{AT},R,a,1,2\n") for name in ("C/A", "CA")]
    assert both == [[delta(1, 2, "gates/R-a")]] * 2


def test_a_file_without_a_column_that_the_document_names_is_an_error_with_the_near_miss(tmp_path: Path) -> None:
    with pytest.raises(
        SourceError, match=r'found no column "in", .*gates names, expected one of when, gate, ins, out; did you mean "ins"\?'
    ):
        told(tmp_path, LONG, "when,gate,ins,out\n")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (f"{AT},a,x,3", Reason.UNREADABLE),
        (f"{AT},a,1.5,3", Reason.UNREADABLE),
        (f"{AT},a,9999999999999999,3", Reason.UNREADABLE),
        ("yesterday,a,1,3", Reason.UNREADABLE),
        ("2026-10-01T09:00:00,a,1,3", Reason.UNREADABLE),
        (f"{AT},,1,3", Reason.UNREADABLE),
        (f"{AT},a,1", Reason.UNREADABLE),
        (f"{AT},a,1,2,3", Reason.UNREADABLE),
        (f'{AT},"a,1,2', Reason.UNREADABLE),
        (f"{AT},a,\r1,2", Reason.UNREADABLE),
        (f"{AT},a,,", Reason.MISSING_COUNT),
    ],
)
def test_a_row_that_cannot_be_read_is_refused_with_its_line_and_its_neighbours_are_not(tmp_path: Path, line: str, reason: Reason) -> None:
    table = f"when,gate,in,out\n{AT},a,1,2\n{line}\n\n{AT},a,3,4\n"
    assert told(tmp_path, LONG, table) == [delta(1, 2), refused(reason, line), delta(3, 4)]


def test_whole_numbers_may_be_written_with_a_point_and_a_sign(tmp_path: Path) -> None:
    assert told(tmp_path, LONG, f"when,gate,in,out\n{AT},a,12.0,+3\n{AT},a,-1,0007\n") == [delta(12, 3), delta(-1, 7)]


def test_cells_in_quotes_may_hold_the_delimiter_and_quotes(tmp_path: Path) -> None:
    assert told(tmp_path, LONG, f'when,gate,in,out\n"{AT}","a,""1""","1",2\n') == [delta(1, 2, 'gates/a,"1"')]


def test_a_row_without_a_count_is_one_person_and_its_value_says_which_way(tmp_path: Path) -> None:
    table = f"when,gate,way\n{AT},a,进\n{AT},a,出\n{AT},a,enter\n{AT},a,巴士\n"
    assert told(tmp_path, TAPS, table) == [delta(1, None), delta(None, 1), delta(1, None), refused(Reason.NO_DIRECTION, f"{AT},a,巴士")]


def test_with_a_direction_a_column_may_say_how_many_people(tmp_path: Path) -> None:
    table = f"when,gate,way,n\n{AT},a,进,30\n{AT},a,出,\n"
    assert told(tmp_path, TAPS + "people: n\n", table) == [delta(30, None), refused(Reason.MISSING_COUNT, f"{AT},a,出,")]


@pytest.mark.parametrize(("counts", "kind"), [("cumulative", Kind.CUMULATIVE), ("delta", Kind.DELTA)])
def test_the_document_says_the_kind_of_count(tmp_path: Path, counts: str, kind: Kind) -> None:
    assert told(tmp_path, LONG.replace("counts: delta", f"counts: {counts}"), f"when,gate,in,out\n{AT},a,4000000000,7\n")[0][2:6] == (
        kind,
        US,
        4_000_000_000,
        7,
    )


def test_headcounts_are_read_from_their_column(tmp_path: Path) -> None:
    text = LONG.replace("counts: delta\nin: in\nout: out", "counts: absolute\ninside: n")
    assert told(tmp_path, text, f"when,gate,n\n{AT},a,151\n") == [("reading", "gates/a", Kind.ABSOLUTE, US, None, None, 151, None)]


def test_a_sequence_and_a_declared_identity_are_kept(tmp_path: Path) -> None:
    table = f"when,gate,in,out,n\n{AT},a,1,2,77\n{AT},a,1,2,x\n{AT},a,1,2,\n"
    by_seq = told(tmp_path, LONG + "seq: n\n", table)
    assert [row[-1] for row in by_seq] == [77, f"{AT},a,1,2,x".encode(), None]
    by_id = told(tmp_path, LONG + "id: '{gate}/{n}'\n", table)
    assert [row[-1] for row in by_id] == [identity("a/77"), identity("a/x"), f"{AT},a,1,2,".encode()]


def test_counters_may_be_given_other_names(tmp_path: Path) -> None:
    assert told(tmp_path, LONG + "names: {东门: east}\n", f"when,gate,in,out\n{AT},东门,1,2\n") == [delta(1, 2, "gates/east")]


def test_in_a_wide_table_two_columns_are_in_and_out_of_one_counter(tmp_path: Path) -> None:
    table = f"when,g1_0,g1_180,g2_90,note,g2_270\n{AT},1,2,3,x,4\n{AT},5,,,x,\n"
    line = f"{AT},5,,,x,"
    want = [delta(1, 2, "gates/g1"), delta(3, 4, "gates/g2"), delta(5, None, "gates/g1"), refused(Reason.MISSING_COUNT, line)]
    assert told(tmp_path, WIDE, table) == want


def test_the_directions_of_a_wide_table_may_be_named(tmp_path: Path) -> None:
    text = WIDE.replace(".+)'}", ".+)', in: [180, 90], out: ['0', '270']}")
    assert told(tmp_path, text, f"when,g1_0,g1_180,g2_90\n{AT},1,2,3\n") == [delta(2, 1, "gates/g1"), delta(3, None, "gates/g2")]
    with pytest.raises(SourceError, match='found the direction "45" of "g3", expected one column in'):
        told(tmp_path, text, "when,g3_45\n")


def test_a_wide_table_may_have_a_column_for_each_counter(tmp_path: Path) -> None:
    text = WIDE.replace("_(?P<direction>.+)", "").replace("delta", "absolute")
    want = [("reading", f"gates/g{i}", Kind.ABSOLUTE, US, None, None, n, None) for i, n in ((1, 30), (2, 40))]
    assert told(tmp_path, text, f"when,g1,g2\n{AT},30,40\n") == want


def test_a_line_of_a_wide_table_that_cannot_be_read_is_one_row_and_a_cell_one_of_its_own(tmp_path: Path) -> None:
    table = f"when,g1_0,g1_180,g2_0\nsoon,1,2,3\n{AT},1\n{AT},x,2,3\n"
    want = [
        refused(Reason.UNREADABLE, "soon,1,2,3"),
        refused(Reason.UNREADABLE, f"{AT},1"),
        refused(Reason.UNREADABLE, f"{AT},x,2,3"),
        delta(3, None, "gates/g2"),
    ]
    assert told(tmp_path, WIDE, table) == want


def test_a_wide_table_without_a_column_that_fits_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"found no column that fits .* which the import gates asks for"):
        told(tmp_path, WIDE, "when,x_1\n")
    with pytest.raises(SourceError, match='found 3 columns for the counter "g1"'):
        told(tmp_path, WIDE, "when,g1_1,g1_2,g1_3\n")


def test_a_file_without_a_header_gets_its_names_from_the_document(tmp_path: Path) -> None:
    assert told(tmp_path, LONG + "header: [when, gate, in, out]\n", f"\n{AT},a,1,2\n\n") == [delta(1, 2)]


@pytest.mark.parametrize("delimiter", ["semicolon", "tab", "pipe"])
def test_other_delimiters_are_read(tmp_path: Path, delimiter: str) -> None:
    table = f"when,gate,in,out\n{AT},a,1,2\n".replace(",", {"semicolon": ";", "tab": "\t", "pipe": "|"}[delimiter])
    assert told(tmp_path, LONG + f"delimiter: {delimiter}\n", table) == [delta(1, 2)]


def test_chinese_encodings_are_read_and_bytes_that_are_none_refused(tmp_path: Path) -> None:
    text = TAPS.replace("way", "方向") + "encoding: gb18030\n"
    table = f"when,gate,方向\n{AT},东门,进\n".encode("gb18030")
    assert told(tmp_path, text, table) == [delta(1, None, "gates/东门")]
    bad = f"{AT},".encode() + b"\xff\xff,\xbd\xf8"
    assert told(tmp_path, text, table + bad + b"\n")[1:] == [("refused", Reason.UNREADABLE, bad)]


def test_packed_files_with_windows_line_ends_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    table = gzip.compress(b"\xef\xbb\xbf" + f"when,gate,in,out\r\n{AT},a,1,2\r\n".encode())
    assert told(tmp_path, LONG, table) == [delta(1, 2)]


@pytest.mark.parametrize(
    ("time", "cell", "want"),
    [
        ("{from: '{when}', format: '%d.%m.%Y %H:%M', zone: Europe/Berlin}", "01.10.2026 03:00", "2026-10-01T01:00:00Z"),
        ("{from: '{when}', zone: Asia/Shanghai}", "2026-10-01 09:00:00", "2026-10-01T01:00:00Z"),
        ("{from: '{when}', zone: Asia/Shanghai}", "2026-10-01 09:00:00+00:00", "2026-10-01T09:00:00Z"),
        ("{from: '{when}', format: '%Y%m%d%H%M%z'}", "202610010900+0800", "2026-10-01T01:00:00Z"),
        ("{from: '{when}', zone: Europe/Berlin}", "2026-10-25 02:30:00", "2026-10-25T00:30:00Z"),
        ("{from: '{when}', zone: Europe/Berlin}", "2026-03-29 02:30:00", "2026-03-29T01:00:00Z"),
        ("{from: '{when}', format: seconds, epoch: '2026-10-01T09:00:00+08:00'}", "1.25", "2026-10-01T01:00:01.25Z"),
        ("{from: '{when}', format: milliseconds}", "1790816400000", "2026-10-01T01:00:00Z"),
        ("{from: '{when}', shift: 30m}", "2026-10-01T01:00:00Z", "2026-10-01T01:30:00Z"),
    ],
)
def test_times_are_read_as_the_document_says(tmp_path: Path, time: str, cell: str, want: str) -> None:
    text = LONG.replace('{from: "{when}"}', time)
    (row,) = told(tmp_path, text, f"when,gate,in,out\n{cell},a,1,2\n")
    assert row[3] == microseconds(want)


LINES = st.lists(
    st.one_of(
        st.builds(
            lambda *cells: ",".join(cells).encode(), *[st.sampled_from([AT, "a", "1", "2", "", "x", '"q"', '"', "巴士", " ", "\r"])] * 4
        ),
        st.binary(max_size=30),
        st.sampled_from([b"", b"  ", b'"a\n', f"{AT},a,1,2".encode(), f'{AT},"a",1,2'.encode()]),
    ),
    max_size=12,
)


@settings(max_examples=60)
@given(LINES, st.sampled_from([LONG, LONG + "encoding: gb18030\n", LONG + "header: [when, gate, in, out]\n"]))
def test_any_bytes_below_a_header_give_one_row_a_line_the_same_as_alone(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes], text: str
) -> None:
    folder = tmp_path_factory.mktemp("table")
    head = b"\n" if "header" in text else b"when,gate,in,out\n"
    whole = [line for line in (b"\n".join(lines) + b"\n").replace(b"\r\n", b"\n").split(b"\n") if line.strip()]
    got = batches(folder, text, head + b"\n".join(lines))
    assert rows(got) == [row for line in whole for row in told(folder, text, head + line)]
    assert len(rows(got)) == len(whole)
    assert sorted([*raws(got), *(refusal.raw for batch in got for refusal in batch.refused)]) == sorted(whole)


@given(st.lists(st.sampled_from([b"1,2", b"1,2,3", b'"1,2', b'1,"2', b'"1","2"', b'1,2"', b"\r", b"x", b'"']), max_size=20))
def test_a_table_cuts_lines_as_if_each_stood_alone(lines: list[bytes]) -> None:
    def cells(block: bytes) -> list[tuple[str | None, ...]]:
        cut = Table(2, [0, 1], b",", Encoding.UTF_8).rows(block)
        return [tuple(cut.cells[i].texts[cut.cells[i].codes[k]] for i in (0, 1)) for k in range(len(cut.good))]

    assert cells(b"\n".join(lines)) == [row for line in lines for row in cells(line + b"\n")]


def test_the_rows_of_a_large_table_are_all_there(tmp_path: Path) -> None:
    table = "when,gate,in,out\n" + "".join(f"{AT},g{i % 7},{i % 300},{i % 11}\n" for i in range(60_000))
    parts = batches(tmp_path, LONG, table.encode())
    assert len(parts) > 1
    names = Counter(name for part in parts for name in part.readings.names)
    assert names == Counter(f"gates/g{i % 7}" for i in range(60_000))
    assert sum(int(part.readings.ingress.sum()) for part in parts) == sum(i % 300 for i in range(60_000))
