"""What people say, as records in the log: named, written by who is signed in, staged durably; and what the journal makes of them.

The fields of a record are those of `documents.actions`, found there by its type, so that a type which the documents learn is known here too.
Everything that can be seen before is refused at once with its near miss; whether it holds is the engine's word, in the journal.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final, get_args

import msgspec

from flowwatch.core.entries import canonical
from flowwatch.documents import actions
from flowwatch.journal.export import iso
from flowwatch.log.settings import load
from flowwatch.picture import Picture
from flowwatch.service.problems import Problem
from flowwatch.service.readings import durable
from flowwatch.service.sites import Sites
from flowwatch.service.staging import Stager
from flowwatch.service.threads import at_the_door

POLL_S: Final = 0.05
MOST_WAIT_S: Final = 30.0
TYPES: Final = frozenset(str(kind.__struct_config__.tag) for kind in get_args(actions.Action))
"""The types of records that the documents know."""

Hearing = Callable[[str, dict[str, Any]], None]
"""Told of a site's record at once: (site, record)."""


class Records:
    """Writes records. `on_fire` is told of every report of a fire before anything else is done with it."""

    def __init__(self, sites: Sites, picture: Picture, stager: Stager, on_fire: Hearing, now_us: Callable[[], int]) -> None:
        self._sites, self._picture, self._stager, self._on_fire = sites, picture, stager, on_fire
        self.now_us = now_us
        self._live = load(sites.log).live

    async def write(self, site: str, kind: str, by: str, reason: str, fields: dict[str, Any]) -> dict[str, Any]:
        """Stage a record, durably; the record. Raises `Problem`."""
        if kind not in TYPES:
            raise Problem("not-supported", f"this flowwatch knows no records of type {kind}")
        if not self._live:
            raise Problem("conflict", "the log is an archive with its own clock; records are written into it by `flowwatch operate`")
        now = self.now_us()
        head = {"action": actions.new_id(time.time_ns() // 1000), "type": kind, "site": site, "by": by, "reason": reason, "at_us": now}
        record = head | fields
        try:
            payload = canonical(record)
            actions.parse(payload)
        except (actions.ActionError, ValueError) as error:
            raise Problem("invalid", str(error)) from error
        try:
            if kind == "fire" and record["state"] == "on":
                await at_the_door(self._on_fire, site, record)
        finally:  # a latch that the disk refused holds in memory, and the engine must hear of the fire all the same
            await durable(self._stager.offer_action(site, payload, now))
        return record

    def offer_tick(self, at_us: int) -> Future[Any] | None:
        """Stage a tick, for a log whose time is told; None where there is no room."""
        return self._stager.offer_tick(at_us)

    async def outcome(self, site: str, action: str, seconds: float) -> dict[str, Any] | None:
        """What the journal says of a record, waiting for it so long at most (seconds, up to `MOST_WAIT_S`); None if it says nothing."""
        until = time.monotonic() + min(seconds, MOST_WAIT_S)
        while True:
            found = await asyncio.to_thread(self._picture.outcome, site, action)
            if found is not None:
                return {"entry": found["id"], "at": iso(found["at_us"]), "accepted": found["accepted"], "refused": found["refused"]}
            left = until - time.monotonic()
            if left <= 0:
                return None
            await asyncio.sleep(min(POLL_S, left))


def wait_of(prefer: str | None) -> float | None:
    """The seconds in a Prefer header's `wait`; None without one.

    >>> wait_of("respond-async, wait=5"), wait_of("wait=soon"), wait_of(None)
    (5.0, None, None)
    """
    for part in (prefer or "").split(","):
        name, _, value = part.partition(";")[0].strip().partition("=")
        if name.strip().lower() == "wait" and value.strip().isascii() and value.strip().isdigit():
            return min(float(value.strip()[:6]), MOST_WAIT_S)
    return None


def unset_out(body: msgspec.Struct) -> dict[str, Any]:
    """The fields of a body that were given."""
    return {name: value for name in body.__struct_fields__ if (value := getattr(body, name)) is not msgspec.UNSET}
