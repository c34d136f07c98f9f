"""The page that tells what was verified, in the manner of the reports of RiMEA and NIST: case, what, expected, got, tolerance, source, verdict."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from flowwatch import __version__
from flowwatch_sim.verification.case import SEED, Case
from flowwatch_sim.verification.cases import place
from flowwatch_sim.verification.measured import PROMISE

PASSED: Final = "pass"
HEAD: Final = """# Verification of the simulator

flowwatch {version}, {count} cases, {passed} passed. Every case runs through the code that scenarios run through; written by

```sh
python -m flowwatch_sim.verification
```

and held current by `tests/simulators/test_verification.py`. A case that draws uses seed {seed}, and one of several runs that seed plus its
number, so the page comes out the same each time. The order of events is that of their times; at one time, that in which they were caused.

**What this says and what it does not.** The simulator is *verified*: it computes what its models say, within the tolerances below. It is *not
validated* for any site until it is calibrated on at least one recorded peak day of that site: which diagram people follow there, how many a minute a
lane passes, how long they stay and what they do before a shut gate are settings, and a figure of a scenario is worth what they are worth. The cases
follow the numbering of the design; cases that were published by RiMEA, IMO and NIST are those that a model of zones, links and gates can be held
to. People who walk round corners, overtake in doors or fall are no part of it. IMO's component tests are quoted at second hand.

**Cases that a setting was made from** show that it does what it was made to do, and predict nothing: V7, V8 and V9 walk by the formula or the
rows that they are compared with; the flow of `lab` in V12b, 2.02 persons/m/s, was chosen to lie in all four bands, and just does, since
laboratories with wide necks saw more than those with narrow ones; the unrest in V32b was chosen as the most that keeps within its tolerance.
V32c draws from the model that it fits, so it shows the arithmetic of `fit` and not that people come so.
V32a was run on 40 days first, where the second p was 0.011, and then on five times as many, where a fault would have shown more.
V29a holds on the days it was run on: one more exit takes people from the others only, but a slow one could still be the last to be empty.

| case | what | expected | got | tolerance | source | |
|---|---|---|---|---|---|---|
"""
TAIL: Final = """
## What falls outside the model

- Within a link everybody walks at the pace of its density as a whole: there are no waves along it. A long one is better drawn as several.
- A link takes in no more than its diagram's densest flow, 1.27 persons/m/s with `imo`, while a door passes the planning code's 1.3.
- Nobody chooses an exit by the length of its queue. Exits draw people by their lanes and by how near they are, so clearance includes uneven choice.
- A zone's density slows those who cross it as it is when they set out.
- V35, a plaza of 300 people held against JuPedSim, needs a library of 1.2 GB and is measured by `python -m benchmarks.simulator plaza`. What came
  of it stands in [benchmarks/README.md](../benchmarks/README.md); the densest square metre is not what a zone with one density can tell.
"""


def report(cases: Iterable[Case]) -> str:
    """The page, in Markdown."""
    return page([row(case) for case in sorted(cases, key=place)])


def page(rows: Sequence[str]) -> str:
    """The page of some rows."""
    passed = sum(row.endswith(f"| {PASSED} |\n") for row in rows)
    return HEAD.format(version=__version__, count=len(rows), passed=passed, seed=SEED) + "".join(rows) + PROMISE + TAIL


def row(case: Case) -> str:
    """A case's line of the table."""
    numbers = (text.replace("; ", "<br>") for text in (case.expected, case.got))
    verdict = PASSED if case.passed else "**FAIL**"
    return f"| {case.name} | {case.title} | {' | '.join(numbers)} | {case.tolerance} | {case.source} | {verdict} |\n"
