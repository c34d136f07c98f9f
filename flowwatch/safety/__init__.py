"""What can be proved of a site and its plans before anything happens: the static safety analysis of one compiled record.

    analyse(record) -> Report      faults, warnings, notes; capacity out; single failures; overrides; how much was looked at
    render(report, language)       the same for people to read

The package knows the core and nothing else: no files, no YAML, no clock. It decides nothing that the engine does; it looks at the engine's
rules from outside (`core/gates.py`, `core/settings.py`) and says what they would lead to.
"""

from flowwatch.safety.analysis import analyse
from flowwatch.safety.report import Code, Finding, Report, Severity
from flowwatch.safety.words import render

__all__ = ["Code", "Finding", "Report", "Severity", "analyse", "render"]
