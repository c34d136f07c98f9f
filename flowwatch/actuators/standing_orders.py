"""What the journal asks of every device now, folded from its entries one by one.

Only the last command to each device counts. Beside it: which revision a person let go out (`release`), whether a person put the whole site back
on advise (`deliver`), and the fires that people reported and ended. What it knows can be kept and taken up again behind the entry that it had
come to, so that a start does not read the whole journal.

A *latch* is the service's own word that a site is on fire, said before the engine has seen the signal. It names the operators' record that
reports the fire, and is over only when the journal holds an accepted end of a fire that stands after the accepted beginning by that record. A
record that never came to the log cannot be ended by name: its latch is over, too, with the end of any fire that was reported after it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from flowwatch.actuators.reconcile import Wanted
from flowwatch.core.entries import Entry, EntryKind
from flowwatch.core.gates import Setting, fire_table

Record = Mapping[str, Any]
KINDS: Final = (EntryKind.COMMAND, EntryKind.DEVICE, EntryKind.ACTION, EntryKind.DOCUMENT)
"""The entries that say anything here."""
FIRES_KEPT: Final = 64
"""Fires of a site that are over and whose latches can still be told to be."""
_NOBODY_ASKS: Final = {"barrier": "lower", "link": "both"}
"""What a device is when no stage asks anything of it any more."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """The last command to a device; `revision` is the engine's count, `at_us` the tick."""

    device: str
    setting: str | None
    revision: int
    command: str
    at_us: int
    drill: bool = False
    reason: str = ""
    text: dict[str, str] | None = None


class Fire(msgspec.Struct, frozen=True):
    """A fire that a record reported, and the tick at which the engine accepted it."""

    record: str
    at_us: int


class SiteOrders(msgspec.Struct, kw_only=True):
    """What one site's entries say."""

    orders: dict[str, Order] = {}
    released: dict[str, int] = {}
    """Device -> the engine's revision that a person let go out last."""
    by_hand: dict[str, list[str]] = {}
    """Device that people set -> what somebody said that it is, and what of orders people may still carry out."""
    advised: bool = False
    burning: list[Fire] = []
    """Reported, and not ended."""
    over: list[Fire] = []
    version: str | None = None
    """Of the documents in force."""

    def latched(self, latches: Iterable[Fire]) -> bool:
        """Whether a fire stands: by the journal, or by one of the service's own `latches`."""
        return bool(self.burning) or any(not self.latch_over(latch) for latch in latches)

    def latch_over(self, latch: Fire) -> bool:
        """Whether people have ended what `latch` says; its `at_us` is the time when it was set."""
        if any(fire.record == latch.record for fire in self.burning):
            return False
        return any(fire.record == latch.record or fire.at_us >= latch.at_us for fire in self.over)


