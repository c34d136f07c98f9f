"""The root of `flowwatch-sim`."""

from __future__ import annotations

import rich_click as click

import flowwatch
from flowwatch.cli.main import Root
from flowwatch_sim.cli import animating, comparing, emitting, fitting, reporting, running, searching


@click.group(cls=Root, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, help="Show a traceback instead of one line when something goes wrong.")
@click.version_option(flowwatch.__version__, prog_name="flowwatch-sim")
def main(debug: bool) -> None:
    """A planner's laboratory: days at a site, person by person, decided by the production engine.

    Exit codes are those of `flowwatch`: 0 all as expected, 1 a scenario's expectation was not met, 2 wrong usage, 3 faults in documents.
    """
    del debug


main.add_command(running.run)
main.add_command(emitting.emit)
main.add_command(comparing.compare)
main.add_command(comparing.sweep)
main.add_command(searching.search)
main.add_command(reporting.report)
main.add_command(animating.animate)
main.add_command(fitting.fit)
