"""One attempt as it goes on the wire and into the ledger: everything that a controller must know, said in full."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowwatch.actuators import protocol
from flowwatch.actuators.ledger import Delivery
from flowwatch.actuators.protocol import ATTEMPT_LIVES_S, Command, Phase, Words
from flowwatch.actuators.reconcile import SECOND, Send
from flowwatch.core.gates import is_outer
from flowwatch.core.settings import Mode, Setting

Record = Mapping[str, Any]


def command(site: Record, send: Send, generation: int, wall_us: int) -> Command:
    """The message of `send` to a device of the compiled `site`, sent now (microseconds of the wall clock, which devices have as well)."""
    want = send.wanted
    setting = Setting.parse(want.setting) if want.device.startswith("gate/") and want.setting is not None else None
    gate = next((g for g in site["gates"] if f"gate/{g['gate']}" == want.device), None)
    return Command(
        command=want.command,
        site=site["site"],
        device=want.device,
        setting=want.setting,
        may_enter=setting.may_enter if setting else None,
        may_leave=setting.may_leave if setting else None,
        per_min=setting.per_min if setting else None,
        phases=tuple(Phase(way, seconds) for way, seconds in setting.phases) if setting and setting.phases else None,  # type: ignore[arg-type]
        text=Words(zh=want.text["zh"], en=want.text["en"]) if want.text is not None else None,
        revision=send.revision,
        attempt=send.attempt,
        generation=generation,
        expires=protocol.moment(wall_us + ATTEMPT_LIVES_S * SECOND),
        on_lost=None if gate is None else on_lost(gate),
        drill=want.drill,
        fire=want.fire,
        reason=want.reason,
        sent=protocol.moment(wall_us),
    )


def on_lost(gate: Record) -> str:
    """What the gate falls to: as the site file says, but never what keeps people in at an outer gate that can let them out."""
    keeps_in = not gate["entrance_only"] and is_outer(gate) and not Setting.parse(gate["on_lost"]).may_leave
    return Mode.OUT.value if keeps_in else str(gate["on_lost"])


def delivery(command: Command, now_us: int) -> Delivery:
    """The row of the ledger for `command`."""
    return Delivery(
        0,
        command.site,
        command.device,
        command.command,
        command.revision,
        command.attempt,
        command.generation,
        command.setting,
        now_us,
        expires_us=now_us + ATTEMPT_LIVES_S * SECOND,
    )
