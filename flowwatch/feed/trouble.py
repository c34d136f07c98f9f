"""That somebody who is to be told cannot be reached: told once it has lasted, and again when it is over."""

from __future__ import annotations

import time
from typing import Any, Final, Protocol

from flowwatch.handling.records import Said

GRACE_S: Final = 30.0
"""A restart of a broker or an Alertmanager is no news."""


class Trouble(Protocol):
    """What a complaint is told to: the desk's `trouble`."""

    def __call__(self, key: str, text: Said, *, on: bool) -> Any:
        """`key`: who cannot be reached; `on` false: can again."""


def no_trouble(key: str, text: Said, *, on: bool) -> None:
    """Tells nobody."""
    del key, text, on


class Complaint:
    """The complaint about one receiver, `key`. For one thread."""

    def __init__(self, key: str, trouble: Trouble, grace_s: float = GRACE_S) -> None:
        self._key, self._trouble, self._grace_s = key, trouble, grace_s
        self._since: float | None = None
        self._told: bool | None = None
        """Whether it was told; None: not known, because an earlier process may have told it."""

    @property
    def well(self) -> bool:
        """Whether nothing was wrong when this was last heard of, and everybody knows."""
        return self._since is None and self._told is False

    def fails(self, text: Said) -> None:
        """It fails now."""
        now = time.monotonic()
        if self._since is None:
            self._since = now
        if now - self._since >= self._grace_s and self._told is not True:
            self._told = True
            self._trouble(self._key, text, on=True)

    def goes(self, text: Said) -> None:
        """It goes now."""
        self._since = None
        if self._told is not False:
            self._told = False
            self._trouble(self._key, text, on=False)
