"""Sequence numbers and hashes of the journal, kept in the engine's state so that a replay gives every entry its old name and hash."""

from __future__ import annotations

from typing import Any

from flowwatch.core.entries import GENESIS, Entry, EntryKind, Estimate, canonical, digest, link


class Chains:
    """The head (sequence, hash) of every chain of a partition, and the running digest of each site's minute estimates."""

    def __init__(self) -> None:
        self.heads: dict[str, tuple[int, bytes]] = {}
        self.digests: dict[str, bytes] = {}

    def entry(self, chain: str, kind: EntryKind, tick: int, body: dict[str, Any]) -> Entry:
        """The next entry of `chain`; a site's body also carries the digest of its estimates so far."""
        if not chain.startswith("@"):
            body = body | {"estimates": self.digests.get(chain, GENESIS).hex()}
        seq, head = self.heads.get(chain, (0, GENESIS))
        data = canonical(body)
        head = link(head, kind, tick, data)
        self.heads[chain] = (seq + 1, head)
        return Entry(chain, seq + 1, kind, tick, data, head)

    def estimate(self, site: str, tick: int, body: bytes) -> Estimate:
        """A site's minute, folded into the digest that its next entry will carry."""
        self.digests[site] = digest(self.digests.get(site, GENESIS), body)
        return Estimate(site, tick, body)

    def to_state(self) -> dict[str, Any]:
        """Everything, for a checkpoint."""
        return {
            "heads": {c: [seq, head.hex()] for c, (seq, head) in sorted(self.heads.items())},
            "digests": {s: d.hex() for s, d in sorted(self.digests.items())},
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Chains:
        """What `to_state` wrote."""
        made = cls()
        made.heads = {c: (seq, bytes.fromhex(head)) for c, (seq, head) in state["heads"].items()}
        made.digests = {s: bytes.fromhex(d) for s, d in state["digests"].items()}
        return made
