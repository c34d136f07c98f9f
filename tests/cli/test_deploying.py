"""The units and the containers that ship: commands, options and paths in them exist, secrets stay secrets, and nothing is stopped too early."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from configparser import RawConfigParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from flowwatch import supervisor, upkeep
from flowwatch.cli.main import main
from flowwatch.documents.deployment import load_deployment
from flowwatch.service import server

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "config/compose"
UNITS = sorted((ROOT / "config/systemd").glob("*.service"))
TIMERS = sorted((ROOT / "config/systemd").glob("*.timer"))


def unit(path: Path) -> dict[str, dict[str, str]]:
    """The sections of a unit; a key that stands twice keeps its last value."""
    parser = RawConfigParser(strict=False, delimiters=("=",), comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # keys as they are written
    parser.read_string(path.read_text(encoding="utf-8"))
    return {name: dict(parser[name]) for name in parser.sections()}


def composed() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((COMPOSE / "compose.yaml").read_text(encoding="utf-8"))
    return found


def options(arguments: list[str]) -> dict[str, str]:
    """`--name value` and `--name=value` by name; what has none is left out."""
    joined = " ".join(arguments).replace("=", " ").split()
    return {name: value for name, value in pairwise(joined) if name.startswith("--")}


def exists_with_its_options(arguments: list[str], tmp_path: Path) -> None:
    """Fail unless the command takes these options; paths that it wants to find are given ones that are there."""
    file = tmp_path / "there.yaml"
    file.touch()
    stand_ins = {"--documents": str(tmp_path), "--deployment": str(file), "--key": str(file)}
    given = arguments[: next((i for i, word in enumerate(arguments) if word.startswith("-")), 1)]
    for name, value in options(arguments[1:]).items():
        given += [name, stand_ins.get(name, value)]
    result = CliRunner().invoke(main, [*given, "--help"], prog_name="flowwatch")
    assert result.exit_code == 0, (arguments, result.output)
    assert set(options(arguments[1:])) <= set(re.findall(r"--[a-z-]+", result.output))


def seconds(text: str) -> float:
    number, unit_ = re.fullmatch(r"(\d+)(s|m|min)?", text).groups()  # type: ignore[union-attr]
    return int(number) * (1 if unit_ in (None, "s") else 60)


def dockerfile() -> list[str]:
    """Its instructions, each on a line."""
    text = re.sub(r"\\\n", " ", (COMPOSE / "Dockerfile").read_text(encoding="utf-8"))
    return [line for line in text.splitlines() if line and not line.startswith("#")]


# -- systemd


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_runs_a_command_that_there_is(path: Path, tmp_path: Path) -> None:
    words = shlex.split(unit(path)["Service"]["ExecStart"])
    assert words[0] == "/opt/flowwatch/bin/flowwatch"
    exists_with_its_options(words[1:], tmp_path)


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_a_unit_gives_nobody_more_than_it_needs(path: Path) -> None:
    service = unit(path)["Service"]
    assert service["User"] == "flowwatch"
    for key in ("NoNewPrivileges", "PrivateTmp", "PrivateDevices", "ProtectHome", "RestrictSUIDSGID", "ProtectKernelModules"):
        assert service[key] == "yes", key
    assert service["ProtectSystem"] == "strict"
    assert service["CapabilityBoundingSet"] == ""
    assert options(shlex.split(service["ExecStart"]))["--data"] == f"/var/lib/{service['StateDirectory']}"


def test_the_engine_has_no_secrets_and_the_others_only_as_credentials() -> None:
    found = {path.name: unit(path)["Service"].get("LoadCredential") for path in UNITS}
    assert found == {
        "flowwatch-head.service": "head-key:/etc/flowwatch/secrets/head-key.pem",
        "flowwatch-run.service": None,
        "flowwatch-serve.service": "broker-password:/etc/flowwatch/secrets/broker-password",
    }
    assert unit(ROOT / "config/systemd/flowwatch-head.service")["Service"]["PrivateNetwork"] == "yes"
    assert unit(ROOT / "config/systemd/flowwatch-run.service")["Service"]["PrivateNetwork"] == "yes"


def test_units_wait_longer_for_an_end_than_what_they_run_takes() -> None:
    stops = {path.name: seconds(unit(path)["Service"]["TimeoutStopSec"]) for path in UNITS}
    assert stops["flowwatch-run.service"] > supervisor.STOP_S
    assert stops["flowwatch-serve.service"] > server.STOP_S
    assert {unit(path)["Service"]["KillMode"] for path in UNITS} == {"mixed"}


def test_the_service_stops_before_the_engine() -> None:
    assert "flowwatch-run.service" in unit(ROOT / "config/systemd/flowwatch-serve.service")["Unit"]["After"].split()


@pytest.mark.parametrize("path", TIMERS, ids=lambda path: path.name)
def test_a_timer_starts_a_unit_that_there_is(path: Path) -> None:
    assert path.with_suffix(".service") in UNITS
    assert unit(path)["Install"]["WantedBy"] == "timers.target"


@pytest.mark.parametrize("path", [*UNITS, *TIMERS], ids=lambda path: path.name)
def test_systemd_has_nothing_to_say_against_a_unit(path: Path, tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed: it reads the units as systemd would")
    for other in [*UNITS, *TIMERS]:
        text = other.read_text(encoding="utf-8").replace("/opt/flowwatch/bin/flowwatch", "/bin/true")
        (tmp_path / other.name).write_text(text, encoding="utf-8")
    done = subprocess.run(
        [analyze, "verify", "--man=no", "--recursive-errors=no", str(tmp_path / path.name)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert [line for line in done.stderr.splitlines() if path.name in line] == []


# -- containers


def test_the_container_runs_a_command_that_there_is(tmp_path: Path) -> None:
    command = composed()["services"]["flowwatch"]["command"]
    exists_with_its_options(command, tmp_path)
    assert options(command)["--deployment"] == "/etc/flowwatch/config/deployments/compose.yaml"
    assert (ROOT / "config/deployments/compose.yaml").exists()


def test_the_container_has_longer_to_stop_than_both_parts_together() -> None:
    assert seconds(composed()["services"]["flowwatch"]["stop_grace_period"]) > 2 * upkeep.STOP_S


def test_containers_are_on_no_network_of_others_and_have_no_rights() -> None:
    for name, service in composed()["services"].items():
        assert all(str(port).startswith("127.0.0.1:") for port in service["ports"]), name
        assert service["cap_drop"] == ["ALL"]
        assert service["read_only"]
    assert any(line.startswith("USER ") and line != "USER root" for line in dockerfile())


def test_what_the_broker_and_the_deployment_say_fits_together() -> None:
    said = load_deployment(ROOT / "config/deployments/compose.yaml")
    main_broker = said.brokers["main"]
    whole = composed()
    assert main_broker.host in whole["services"]
    assert main_broker.password_file == "/run/secrets/" + whole["services"]["flowwatch"]["secrets"][0]["target"]
    conf = dict(
        line.split(maxsplit=1)
        for line in (COMPOSE / "mosquitto.conf").read_text(encoding="utf-8").splitlines()
        if line and not line.startswith("#")
    )
    assert conf["password_file"] == "/run/secrets/" + whole["services"]["broker"]["secrets"][0]["target"]
    assert conf["listener"] == str(main_broker.port_number)
    assert (conf["allow_anonymous"], conf["persistence"], conf["max_queued_messages"]) == ("false", "true", "0")


def test_the_image_is_made_of_what_the_repository_has_with_the_locks_hashes() -> None:
    lines = dockerfile()
    copied = [words[1:-1] for line in lines if (words := line.split())[0] == "COPY" and "--from" not in line]
    assert all((ROOT / name).exists() for names in copied for name in names)
    assert any("--require-hashes --requirement requirements.lock" in line for line in lines)
    let_in = {line[1:] for line in (COMPOSE / "Dockerfile.dockerignore").read_text(encoding="utf-8").split() if line.startswith("!")}
    assert {name.split("/")[0] for names in copied for name in names} <= let_in
    assert composed()["services"]["flowwatch"]["build"]["dockerfile"] == "config/compose/Dockerfile"


def test_the_health_check_asks_where_the_service_listens() -> None:
    (check,) = [line for line in dockerfile() if line.startswith("HEALTHCHECK")]
    port = options(composed()["services"]["flowwatch"]["command"])["--listen"].rpartition(":")[2]
    assert f"http://127.0.0.1:{port}/health" in check
