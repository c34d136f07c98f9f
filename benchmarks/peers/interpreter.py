"""A Python of the peers' own: what they need is not what flowwatch needs, and a peer that is missing is left out and said so.

`--peer-python PATH` names one that has a peer's packages; `--make-peers` makes one in a temporary folder from `requirements.txt` and takes it away
afterwards (1.3 GB, since JuPedSim brings Qt and VTK). Without either there are no peers.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent
MODULES: Final = {"pednstream": "pednstream_runs.py", "jupedsim": "jupedsim_plaza.py"}


@dataclass(frozen=True, slots=True)
class Peers:
    """The peers that an interpreter has: name -> version."""

    python: Path | None
    versions: Mapping[str, str]

    def run(self, peer: str, job: Mapping[str, Any]) -> dict[str, Any] | None:
        """What a peer makes of a job, in a process of its own; None where it is not there. Raises RuntimeError where it fails."""
        if peer not in self.versions:
            return None
        done = subprocess.run(
            [str(self.python), str(HERE / MODULES[peer])], input=json.dumps(job), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{peer} failed:\n{done.stderr}")
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found

    def title(self, peer: str) -> str:
        """A peer and its version."""
        return (
            f"{peer} {self.versions[peer]}" if peer in self.versions else f"{peer} is not here (--peer-python, --make-peers) and left out"
        )


def at(python: Path | None) -> Peers:
    """The peers of an interpreter; none of None."""
    if python is None:
        return Peers(None, {})
    ask = "import importlib.metadata as m, json, sys\nhave = {d.name.lower(): d.version for d in m.distributions()}\n"
    ask += "print(json.dumps({name: have[name] for name in sys.argv[1:] if name in have}))"
    told = subprocess.run([str(python), "-c", ask, *MODULES], capture_output=True, text=True, check=True).stdout
    return Peers(python, json.loads(told))


@contextmanager
def found(python: Path | None, *, make: bool) -> Iterator[Peers]:
    """The peers of `python`, or with `make` those of an interpreter that is made for the while."""
    if not make:
        yield at(python)
        return
    with tempfile.TemporaryDirectory(prefix="peers-") as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        made = Path(folder, "bin", "python")
        subprocess.run([str(made), "-m", "pip", "install", "--quiet", "--requirement", str(HERE / "requirements.txt")], check=True)
        yield at(made)
