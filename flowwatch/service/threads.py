"""Who waits for whom: handlers that read the disk run in threads, and each kind of work has threads of its own.

At the door stand the look-up of who asks and the report of a fire: short, and never behind what others ask for. What reads a long stretch of the
records, or asks a resolver, has few threads, so that many such questions neither hold up the others nor take the processor from them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial, wraps
from typing import Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_DOOR: Final = ThreadPoolExecutor(4, thread_name_prefix="door")
_HANDLERS: Final = ThreadPoolExecutor(6, thread_name_prefix="handler")
_SCRAPED: Final = ThreadPoolExecutor(1, thread_name_prefix="scraped")
_SLOW: Final = ThreadPoolExecutor(2, thread_name_prefix="slow")


async def at_the_door(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """`work` in a thread that only the door and fires use."""
    return await asyncio.get_running_loop().run_in_executor(_DOOR, partial(work, *args, **kwargs))


def threaded(work: Callable[P, T]) -> Callable[P, Awaitable[T]]:
    """The handler as one that runs in a thread. (Litestar's own `sync_to_thread` wraps a handler of a path with several methods twice.)"""
    return _in(_HANDLERS, work)


def scraped(work: Callable[P, T]) -> Callable[P, Awaitable[T]]:
    """The same for the metrics: asked for every few seconds, and not to wait for what people ask."""
    return _in(_SCRAPED, work)


def slow(work: Callable[P, T]) -> Callable[P, Awaitable[T]]:
    """The same for a handler that may take seconds."""
    return _in(_SLOW, work)


def _in(pool: ThreadPoolExecutor, work: Callable[P, T]) -> Callable[P, Awaitable[T]]:
    @wraps(work)
    async def call(*args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.get_running_loop().run_in_executor(pool, partial(work, *args, **kwargs))

    return call
