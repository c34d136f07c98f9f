"""Parts of the metrics that fail by themselves: one that cannot be read says so and shows nothing, and the others are as they are."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Final

from flowwatch.metrics.board import Board

LOG: Final = logging.getLogger(__name__)
Part = Callable[[Board], None]


class PartlyError(Exception):
    """Some of a part cannot be read; what is up of it may stay."""


def fill(board: Board, parts: Mapping[str, Part]) -> None:
    """Put up what each part has, whole or not at all, unless it says itself what of it is good."""
    for name, part in parts.items():
        own, failed = Board(), False
        try:
            part(own)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one part takes nothing from the others
            LOG.warning("metrics: %s: %s: %s", name, type(error).__name__, error)
            failed = True
            if not isinstance(error, PartlyError):
                own = Board()
        board.take(own)
        board.put("metrics_failed", float(failed), part=name)
