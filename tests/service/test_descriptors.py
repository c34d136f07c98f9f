"""The service takes the file descriptors that it may have, because a service without any takes no report of a fire."""

from __future__ import annotations

import subprocess
import sys

import pytest

from flowwatch.service.server import FEW_DESCRIPTORS

TAKE = """
import logging, resource
from flowwatch.service.server import take_descriptors
logging.basicConfig(format="%(message)s")
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))
take_descriptors()
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize(("soft", "hard", "taken"), [(256, 8_192, 8_192), (8_192, 8_192, 8_192), (256, 1_024, 1_024)])
def test_it_takes_as_many_descriptors_as_may_be_had_and_says_where_they_are_few(soft: int, hard: int, taken: int) -> None:
    ran = subprocess.run([sys.executable, "-c", TAKE.format(soft=soft, hard=hard)], capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout.split() == [str(taken), str(hard)]
    few = f"only {taken} file descriptors may be had, expected {FEW_DESCRIPTORS} at least (ulimit -n, LimitNOFILE)\n"
    assert ran.stderr == (few if taken < FEW_DESCRIPTORS else "")
