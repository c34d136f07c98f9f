"""What other plans would have decided on the counts of a recorded day.

`archive` is the log as steps from tick to tick, `contenders` are the plans that are tried, a `run` is one of them at work with its `tally`,
and `bench.backtest` takes the log through all of them at once. `comparison` says how two outcomes differ, `sheets` and `picture` show them.

A backtest is an open loop: people move as they were recorded, whatever a plan asks of the gates.
"""

from flowwatch.backtest.archive import Archive, NoArchiveError
from flowwatch.backtest.bench import Answer, Options, Result, backtest
from flowwatch.backtest.contenders import LOG, Contender, UnknownPlanError, contender

__all__ = ["LOG", "Answer", "Archive", "Contender", "NoArchiveError", "Options", "Result", "UnknownPlanError", "backtest", "contender"]