class StandingOrders:
    """The orders of all sites."""

    def __init__(self, sites: dict[str, SiteOrders] | None = None) -> None:
        self.sites: dict[str, SiteOrders] = {} if sites is None else sites

    def fold(self, entry: Entry) -> Order | None:
        """Take one more entry; the order that it gives, if it gives one. Entries of one chain come in their order."""
        if entry.kind not in KINDS:
            return None
        body = json.loads(entry.body)
        name = body.get("site")
        if not isinstance(name, str):
            return None
        site = self.sites.setdefault(name, SiteOrders())
        if entry.kind is EntryKind.COMMAND or entry.kind is EntryKind.DEVICE:
            order = _command(entry, body) if entry.kind is EntryKind.COMMAND else _device(entry, body)
            before = site.orders.get(order.device)
            if before is not None and before.revision >= order.revision:
                return None
            site.orders[order.device] = order
            _heard(site, order)
            return order
        if entry.kind is EntryKind.DOCUMENT:
            site.version, site.by_hand = body["version"], {}
        elif body["accepted"]:
            self._action(site, body, entry.at)
        return None

    def wanted(self, site: Record, latches: Iterable[Fire] = ()) -> dict[str, Wanted]:
        """How every device of the compiled `site` that was ever directed is to be, with the wire's revisions; in a fire every gate and link."""
        name = site["site"]
        orders = self.sites.get(name, SiteOrders())
        latches = list(latches)
        fire = orders.latched(latches)
        there = {f"{kind}/{known[kind]}" for kind in ("gate", "link", "barrier", "sign") for known in site[f"{kind}s"]}
        found = {d: self._wanted(orders, order, site, fire=fire and _leads(d)) for d, order in orders.orders.items() if d in there}
        if not fire:
            return found
        signal = next(iter([f.record for f in orders.burning] + [f.record for f in latches]))
        table = {f"gate/{gate}": setting for gate, setting in fire_table(site).items()}
        for device, setting in table.items() | {(f"link/{x['link']}", "both") for x in site["links"]}:
            last = orders.orders.get(device)
            revision = 2 * (last.revision if last else 0) + 1
            found[device] = Wanted(device, setting, revision, f"fire-{signal}", "automatic", fire=True, reason="fire")
        return found

    def by_hand(self, site: str) -> Mapping[str, Iterable[str]]:
        """What devices may be that people set: as somebody said last, or as was ordered since."""
        return self.sites[site].by_hand if site in self.sites else {}

    def driven(self, site: str, devices: Iterable[str]) -> None:
        """These devices have actuators: what people said of them counts no more."""
        if site in self.sites:
            gone = set(devices)
            self.sites[site].by_hand = {device: said for device, said in self.sites[site].by_hand.items() if device not in gone}

    def to_bytes(self) -> bytes:
        """Everything, to be kept."""
        return msgspec.json.encode(self.sites)

    @classmethod
    def from_bytes(cls, kept: bytes) -> StandingOrders:
        """What `to_bytes` gave; raises ValueError for anything else."""
        return cls(msgspec.json.decode(kept, type=dict[str, SiteOrders]))

    @staticmethod
    def _wanted(orders: SiteOrders, order: Order, site: Record, *, fire: bool) -> Wanted:
        return Wanted(
            order.device,
            order.setting,
            2 * order.revision + fire,
            order.command,
            _deliveries(site).get(order.device) or str(site["delivery"]),
            released=orders.released.get(order.device) == order.revision,
            advised=orders.advised,
            drill=order.drill,
            at_us=order.at_us,
            reason=order.reason,
            text=order.text,
        )

    @staticmethod
    def _action(site: SiteOrders, body: dict[str, Any], at_us: int) -> None:
        record = body["record"]
        if body["type"] == "fire":
            if record["state"] == "on":
                site.burning = [*site.burning, Fire(body["action"], at_us)]
            else:
                site.over = [*site.over, *site.burning][-FIRES_KEPT:]
                site.burning = []
        elif body["type"] == "release":
            device = record.get("device") or f"gate/{record['gate']}"
            site.released = {**site.released, device: record["revision"]}
        elif body["type"] == "deliver":
            site.advised, site.released = record["to"] == "advise", {}
        elif body["type"] == "turned":
            device, said = f"gate/{record['gate']}", str(Setting.parse(record["mode"]))
            last = site.orders.get(device)
            outstanding = [last.setting] if last is not None and last.setting not in (None, said) else []
            site.by_hand = {**site.by_hand, device: [said, *outstanding]}


def _leads(device: str) -> bool:
    """Whether people pass there: a fire turns gates and links, and neither barriers nor signs."""
    return device.startswith(("gate/", "link/"))


def _deliveries(site: Record) -> dict[str, str]:
    """How commands to each gate are delivered, as the documents in force say."""
    return {f"gate/{gate['gate']}": gate["delivery"] for gate in site["gates"]}


def _heard(site: SiteOrders, order: Order) -> None:
    """People may have followed an order since somebody said how the device is, or not."""
    said = site.by_hand.get(order.device)
    if said is not None and order.setting is not None and order.setting not in said:
        site.by_hand = {**site.by_hand, order.device: [*said, order.setting]}


def _command(entry: Entry, body: dict[str, Any]) -> Order:
    return Order(
        device=f"gate/{body['gate']}",
        setting=body["setting"],
        revision=body["revision"],
        command=entry.id,
        at_us=entry.at,
        drill=body["drill"],
        reason=body["reason"],
    )


def _device(entry: Entry, body: dict[str, Any]) -> Order:
    kind, state = body["device"], body["state"]
    setting = None if kind == "sign" else state if state is not None else _NOBODY_ASKS[kind]
    return Order(
        device=f"{kind}/{body['name']}",
        setting=setting,
        revision=body["revision"],
        command=entry.id,
        at_us=entry.at,
        reason=body["reason"],
        text=state if kind == "sign" else None,
    )
