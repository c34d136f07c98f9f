"""What somebody with a database tool can do to a file of chains. Each deed says where it was done, in the numbers that stand there afterwards."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from flowwatch.core.entries import link

Row = tuple[Any, ...]


@dataclass
class Deed:
    """What was done in a chain: the places that must be named, at least, and how far from them a name may be."""

    name: str
    chain: str
    places: list[int]
    reach: list[int] = field(default_factory=list)
    """Further places that may be named: those that were renumbered on the way."""

    def shift(self, at: int, by: int) -> None:
        self.places = [p + by if p >= at else p for p in self.places]
        self.reach = [p + by if p >= at else p for p in self.reach]


class Forger:
    """Somebody who may write one file of chains."""

    def __init__(self, connection: sqlite3.Connection, rng: random.Random) -> None:
        self.connection, self.rng = connection, rng

    def row(self, chain: str, seq: int) -> Row:
        (row,) = self.connection.execute("SELECT kind, at_us, body, hash FROM entries WHERE chain = ? AND seq = ?", (chain, seq)).fetchall()
        return tuple(row)

    def put(self, chain: str, seq: int, **values: Any) -> None:
        asked = ", ".join(f"{name} = ?" for name in values)
        done = self.connection.execute(f"UPDATE entries SET {asked} WHERE chain = ? AND seq = ?", (*values.values(), chain, seq))
        assert done.rowcount == 1

    def renumber(self, chain: str, since: int, by: int, until: int = 10**9) -> None:
        where = "WHERE chain = ? AND seq BETWEEN ? AND ?"
        self.connection.execute(f"UPDATE entries SET seq = -(seq + ?) {where}", (by, chain, since, until))
        self.connection.execute("UPDATE entries SET seq = -seq WHERE chain = ? AND seq < 0", (chain,))

    def before(self, chain: str, seq: int) -> bytes:
        return bytes(32) if seq == 1 else self.row(chain, seq - 1)[3]

    def lie(self, body: bytes) -> bytes:
        """Another body: one that says more, or something that nobody can read."""
        at = self.rng.randrange(len(body)) if body else 0
        others = [
            body[:-1] + b',"z":%d}' % self.rng.randrange(10**9),
            body[:-1] + b',"z":' + b"9" * 5_000 + b"}",
            body[:at],
            b"",
            body[:at] + bytes([body[at] ^ 1 << self.rng.randrange(8)]) + body[at + 1 :] if body else b"{}",
            self.rng.choice((b"[]", b"null", b"1", b'"x"', b"\x00damaged", b"[" * 100_000)),
        ]
        return self.rng.choice([other for other in others if other != body])

    # ---- deeds: each takes a chain and a place, and two more entries follow it

    def body(self, chain: str, seq: int) -> Deed:
        self.put(chain, seq, body=self.lie(self.row(chain, seq)[2]))
        return Deed("body", chain, [seq])

    def kind(self, chain: str, seq: int) -> Deed:
        others = [kind for kind in ("transition", "command", "incident", "rumour", "alert") if kind != self.row(chain, seq)[0]]
        self.put(chain, seq, kind=self.rng.choice(others))
        return Deed("kind", chain, [seq])

    def time(self, chain: str, seq: int) -> Deed:
        self.put(chain, seq, at_us=self.row(chain, seq)[1] + self.rng.choice((-60_000_000, -1, 1, 3_600_000_000)))
        return Deed("time", chain, [seq])

    def hash(self, chain: str, seq: int) -> Deed:
        self.put(chain, seq, hash=self.rng.randbytes(32))
        return Deed("hash", chain, [seq])

    def site(self, chain: str, seq: int) -> Deed:
        self.put(chain, seq, site=self.rng.choice((None, "elsewhere")) if not chain.startswith("@") else "elsewhere")
        return Deed("site", chain, [seq])

    def words_and_hash(self, chain: str, seq: int) -> Deed:
        """The clever one: the changed entry gets the hash that belongs to it."""
        kind, at, body, _ = self.row(chain, seq)
        told = self.lie(body)
        self.put(chain, seq, body=told, hash=link(self.before(chain, seq), kind, at, told))
        return Deed("words_and_hash", chain, [seq])

    def drop(self, chain: str, seq: int) -> Deed:
        self.connection.execute("DELETE FROM entries WHERE chain = ? AND seq = ?", (chain, seq))
        return Deed("drop", chain, [seq])

    def drop_and_renumber(self, chain: str, seq: int) -> Deed:
        self.drop(chain, seq)
        self.renumber(chain, seq + 1, -1)
        return Deed("drop_and_renumber", chain, [seq])

    def insert(self, chain: str, seq: int) -> Deed:
        return self._insert(chain, seq, fitting=False)

    def insert_fitting(self, chain: str, seq: int) -> Deed:
        """The clever one: what is put in follows from the entry before it."""
        return self._insert(chain, seq, fitting=True)

    def _insert(self, chain: str, seq: int, *, fitting: bool) -> Deed:
        kind, at, body, _ = self.row(chain, seq)
        self.renumber(chain, seq, 1)
        told = self.lie(body)
        hash_ = link(self.before(chain, seq), kind, at, told) if fitting else self.rng.randbytes(32)
        site = None if chain.startswith("@") else chain
        self.connection.execute("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?)", (chain, seq, kind, at, site, told, hash_))
        return Deed("insert", chain, [seq])

    def swap(self, chain: str, seq: int) -> Deed:
        """With the next entry: their numbers."""
        return self._exchange(chain, seq, seq + 1)

    def _exchange(self, chain: str, here: int, there: int) -> Deed:
        self.connection.execute("UPDATE entries SET seq = -1 WHERE chain = ? AND seq = ?", (chain, here))
        self.connection.execute("UPDATE entries SET seq = ? WHERE chain = ? AND seq = ?", (here, chain, there))
        self.connection.execute("UPDATE entries SET seq = ? WHERE chain = ? AND seq = -1", (there, chain))
        return Deed("swap", chain, [here, there])

    def swap_far(self, chain: str, seq: int) -> Deed:
        return self._exchange(chain, seq, seq + 3)

    def swap_words(self, chain: str, seq: int) -> Deed:
        """Kind, time and body of two entries, and not their hashes."""
        here, there = self.row(chain, seq), self.row(chain, seq + 3)
        for place, (kind, at, body, _) in ((seq, there), (seq + 3, here)):
            self.put(chain, place, kind=kind, at_us=at, body=body)
        return Deed("swap_words", chain, [seq, seq + 3])

    def move(self, chain: str, seq: int) -> Deed:
        """An entry three places back, and those between numbered anew."""
        self.connection.execute("UPDATE entries SET seq = -999999 WHERE chain = ? AND seq = ?", (chain, seq + 3))
        self.connection.execute("UPDATE entries SET seq = -(seq + 1) WHERE chain = ? AND seq BETWEEN ? AND ?", (chain, seq, seq + 2))
        self.connection.execute("UPDATE entries SET seq = ? WHERE chain = ? AND seq = -999999", (seq, chain))
        self.connection.execute("UPDATE entries SET seq = -seq WHERE chain = ? AND seq < 0", (chain,))
        return Deed("move", chain, [seq], [seq + 1, seq + 2, seq + 3])


DEEDS: Final[dict[str, Callable[[Forger, str, int], Deed]]] = {
    "body": Forger.body,
    "kind": Forger.kind,
    "time": Forger.time,
    "hash": Forger.hash,
    "site": Forger.site,
    "words_and_hash": Forger.words_and_hash,
    "drop": Forger.drop,
    "drop_and_renumber": Forger.drop_and_renumber,
    "insert": Forger.insert,
    "insert_fitting": Forger.insert_fitting,
    "swap": Forger.swap,
    "swap_far": Forger.swap_far,
    "swap_words": Forger.swap_words,
    "move": Forger.move,
}
RENUMBERS: Final = {"drop_and_renumber": -1, "insert": 1, "insert_fitting": 1}
ROOM: Final = 7
"""Between two deeds in one chain, so that each leaves its own traces."""


def tamper(forger: Forger, lengths: dict[str, int], wanted: list[str]) -> list[Deed]:
    """Do the deeds, each at a random place of a random chain; the last entry of a chain is left as it is, which no chain shows alone."""
    places = [(chain, seq) for chain, length in sorted(lengths.items()) for seq in range(1, length - 4, ROOM)]
    chosen = forger.rng.sample(places, min(len(wanted), len(places)))
    done: list[Deed] = []
    for name, (chain, seq) in sorted(zip(wanted, chosen, strict=False), key=lambda pair: (pair[1][0], -pair[1][1])):
        place = seq + forger.rng.randrange(2)
        for earlier in done:
            if earlier.chain == chain and name in RENUMBERS:
                earlier.shift(place, RENUMBERS[name])
        done.append(DEEDS[name](forger, chain, place))
    return done
