"""The root of the command line: which commands there are, and how every error leaves the program.

A command never catches what it cannot mend. What it raises becomes here one line on stderr and one of the exit codes of `exits.Exit`;
`--debug` shows the traceback instead.
"""

from __future__ import annotations

import os
import sys
from typing import Any, Final

import rich_click as click
from click.exceptions import Exit as Leave

import flowwatch
from flowwatch.cli import (
    accounts,
    adapting,
    alarms,
    auditing,
    backtesting,
    checking,
    diagnosis,
    explaining,
    feeding,
    grafana,
    handing,
    ingesting,
    journals,
    logs,
    operating,
    planning,
    reporting,
    runbooks,
    running,
    serving,
    signing,
    testing,
)
from flowwatch.cli.exits import Exit, verdict

SHELLS: Final = {
    "bash": 'eval "$(flowwatch completion bash)"',
    "zsh": 'eval "$(flowwatch completion zsh)"',
    "fish": "flowwatch completion fish | source",
}


class Root(click.RichGroup):
    """The group that turns errors into lines and exit codes."""

    def invoke(self, context: click.Context) -> Any:
        """Run the command that was asked for. Leaves through `context.exit` with the code of what went wrong."""
        try:
            return super().invoke(context)
        except (Leave, SystemExit):
            raise
        except BrokenPipeError:
            # The reader of our output (head, less) has seen enough; nothing more can be said to it.
            sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
            context.exit(Exit.OK)
        except BaseException as error:
            if context.params["debug"]:
                raise
            code, line = verdict(error)
            if line:
                click.echo(f"flowwatch: {line}", err=True)
            context.exit(code)


@click.group(cls=Root, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.command_panel("Try it", commands=["demo"])
@click.command_panel("Run it", commands=["up", "run", "serve", "ingest", "adapters", "operate", "feed", "grafana"])
@click.command_panel("Say who may", commands=["user", "token"])
@click.command_panel("Ask it", commands=["explain", "report", "runbook", "alarms", "handover", "journal", "refused", "log"])
@click.command_panel("Write a plan", commands=["check", "test", "plan", "diagram", "backtest"])
@click.command_panel("Check it", commands=["doctor", "replay", "audit"])
@click.command_panel("Shell", commands=["completion"])
@click.version_option(flowwatch.__version__, "-V", "--version", package_name="flowwatch-crowd", prog_name="flowwatch")
@click.option("--debug", is_flag=True, envvar="FLOWWATCH_DEBUG", show_envvar=True, help="Show tracebacks instead of one-line errors.")
@click.pass_context
def main(context: click.RichContext, /, **_debug: bool) -> None:
    """Crowd early warning for scenic areas: counts in, the plan's stage and the mode of every gate out.

    Exit codes: 0 done; 1 done, and something was found (a difference, a finding, a broken chain); 2 wrong use; 3 faults in documents;
    4 damage in the log, the journal or a checkpoint; 5 held by another process; 6 disk full or not writable; 70 a fault of flowwatch;
    130 interrupted.
    """
    if os.environ.get("NO_COLOR"):
        context.color = False


@main.command()
@click.argument("shell", type=click.Choice(list(SHELLS)))
def completion(shell: str) -> None:
    """Print the script that completes commands and options; put the line that its head shows into the shell's start-up file."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None, shell
    click.echo(f"# {SHELLS[shell]}")
    click.echo(kind(main, {}, "flowwatch", "_FLOWWATCH_COMPLETE").source())


planning.plan.add_command(signing.key)
planning.plan.add_command(signing.sign)
for command in (
    running.up,
    running.run,
    running.demo,
    running.replay,
    serving.serve,
    accounts.user,
    accounts.token,
    ingesting.ingest,
    adapting.adapters,
    explaining.explain,
    explaining.refused,
    reporting.report,
    runbooks.runbook,
    alarms.alarms,
    handing.handover,
    journals.journal,
    auditing.audit,
    logs.log,
    operating.operate,
    feeding.feed,
    grafana.grafana,
    checking.check,
    testing.test,
    planning.plan,
    planning.diagram,
    backtesting.backtest,
    diagnosis.doctor,
):
    main.add_command(command)
