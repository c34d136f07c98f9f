"""What a device says of itself: the report of a gate, barrier, sign or link, read, and the last one of each kept.

Reports come through the log like everything else, written by the service for each acknowledgement and each change of what a device says; so they
are read with the same distrust. Who believes them is `compliance.py`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from flowwatch.core.entries import read_object
from flowwatch.core.settings import Setting

DEVICE: Final = re.compile(r"(gate|barrier|sign|link)/[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}")
"""How a report names a device: its kind and its name in the site file."""
OUTCOMES: Final = ("done", "moving", "refused", "failed")
REVISIONS: Final = 2**53
"""No revision is as high."""
WHY_LENGTH: Final = 500


class BadReportError(ValueError):
    """The bytes are no report; the message says what was found and what was expected."""


class Reported(NamedTuple):
    """What a device reported last.

    `setting`: what it is set to (a gate's canonical text, "raise", "one_way"...; None where it did not say); `revision`: of the newest command
    that it obeyed, as on the wire (twice the engine's, one more for a fire that the service latched); `up`: whether it can be reached;
    `outcome`: what it answered to the command of the revision `about`, one of `OUTCOMES`, with its reason `why`; `at`: the tick that took the
    report, microseconds.
    """

    setting: str | None
    revision: int
    up: bool
    outcome: str | None
    why: str | None
    at: int
    about: int = 0

    def answers(self, revision: int) -> bool:
        """Whether it has obeyed the engine's command of this revision, or a newer one."""
        return self.revision >= 2 * revision

    def declines(self, revision: int) -> bool:
        """Whether it refused the engine's command of this revision, or failed at it."""
        return self.outcome in ("refused", "failed") and self.about >= 2 * revision


@dataclass(frozen=True, slots=True)
class Report:
    """One report: of which device of which site, what."""

    site: str
    device: str
    reported: Reported


def read_report(data: bytes, tick: int) -> Report:
    """The report in `data`, taken at `tick`; raises `BadReportError`."""
    try:
        record = read_object(data)
    except ValueError as error:
        raise BadReportError(f"no report: {error}") from error
    site, device, link = (_text(record, key) for key in ("site", "device", "link"))
    if not DEVICE.fullmatch(device):
        raise BadReportError(f'"device" is {device!r:.80}, expected one as gate/gate-3, barrier/b, sign/s or link/l')
    if link not in ("up", "lost"):
        raise BadReportError(f'"link" is {link!r:.80}, expected "up" or "lost"')
    revision, about = _revision(record, "revision"), 0 if record.get("about") is None else _revision(record, "about")
    outcome = None if record.get("outcome") is None else _text(record, "outcome")
    if outcome is not None and outcome not in OUTCOMES:
        raise BadReportError(f'"outcome" is {outcome!r:.80}, expected {", ".join(OUTCOMES)} or null')
    setting = None if record.get("setting") is None else _text(record, "setting")
    if setting is not None and device.startswith("gate/"):
        try:
            setting = str(Setting.parse(setting))
        except ValueError as error:
            raise BadReportError(f'"setting": {error}') from error
    why = None if record.get("why") is None else _text(record, "why")[:WHY_LENGTH]
    return Report(site, device, Reported(setting, revision, link == "up", outcome, why, tick, about))


def _revision(record: dict[str, Any], key: str) -> int:
    value = record.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < REVISIONS:
        raise BadReportError(f'"{key}" is {value!r:.80}, expected a whole number from 0 to below 2^53')
    return value


def _text(record: dict[str, Any], key: str) -> str:
    value = record.get(key)
    if not isinstance(value, str) or not value or len(value) > 4096:
        raise BadReportError(f'"{key}" is {value!r:.80}, expected a text')
    return value
