"""What a controller does wrong, on demand."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_SECONDS: Final = re.compile(r"(delay|drop)=([0-9]+(?:\.[0-9]+)?)(ms|s|m)?")
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, None: 1.0}
_WORDS: Final = ("refuse", "jam", "lie", "deaf", "slow")


@dataclass(frozen=True, slots=True)
class Faults:
    """All that is wrong with one controller at a time."""

    delay_s: float = 0.0
    """It begins to turn so much later."""
    drop_s: float = 0.0
    """It loses its connection once, for so long."""
    refuse: bool = False
    """It says that it will not, and does not."""
    jam: bool = False
    """It begins to turn and gets nowhere, as long as this stands."""
    lie: bool = False
    """It says that it obeyed, and stays."""
    deaf: bool = False
    """It hears no command."""
    slow: bool = False
    """It takes three times as long."""

    @classmethod
    def parse(cls, text: str) -> Faults:
        """The faults in `text`, parted by commas; none where it is empty. Raises ValueError with what was expected.

        >>> Faults.parse("delay=2s,lie").delay_s
        2.0
        """
        found: dict[str, float | bool] = {}
        for word in filter(None, (part.strip() for part in text.split(","))):
            if timed := _SECONDS.fullmatch(word):
                found[f"{timed[1]}_s"] = float(timed[2]) * _UNITS[timed[3]]
            elif word in _WORDS:
                found[word] = True
            else:
                raise ValueError(f'found the fault "{word}", expected one of {", ".join(_WORDS)}, delay=2s, drop=10s')
        return cls(**found)  # type: ignore[arg-type]
