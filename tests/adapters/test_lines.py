"""Blocks of whole lines: nothing is lost or joined wherever a source is cut, packed or slow."""

from __future__ import annotations

import gzip
import os
from collections import deque
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowwatch.adapters import lines
from flowwatch.adapters.lines import CUT, SourceError, Stream, opened, whole_lines


def read(path: Path, data: bytes) -> bytes:
    path.write_bytes(data)
    with opened(path) as stream:
        return b"".join(stream.blocks())


@given(st.lists(st.binary(max_size=12)))
def test_blocks_are_whole_lines_and_together_the_source(pieces: list[bytes]) -> None:
    blocks = list(whole_lines(iter(pieces)))
    whole = b"".join(pieces)
    assert b"".join(blocks) == (whole if whole.endswith(b"\n") or not whole else whole + b"\n")
    assert all(block.endswith(b"\n") for block in blocks if block)
    assert blocks.count(b"") == pieces.count(b""), "a pause of the source stays one"


@given(st.lists(st.sampled_from([b"a", b"bc", b"\n", b"d\ne", b"fghijklm"]), max_size=40))
def test_a_line_that_is_too_long_is_cut_at_one_place_wherever_the_source_is(pieces: list[bytes]) -> None:
    kept = lines.LONGEST_LINE
    lines.LONGEST_LINE = 8  # type: ignore[misc]
    try:
        told = b"".join(whole_lines(iter(pieces))).split(b"\n")
    finally:
        lines.LONGEST_LINE = kept  # type: ignore[misc]
    whole = b"".join(pieces).split(b"\n")
    assert told == [line if len(line) <= 8 else line[:8] + CUT for line in (whole if not whole[-1] else [*whole, b""])]


@given(st.binary(max_size=3000), st.lists(st.integers(0, 3000), max_size=2))
def test_gzip_is_unpacked_whatever_the_name_also_in_several_parts(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, cuts: list[int]
) -> None:
    edges = [0, *sorted(cuts), len(data)]
    packed = b"".join(gzip.compress(data[a:b]) for a, b in pairwise(edges)) + bytes(7)
    path = tmp_path_factory.mktemp("packed") / "table.csv"
    plain = data.removeprefix(b"\xef\xbb\xbf")
    assert read(path, packed) == (plain if plain.endswith(b"\n") or not plain else plain + b"\n")


def test_a_large_packed_file_comes_in_blocks_of_bounded_size(tmp_path: Path) -> None:
    data = b"0123456789\n" * 200_000
    path = tmp_path / "table.csv.gz"
    path.write_bytes(gzip.compress(data))
    with opened(path) as stream:
        blocks = list(stream.blocks())
    assert b"".join(blocks) == data
    assert max(map(len, blocks)) <= lines.BLOCK + 11


def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path: Path) -> None:
    assert read(tmp_path / "a", b"\xef\xbb\xbfhead\n1") == b"head\n1\n"


@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_what_a_damaged_packed_file_holds_is_read_before_the_error(tmp_path: Path, damage: str) -> None:
    data = b"".join(b"line %d\n" % (i * i) for i in range(60_000))
    packed = bytearray(gzip.compress(data))
    path = tmp_path / "table.csv.gz"
    if damage == "cut":
        del packed[-2000:]
    else:
        packed[-4:] = b"\xff\xff\xff\xff"
    path.write_bytes(packed)
    got: list[bytes] = []
    with opened(path) as stream, pytest.raises(SourceError, match=r"table\.csv\.gz: .*gzip data"):
        deque(map(got.append, stream.blocks()))
    assert data.startswith(b"".join(got)[:-20])
    assert len(b"".join(got)) > len(data) // 2


def test_a_file_that_is_not_there_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="nowhere: cannot be opened: No such file"), opened(tmp_path / "nowhere"):
        pass


def test_a_live_source_that_pauses_gives_an_empty_block_once_and_goes_on() -> None:
    reading, writing = os.pipe()
    blocks: Iterator[bytes] = Stream(reading, "pipe").blocks()
    os.write(writing, b"first\nsec")
    assert [next(blocks), next(blocks)] == [b"first\n", b""]
    os.write(writing, b"ond\n")
    assert next(blocks) == b"second\n"
    os.close(writing)
    assert list(blocks) in ([], [b""])
    os.close(reading)


def test_the_bytes_taken_are_those_of_the_packed_file(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(b"x\n" * 1000))
    with opened(path) as stream:
        assert list(stream.blocks())
        assert stream.taken == stream.size == path.stat().st_size
