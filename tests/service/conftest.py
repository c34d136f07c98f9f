"""What the tests of the service share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.service.place import Place, make

Run = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A service on a live folder."""
    with ExitStack() as owned:
        yield make(tmp_path, owned)


@pytest.fixture
def run() -> Run:
    """Runs a coroutine."""
    return asyncio.run
