"""What every test may use, and the count of what was skipped.

Tests on real measurements read them through FLOWWATCH_DATA and are skipped, with that reason, where it is not set. With FLOWWATCH_NO_SKIPS
set (as the project's CI does) a skipped test fails the run.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

# how long examples take to be made says how busy the machine is
hypothesis.settings.register_profile("flowwatch", deadline=None, print_blob=True, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("flowwatch")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real measurements."""
    folder = os.environ.get("FLOWWATCH_DATA")
    if not folder:
        pytest.skip("FLOWWATCH_DATA is not set: it names the folder of real measurements that this test reads")
    return Path(folder)


@pytest.fixture
def swept() -> Iterator[None]:
    """What a test leaves to the collector goes with it, and is not told at another."""
    yield
    gc.collect()


def _skipped(reporter: pytest.TerminalReporter) -> int:
    return len(reporter.stats.get("skipped", []))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many tests were skipped, also when none was."""
    skipped = _skipped(terminalreporter)
    fails = ", and FLOWWATCH_NO_SKIPS makes that a failure" if skipped and os.environ.get("FLOWWATCH_NO_SKIPS") else ""
    terminalreporter.write_line(f"tests skipped: {skipped}{fails}")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run that skipped where nothing may be skipped."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("FLOWWATCH_NO_SKIPS") and isinstance(reporter, pytest.TerminalReporter) and _skipped(reporter):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
