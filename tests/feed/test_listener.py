"""What waits for one listener has a bound, keeps its order, and is told once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flowwatch.feed.frames import KINDS, Frame
from flowwatch.feed.listener import CHUNK, MOST, MOST_BYTES, SLOW, Listener


def frame(seq: int, chain: str = "a", size: int = 10, *, of_book: bool = False) -> Frame:
    return Frame("alert" if of_book else "task", chain, seq, f"place-{chain}-{seq}", f"{chain}{seq};".encode().ljust(size), of_book)


def minute(number: int, chain: str = "a") -> Frame:
    return Frame("zones", chain, 0, "", f"{chain}z{number};".encode())


def everything(listener: Listener) -> list[str]:
    found = b""
    while data := listener.next():
        found += data
    return [part.strip() for part in found.decode().split(";") if part.strip()]


def made() -> Listener:
    return Listener(lambda _: True, KINDS, "j0-h0")


@given(st.lists(st.tuples(st.sampled_from("ab"), st.booleans()), max_size=60), st.data())
def test_however_it_is_given_out_each_entry_comes_once_and_in_order(entries: list[tuple[str, bool]], data: st.DataObject) -> None:
    listener, seqs, wanted, got = made(), dict[tuple[str, bool], int](), list[Frame](), list[str]()
    for chain, of_book in entries:
        seqs[chain, of_book] = seqs.get((chain, of_book), 0) + 1
        wanted.append(frame(seqs[chain, of_book], chain, of_book=of_book))
    rest = list(wanted)
    while rest:
        count = data.draw(st.integers(1, len(rest)))
        listener.offer(rest[:count])
        if data.draw(st.booleans()):
            listener.offer(rest[:count])  # the files had them already
            got += everything(listener)
        rest = rest[count:]
    got += everything(listener)
    assert got == [f"{one.chain}{one.seq}" for one in wanted]
    assert listener.place == (wanted[-1].place if wanted else "j0-h0")


def test_only_the_newest_minute_of_a_site_waits() -> None:
    listener = made()
    for number in range(5):
        listener.offer([], [minute(number), minute(number, "b")])
    assert everything(listener) == ["az4", "bz4"]
    assert listener.place == "j0-h0", "a state has no place"


def test_more_than_may_wait_is_dropped_and_a_snapshot_is_due() -> None:
    for frames in ([frame(seq) for seq in range(1, MOST + 2)], [frame(seq, size=MOST_BYTES // 4) for seq in range(1, 6)]):
        listener = made()
        listener.offer(frames[:-1])
        before = listener.lost
        listener.offer(frames[-1:], [minute(1)])
        assert (before, listener.lost) == (None, SLOW)
        assert listener.next() == b""
        assert listener.wake.is_set()
        listener.offer(frames, [minute(2)])
        assert listener.next() == b"", "nothing is kept until it has a snapshot"
        assert listener.place == "j0-h0"


def test_what_a_snapshot_has_is_passed_over() -> None:
    listener = made()
    listener.lose(SLOW)
    listener.lost = None
    listener.offer([frame(seq) for seq in range(1, 6)] + [frame(1, of_book=True)])
    listener.found({(False, "a"): 3})
    assert everything(listener) == ["a4", "a5", "a1"]


def test_a_piece_is_about_as_large_as_it_may_be() -> None:
    listener = made()
    listener.offer([frame(seq, size=1_000) for seq in range(1, 200)])
    assert CHUNK <= len(listener.next()) < CHUNK + 1_000
    assert listener.wake.is_set()


def test_it_sleeps_when_nothing_waits_and_hears_nothing_when_it_has_ended() -> None:
    listener = made()
    listener.offer([frame(1)])
    listener.next()
    listener.next()
    assert listener.idle
    assert not listener.wake.is_set()
    listener.end()
    assert listener.wake.is_set()
    listener.offer([frame(2)])
    assert listener.next() == b""
