"""Everything that a controller heard and did, as lines of JSON: what a test reads afterwards."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any


class Diary:
    """A file that is only ever appended to, by several threads and lives; nothing is written where there is none."""

    def __init__(self, path: Path | None) -> None:
        self._file = path.open("ab", buffering=0) if path is not None else None
        self._lock = threading.Lock()

    def write(self, event: str, device: str, **fields: Any) -> None:
        """One line; it is the operating system's when this returns, so that a kill takes none back."""
        if self._file is None:
            return
        line = json.dumps({"at_us": time.time_ns() // 1000, "event": event, "device": device, **fields}, ensure_ascii=False)
        with self._lock:
            self._file.write(line.encode() + b"\n")

    def close(self) -> None:
        """Give the file back."""
        if self._file is not None:
            self._file.close()
