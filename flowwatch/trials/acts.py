"""What somebody in charge does, as a test or a scenario writes it, turned to the fields of an operator's record."""

from __future__ import annotations

from typing import Any

from msgspec import UnsetType

from flowwatch.documents.words import duration_us
from flowwatch.trials.language import Act


def fields_of(act: Act, start_us: int) -> tuple[str, dict[str, Any], str] | None:
    """(type, fields, words) of an action's record; None for an answer, which needs the question that is open. Times count from `start_us`."""

    def until(text: str) -> int:
        return start_us + duration_us(text)

    if not isinstance(act.override, UnsetType):
        hold = act.override
        given = {key: getattr(hold, key) for key in ("stage", "plan", "gate", "mode") if not isinstance(getattr(hold, key), UnsetType)}
        return "override", given | {"until_us": until(hold.until)}, " ".join(["override", *given.values()])
    if not isinstance(act.drill, UnsetType):
        return "drill", {"stage": act.drill.stage, "until_us": until(act.drill.until)}, f"drill {act.drill.stage}"
    if not isinstance(act.fire, UnsetType):
        return "fire", {"state": act.fire.value}, f"fire {act.fire.value}"
    if not isinstance(act.case, UnsetType):
        return "override", {"case": act.case.case, "until_us": until(act.case.until)}, f"case {act.case.case}"
    return None
