"""Write the page: `python -m flowwatch_sim.verification [docs/verification.md]`. Exit code 1 if a case does not pass."""

import sys
from pathlib import Path

from flowwatch_sim.verification.cases import CASES
from flowwatch_sim.verification.report import report

found = [function() for function in CASES]
Path(sys.argv[1] if len(sys.argv) > 1 else "docs/verification.md").write_text(report(found), encoding="utf-8")
for case in found:
    if not case.passed:
        sys.stderr.write(f"{case.name}: expected {case.expected}, tolerance {case.tolerance}, got {case.got}\n")
sys.exit(not all(case.passed for case in found))
