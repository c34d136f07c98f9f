"""A desk as a process of its own, which a test kills: it tells what the journal has, and acknowledges what it is told to on its standard input."""

from __future__ import annotations

import sys
from pathlib import Path

from flowwatch.handling.records import Act
from flowwatch.handling.steps import NotPossibleError
from tests.handling.tale import Room


def main() -> None:
    """Each line names an incident; the answer, once the step is durable, is its entry's id or "-"."""
    desk = Room(Path(sys.argv[1])).desk()
    desk.caught_up(30.0)
    print("ready", flush=True)
    for line in sys.stdin:
        try:
            entry = desk.act("yuyuan", line.strip(), Act.NOTE, "wang", reason=line.strip()).result(30.0)
        except NotPossibleError:
            entry = None
        print("-" if entry is None else entry.id, flush=True)


if __name__ == "__main__":
    main()
