"""Handlers that read the disk run in threads, so that the loop goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def threaded(work: Callable[P, T]) -> Callable[P, Awaitable[T]]:
    """The handler as one that runs in a thread. (Litestar's own `sync_to_thread` wraps a handler of a path with several methods twice.)"""

    @wraps(work)
    async def call(*args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.to_thread(work, *args, **kwargs)

    return call
