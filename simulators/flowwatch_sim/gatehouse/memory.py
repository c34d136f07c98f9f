"""What a controller must not forget when its power is cut: written to the disk before it acts and before it answers."""

from __future__ import annotations

from pathlib import Path

import msgspec

from flowwatch.log.disk import replace_file


class Memory(msgspec.Struct, kw_only=True):
    """One device's. `revision` and `attempt` are the last obeyed and the highest seen of that revision."""

    setting: str | None
    revision: int = 0
    attempt: int = 0
    generation: int = 0
    command: str | None = None
    by: str = "command"
    on_lost: str | None = None


class MemoryFile:
    """Where it is kept."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)

    def read(self) -> Memory | None:
        """What was kept last; None on the first start."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Memory)
        except FileNotFoundError:
            return None

    def keep(self, memory: Memory) -> None:
        """Keep it; on the disk when this returns."""
        replace_file(self._path, [msgspec.json.encode(memory)])
