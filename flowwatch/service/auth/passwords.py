"""Passwords: Argon2id, with the second recommended parameters of RFC 9106 (64 MiB, 3 passes).

Checking one takes some 50 ms and 64 MiB, so that only a few are checked at a time; a name that nobody has is checked against a password
that nobody has, so that the time does not tell which names there are.
"""

from __future__ import annotations

from functools import lru_cache
from threading import BoundedSemaphore
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST, LONGEST = 12, 1024
"""Characters of a password. Length is the only rule (NIST SP 800-63B): rules about signs make people choose alike."""
AT_ONCE: Final = 2


class WeakPasswordError(ValueError):
    """The password is too short, too long, or the person's own name."""


class Passwords:
    """Makes and checks what is kept of passwords."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        """`hasher` is for tests, which have no time for real parameters."""
        self._hasher = hasher or PasswordHasher(time_cost=3, memory_cost=65536, parallelism=4)
        self._room = BoundedSemaphore(AT_ONCE)
        self._nobody = lru_cache(1)(lambda: self._hasher.hash("nobody has this password"))

    def kept(self, name: str, password: str) -> str:
        """What is kept of a new password of `name`. Raises `WeakPasswordError`."""
        if not SHORTEST <= len(password) <= LONGEST:
            raise WeakPasswordError(f"found {len(password)} characters, expected a password of {SHORTEST} to {LONGEST}")
        if password.casefold() == name.casefold() or len(set(password)) < 4:
            raise WeakPasswordError("the password is the name, or a few characters again and again; expected one that nobody guesses")
        with self._room:
            return self._hasher.hash(password)

    def matches(self, kept: str | None, password: str) -> bool:
        """Whether this is the password; None, for a name that nobody has, takes as long and is False."""
        with self._room:
            try:
                self._hasher.verify(self._nobody() if kept is None else kept, password[: LONGEST + 1])
            except (VerificationError, InvalidHashError, UnicodeEncodeError):
                return False
        return kept is not None

    def is_old(self, kept: str) -> bool:
        """Whether it was kept with other parameters than those of today."""
        return self._hasher.check_needs_rehash(kept)
