"""Nothing lost, nothing done twice: kill -9 of everything at random moments, and then what is true of what is left.

    python -m tests.soak [--kills 100] [--commands 2000] [--seed N] [--sites 4] [--folder DIR]

A real installation in a folder: Mosquitto, `flowwatch up` with its engine and its service, simulated gates that obey over MQTT and HTTP, and
crowds whose counters send over HTTP until they are answered 202. Engine, worker, service, `up`, broker and gates are killed one or two at a time;
each comes back as it would under an init system. Prints a table; exits with 1, and keeps the folder, if anything does not hold.
"""

from __future__ import annotations

import argparse
import secrets
import shutil
import sys
import tempfile
from pathlib import Path

from tests.soak.chaos import Asked, Soak, SoakError
from tests.soak.findings import judge


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--commands", type=int, default=2_000, help="go on until the journal has so many [default: 2000]")
    parser.add_argument("--seed", type=int, default=None, help="of who is killed, when, and what the crowds do [default: drawn, printed]")
    parser.add_argument("--sites", type=int, default=4)
    parser.add_argument("--gap", type=float, default=4.0, help="mean seconds between two kills [default: 4]")
    parser.add_argument("--folder", type=Path, help="where to work; kept [default: a temporary one, removed if all holds]")
    chosen = parser.parse_args()
    seed = secrets.randbelow(2**31) if chosen.seed is None else chosen.seed
    folder = Path(tempfile.mkdtemp(prefix="flowwatch-soak-")) if chosen.folder is None else chosen.folder.absolute()
    print(f"seed {seed}, folder {folder}", flush=True)
    soak = Soak(folder, Asked(chosen.kills, chosen.commands, seed, chosen.sites, gap_s=chosen.gap))
    try:
        soak.run()
    except (SoakError, TimeoutError) as error:
        print(f"FAILS: {error}; seed {seed}, folder {folder}")
        return 1
    verdict = judge(soak)
    print(verdict.table())
    if not verdict.good:
        print(f"FAILS: seed {seed}, folder {folder}")
        return 1
    if chosen.folder is None:
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
