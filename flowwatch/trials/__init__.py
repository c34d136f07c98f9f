"""Tests of plans: what happens to a site, step by step, and what its plans are expected to do about it.

`read` gives the tests of a file or raises `DocumentErrors` with every fault, `run` plays one through a fresh engine, fed as from a log, and
`timeline` shows what happened where one failed. Nothing here decides anything: what a test sees is what the engine writes into the journal.
"""

from flowwatch.trials.reading import Test, read
from flowwatch.trials.run import Failure, Outcome, run
from flowwatch.trials.stock import Stock
from flowwatch.trials.timeline import timeline

__all__ = ["Failure", "Outcome", "Stock", "Test", "read", "run", "timeline"]
