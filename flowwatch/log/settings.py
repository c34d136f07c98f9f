"""What a log was created with, for its whole life, and the names of the folders and files in it.

`settings.json` is written last when a log is made: a folder without it is no log yet, and making it again finishes the work.
"""

from __future__ import annotations

import zlib
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec

from flowwatch.log.disk import replace_file, storage, sync_folder
from flowwatch.log.errors import LogError

FORMAT: Final = 1
"""The number of the on-disk format that this code reads and writes."""

UNROUTED: Final = "unrouted"
"""The partition of what belongs to no known site."""

MOST_PARTITIONS: Final = 100
"""Partition folders have two digits."""


class Clock(StrEnum):
    """Where a log's time comes from, fixed when it is made."""

    WALL = "wall"
    """Live: ticks follow the wall clock."""
    EVENT = "event"
    """An archive: ticks follow the readings' own times."""
    TOLD = "told"
    """A rehearsal: like a live log, but time goes on when somebody says so, by a tick in the inbox."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a log was created with. `tick_us`: microseconds between ticks; `partitions`: how many, `UNROUTED` not counted."""

    format: int = FORMAT
    clock: Clock = Clock.WALL
    tick_us: int = 1_000_000
    partitions: int = 16

    @property
    def live(self) -> bool:
        """Whether rows come in while the engine runs: through the inbox, with ticks by whoever holds the log."""
        return self.clock is not Clock.EVENT

    @property
    def folders(self) -> list[str]:
        """The names of all partitions, in the order of their numbers; `UNROUTED` is the last."""
        return [f"p{number:02d}" for number in range(self.partitions)] + [UNROUTED]

    def partition_of(self, group: str) -> int:
        """The number of the partition in which a group of sites has its rows."""
        return zlib.crc32(group.encode()) % self.partitions

    def number_of(self, path: Path, partition: str) -> int:
        """The number of the partition of that name in the log at `path`. Raises `LogError`."""
        try:
            return self.folders.index(partition)
        except ValueError:
            raise LogError(path, f"no partition {partition!r}", f"one of p00 to p{self.partitions - 1:02d}, or {UNROUTED}") from None


def settings_file(path: Path) -> Path:
    """The file of the settings of the log at `path`."""
    return path / "settings.json"


def inbox_folder(path: Path) -> Path:
    """The folder in which other processes leave rows for the writer."""
    return path / "inbox"


def load(path: Path | str) -> Settings:
    """The settings of the log at `path`. Raises `LogError` where there is no log, or one of another format."""
    file = settings_file(Path(path))
    if not file.exists():
        raise LogError(path, "no log here (it has no settings.json)", "a folder made by `flowwatch log create`")
    with storage(file):
        data = file.read_bytes()
    try:
        settings = msgspec.json.decode(data, type=Settings)
    except msgspec.MsgspecError as error:
        raise LogError(file, f"unreadable: {error}", "the settings that the log was created with") from error
    _check(file, settings)
    return settings


def create(path: Path | str, *, clock: Clock | str = Clock.WALL, tick_us: int = 1_000_000, partitions: int = 16) -> Settings:
    """Make a log at `path`, durably; a log with equal settings is left as it is.

    Raises:
        LogError: other settings stand there, or segments without settings.
        DiskRefused: the folder cannot be written.
        ValueError: `clock`, `tick_us` or `partitions` out of range.
    """
    path = Path(path)
    wanted = Settings(clock=Clock(clock), tick_us=tick_us, partitions=partitions)
    if tick_us < 1 or not 1 <= partitions <= MOST_PARTITIONS:
        raise ValueError(f"tick_us={tick_us}, partitions={partitions}: expected tick_us >= 1 and 1 to {MOST_PARTITIONS} partitions")
    if settings_file(path).exists():
        found = load(path)
        if found != wanted:
            raise LogError(path, f"already a log, with {_told(found)}", f"the same as asked for: {_told(wanted)}")
        return found
    with storage(path):
        if any(path.glob("*/*.seg")):
            raise LogError(path, "segments without a settings.json", "an empty folder, or the settings.json that belongs to them")
        changed = [path, *(folder.parent for folder in (path, *path.parents) if not folder.exists())]
        for folder in (path, *(path / name for name in wanted.folders), inbox_folder(path)):
            folder.mkdir(parents=True, exist_ok=True)
        for folder in changed:
            sync_folder(folder)
    replace_file(settings_file(path), [msgspec.json.format(msgspec.json.encode(wanted)) + b"\n"])
    return wanted


def _check(file: Path, settings: Settings) -> None:
    if settings.format != FORMAT:
        raise LogError(file, f"format {settings.format}", f"format {FORMAT}; another version of flowwatch made this log")
    if settings.tick_us < 1 or not 1 <= settings.partitions <= MOST_PARTITIONS:
        raise LogError(file, f"{_told(settings)}", f"tick_us >= 1 and 1 to {MOST_PARTITIONS} partitions")


def _told(settings: Settings) -> str:
    return f"clock {settings.clock.value}, tick_us {settings.tick_us}, {settings.partitions} partitions"
