"""Lines of one form, read by arithmetic on whole blocks of bytes.

A device, or a gateway, writes all its lines alike: the same fields in the same order with the same blanks, only the values differ. A *form*
is what stands around the values. A block whose every line has the form of the line before it needs no JSON parser: the commas and newlines
of a block are found at once, the bytes between the values are compared with the form, eight at a time, and what remains are the values.

This is an accelerator and never a judge. It takes a block only if every line of it is, byte for byte, the form with plain values in it: a
counter's name that the JSON parser has read before, a time that `times` can read, whole numbers of at most 15 digits without sign or
leading zero. For every other block it answers None, and the JSON parser reads that (`ndjson`); so what is accepted does not depend on it.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from flowwatch.adapters import times
from flowwatch.adapters.batch import Lines
from flowwatch.core.readings import ABSENT, Bools, Bytes, Ints, Kind
from flowwatch.log.readings import Readings

Words = npt.NDArray[np.uint64]

GROUPS: Final = {
    Kind.DELTA: ("in", "out"),
    Kind.CUMULATIVE: ("in_total", "out_total"),
    Kind.ABSOLUTE: ("inside",),
}
"""Which fields hold the figures of each kind."""
_FIELD: Final = re.compile(rb'[{,] *"(counter|at|in|out|in_total|out_total|inside|seq)" *: *("?)([^",{}\\]*)("?)(?=[,}])')
_QUOTE, _COMMA, _NEWLINE, _CLOSE, _ZERO = b'",\n}0'
_PAD: Final = bytes(64)
"""On both sides of a block, so that words can be read across its ends."""
_LONGEST_NAME: Final = 64
_MOST_NAMES: Final = 1 << 17
_FEW: Final = 64
"""Up to so many different times are read one by one."""
