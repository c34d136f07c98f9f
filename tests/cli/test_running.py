"""`docs/running.md` does what it says: its steps, one after the other, in an empty folder, with a real broker."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import BINARY, free_port

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/running.md"
TOOLS = ("bash", "curl", "mosquitto_passwd", "mosquitto_pub", "mosquitto_sub", "openssl", "sqlite3", "tar")
STEP_S = 240
"""How long all the steps may take, on a machine that does other things besides."""


def steps() -> str:
    """The part of the page that is done step by step."""
    return PAGE.read_text(encoding="utf-8").partition("## Step by step\n")[2].partition("\n## ")[0]


def blocks(text: str) -> Iterator[tuple[str, str]]:
    """(language, text) of every code block, in their order."""
    for match in re.finditer(r"^```(\w*)\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        yield match[1], match[2]


def commands_in(folder: Path) -> Path:
    """A folder with the project's commands, run from this checkout by this Python."""
    made = folder / "bin"
    made.mkdir()
    for name, module in (("flowwatch", "flowwatch.cli.main"), ("flowwatch-gate", "flowwatch_sim.cli.gate")):
        script = made / name
        program = f"import sys\nsys.path[:0] = [{str(ROOT)!r}, {str(ROOT / 'simulators')!r}]\nfrom {module} import main\nmain()\n"
        script.write_text(f"#!{sys.executable}\n{program}", encoding="utf-8")
        script.chmod(0o755)
    return made


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder after all steps; what they printed is in `printed`."""
    missing = [name for name in TOOLS if shutil.which(name) is None]
    if BINARY is None or missing:
        pytest.skip(f"not installed: {', '.join(missing) or 'mosquitto'}; the steps of docs/running.md are run with them")
    folder = tmp_path_factory.mktemp("plaza")
    own = commands_in(folder)
    ports = {"1883": str(free_port()), "8470": str(free_port())}
    script = ["set -eu"]
    for language, text in blocks(steps()):
        for shown, free in ports.items():
            text = re.sub(rf"\b{shown}\b", free, text)  # noqa: PLW2901 - the same block with ports that are free here
        head = re.match(r"# (\S+)\n", text)
        if language == "sh":
            script.append(text)
        elif head and language in ("yaml", ""):
            file = folder / head[1]
            file.parent.mkdir(parents=True, exist_ok=True)
            more = "user root\n" if file.suffix == ".conf" and os.getuid() == 0 else ""
            file.write_text(text + more, encoding="utf-8")
    environment = os.environ | {
        "PATH": f"{own}:{Path(BINARY).parent}:{os.environ['PATH']}",
        "PYTHONPATH": f"{ROOT}:{ROOT / 'simulators'}",
        "LANG": "C.UTF-8",
    }
    with (folder / "printed").open("wb") as printed:
        shell = subprocess.Popen(
            ["bash", "-c", "\n".join(script)], cwd=folder, env=environment, stdout=printed, stderr=printed, start_new_session=True
        )
        try:
            code = shell.wait(STEP_S)
        finally:
            os.killpg(shell.pid, signal.SIGKILL)  # the broker, and whatever a step that failed has left
            shell.wait()
    assert code == 0, (folder / "printed").read_text(encoding="utf-8")[-4000:] + (folder / "up.log").read_text(encoding="utf-8")[-2000:]
    return folder


def told(place: Path) -> list[dict[str, object]]:
    """Everything that the gates heard and did."""
    return [json.loads(line) for line in (place / "gate.log").read_text(encoding="utf-8").splitlines()]


@pytest.mark.slow
def test_the_steps_can_be_done_as_they_are_written(place: Path) -> None:
    printed = (place / "printed").read_text(encoding="utf-8")
    assert printed.count('{"status":"ok"}') == 2
    assert '{"accepted":1,"refused":{},"examples":[]}' in printed
    assert "release command number 2 to West gate" in printed


@pytest.mark.slow
def test_the_command_on_the_wire_is_the_one_of_the_journal(place: Path) -> None:
    said = [json.loads(line) for line in (place / "commands.json").read_text(encoding="utf-8").splitlines()]
    command = next(one for one in said if one["setting"] == "out")
    assert (command["device"], command["fire"], command["reason"]) == ("gate/east", False, "stage")
    obeyed = [one["command"] for one in told(place) if one["event"] == "obeyed" and one["device"] == "gate/east"]
    assert command["command"] in obeyed


@pytest.mark.slow
def test_the_gate_that_waits_obeys_once_it_is_released_and_both_in_the_fire(place: Path) -> None:
    obeyed = [(one["device"], one["fire"], one["setting"]) for one in told(place) if one["event"] == "obeyed"]
    assert ("gate/west", False, "out") in obeyed
    assert {("gate/east", True, "out"), ("gate/west", True, "out")} <= set(obeyed)
    assert obeyed.index(("gate/west", False, "out")) < obeyed.index(("gate/west", True, "out"))


@pytest.mark.slow
def test_gates_hear_the_service_that_was_restored(place: Path) -> None:
    east = [one for one in told(place) if one["event"] == "obeyed" and one["device"] == "gate/east"]
    assert east[-1]["setting"] == "both"
    assert int(str(east[-1]["generation"])) > int(str(east[0]["generation"]))
