"""Where things lie in the folder that one flowwatch works in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Workspace:
    """The working folder: the log, the journal, and what the runner keeps between two runs."""

    root: Path

    @property
    def log(self) -> Path:
        """What was seen: segment files, one folder a partition."""
        return self.root / "log"

    @property
    def journal(self) -> Path:
        """What was decided: a SQLite database."""
        return self.root / "journal.db"

    @property
    def handling(self) -> Path:
        """What people were told and what they did about it: a journal of its own, which the service writes."""
        return self.root / "handling.db"

    @property
    def state(self) -> Path:
        """The runner's own: its lock, its generation, Bytewax's recovery."""
        return self.root / "state"

    @property
    def recovery(self) -> Path:
        """Where Bytewax notes offsets and checkpoint names."""
        return self.state / "recovery"

    @property
    def run_lock(self) -> Path:
        """Held by the supervisor and its workers for as long as any of them lives."""
        return self.state / "run.lock"

    @property
    def generation(self) -> Path:
        """How many times an engine has started here."""
        return self.state / "generation"

    @property
    def service(self) -> Path:
        """The service's own database: who may do what, what was sent to devices, fires that it holds latched."""
        return self.root / "service.db"

    @property
    def handling_kept(self) -> Path:
        """What the service knows of `handling`, so that its next start need not read all of it."""
        return self.state / "handling.kept"

    @property
    def serve_lock(self) -> Path:
        """Held by the service for as long as it lives."""
        return self.state / "serve.lock"

    @property
    def serve_generation(self) -> Path:
        """How many times a service has started here; what an older one sends, devices refuse."""
        return self.state / "serve.generation"
