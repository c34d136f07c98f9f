"""What is installed: pinned requirements without addresses, a wheel that carries its documents, a command line that starts quickly."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PIN = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>\S+)(?P<marker> ; .*)? \\$")


def pins(lock: str) -> dict[str, str]:
    """The versions of a lock file by name; fails on a line that is neither a pin, nor a hash, nor a comment."""
    found: dict[str, str] = {}
    for line in (ROOT / lock).read_text(encoding="utf-8").splitlines():
        if line.startswith(("#", "    --hash=sha256:")):
            continue
        pin = PIN.match(line)
        assert pin, f"{lock}: {line!r}"
        assert pin["name"] not in found, f"{lock}: {pin['name']} is pinned twice: one version serves both Pythons"
        found[pin["name"]] = pin["version"]
    return found


def test_both_locks_pin_the_same_versions_with_hashes_and_without_addresses() -> None:
    run, test = pins("requirements.lock"), pins("requirements-dev.lock")
    assert run.items() <= test.items()
    for lock in ("requirements.lock", "requirements-dev.lock"):
        assert "://" not in (ROOT / lock).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, timeout=300)
    (built,) = folder.glob("*.whl")
    return built


@pytest.mark.slow
def test_the_wheel_carries_every_document_that_the_checkout_has(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    documents = [
        path.relative_to(ROOT) for folder in ("rules", "config", "docs/runbooks") for path in (ROOT / folder).rglob("*") if path.is_file()
    ]
    assert documents
    assert {f"flowwatch/shipped/{path.as_posix()}" for path in documents} <= inside
    assert not [name for name in inside if name.startswith(("tests/", "benchmarks/", "simulators/"))]


HANGS_S = 1_500
"""The demo takes some two minutes, several on a busy machine."""


@pytest.mark.slow
def test_the_demo_runs_from_an_installed_wheel_in_an_empty_folder(wheel: Path, tmp_path: Path) -> None:
    home, empty = tmp_path / "venv", tmp_path / "empty"
    empty.mkdir()
    venv.create(home, with_pip=False, symlinks=True)
    paths = {"base": str(home), "platbase": str(home)}
    site = Path(sysconfig.get_path("purelib", "venv", paths))
    pip = [sys.executable, "-m", "pip", "--python", str(home / "bin" / "python")]
    install = [*pip, "install", "--quiet", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(install, check=True, timeout=300)
    # The locked dependencies are those of this environment; its own flowwatch is not, because .pth files count in site folders only.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHONPATH", "FLOWWATCH_"))}

    def flowwatch(*args: str) -> str:
        command, pipe = [str(home / "bin" / "flowwatch"), *args], subprocess.PIPE
        with subprocess.Popen(command, cwd=empty, env=environment, stdout=pipe, stderr=pipe, text=True, start_new_session=True) as started:
            try:
                out, err = started.communicate(timeout=HANGS_S)
            except BaseException:
                os.killpg(started.pid, signal.SIGKILL)  # what it started, too
                raise
        assert started.returncode == 0, (command, out[-2000:], err[-2000:])
        return out

    where = [str(home / "bin" / "python"), "-c", "import flowwatch; print(flowwatch.__file__)"]
    assert subprocess.run(where, cwd=empty, env=environment, capture_output=True, text=True, check=True).stdout.startswith(str(home))
    flowwatch("demo", "--speed", "20000")
    entries = [json.loads(line) for line in flowwatch("journal", "show", "--data", "demo", "--json").splitlines()]
    alert = next(entry for entry in entries if entry["kind"] == "incident")
    assert flowwatch("explain", "--data", "demo", alert["id"])


HEAVY = ("bytewax", "cryptography", "msgspec", "numpy", "pandas", "pyarrow", "sqlalchemy", "yaml", "rich.progress")


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys; from flowwatch.cli.main import main; main(['--help'], standalone_mode=False); print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "Usage" in done.stdout
    assert not set(HEAVY) & set(done.stderr.split())
