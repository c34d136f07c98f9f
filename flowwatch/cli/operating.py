"""The commands of the people in charge: what `operate` is given becomes a record that the engine treats like any other.

A record names who, why and when. It goes into the log, or into its inbox while a `run` holds the log; the engine decides at the next tick
and says in the journal whether it took it. What can be checked before (names, settings, times) is checked before, so that a slip of the
keyboard is told at once.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, Literal

import rich_click as click

from flowwatch.cli import options
from flowwatch.cli.exits import CommandError, Exit, leave
from flowwatch.cli.moments import moment
from flowwatch.cli.output import line
from flowwatch.cli.workspace import need_log
from flowwatch.workspace import Workspace

if TYPE_CHECKING:
    from flowwatch.documents.actions import Action

POLL_S: Final = 0.1


@click.group()
def operate() -> None:
    """What people in charge decide: override the plan, count by hand, answer, drill, report a fire, let commands go out or hold them all."""


@operate.command()
@options.data
@click.option("--site", required=True)
@click.option("--stage", help="The stage to hold.")
@click.option("--plan", help="Whose stage, where a site has several plans; the main plan's if not given.")
@click.option("--gate", help="The gate to hold, with --mode.")
@click.option("--mode", metavar="SETTING", help='The gate\'s setting: in, out, both, closed, "metered 40/min", "wave in 50s out 110s".')
@click.option("--case", help="The case to declare.")
@click.option("--until", required=True, metavar="TIME", help="Its end: 22:30, 90m, 2026-10-01T22:30+08:00; now ends one in force.")
@click.option("--reason", required=True, help="Why; it stands in the record for ever.")
@options.operator
def override(
    workspace: Workspace,
    manner: options.Manner,
    site: str,
    stage: str | None,
    plan: str | None,
    gate: str | None,
    mode: str | None,
    case: str | None,
    until: str,
    reason: str,
) -> None:
    """Hold a stage, a gate or a case elsewhere than the plan asks, until a time. One that would take people's way out is refused."""
    from msgspec import UNSET

    from flowwatch.documents.actions import Override

    desk = Desk(workspace, site, manner)
    until_us = desk.end(until)
    given = tuple(
        name for name, value in (("stage", stage), ("plan", plan), ("gate", gate), ("mode", mode), ("case", case)) if value is not None
    )
    match given:
        case ("stage",) | ("stage", "plan"):
            desk.site.need_stage(str(stage), plan)
            whose = UNSET if plan is None else plan
            desk.send(Override(**desk.head(reason), stage=str(stage), plan=whose, until_us=until_us))
        case ("gate", "mode"):
            desk.site.need("gate", str(gate))
            desk.send(Override(**desk.head(reason), gate=str(gate), mode=_setting(str(mode)), until_us=until_us))
        case ("case",):
            desk.site.need("case", str(case))
            desk.send(Override(**desk.head(reason), case=str(case), until_us=until_us))
        case _:
            raise CommandError(Exit.USAGE, "expected either --stage (and --plan), or --gate with --mode, or --case")


@operate.command()
@options.data
@click.option("--site", required=True)
@click.option("--zone", required=True, help="The zone that was counted.")
@click.option("--count", required=True, type=click.IntRange(0, 1_000_000), help="People inside.")
@click.option("--counted-at", default="now", show_default=True, metavar="TIME", help="When: 21:45, 5m (ago), 2026-10-01T21:45+08:00.")
@click.option("--reason", default="counted by hand", show_default=True)
@options.operator
def recount(workspace: Workspace, manner: options.Manner, site: str, zone: str, count: int, counted_at: str, reason: str) -> None:
    """Enter a count by hand: from then on the estimate starts from it."""
    from flowwatch.documents.actions import Recount

    desk = Desk(workspace, site, manner)
    desk.site.need("zone", zone)
    counted_at_us = moment(counted_at, desk.now, desk.site.zone, back=True)
    desk.send(Recount(**desk.head(reason), zone=zone, count=count, counted_at_us=counted_at_us))


@operate.command()
@options.data
@click.argument("incident")
@click.option("--answer", type=click.Choice(["yes", "no"]), default="yes", show_default=True, help="Where it proposes a stage: yes or no.")
@click.option("--reason", help='Why; a "no" needs one. [default: seen]')
@options.operator
def confirm(workspace: Workspace, manner: options.Manner, incident: str, answer: Literal["yes", "no"], reason: str | None) -> None:
    """Say that an incident (yuyuan-i3) has been seen and is being handled; where it waits for an answer, give it."""
    from flowwatch.documents.actions import Confirm

    site, _, number = incident.rpartition("-i")
    if not site or not number.isdecimal():
        raise CommandError(Exit.USAGE, f'"{incident}" names no incident; expected <site>-i<number>, as in yuyuan-i3')
    if answer == "no" and reason is None:
        raise CommandError(Exit.USAGE, "a no stands in the record for ever; expected --reason to say why")
    desk = Desk(workspace, site, manner)
    desk.send(Confirm(**desk.head("seen" if reason is None else reason), incident=incident, answer=answer))


@operate.command()
@options.data
@click.option("--site", required=True)
@click.option("--stage", required=True, help="The stage of the main plan to exercise.")
@click.option("--until", required=True, metavar="TIME", help="Its end: 15:30, 20m, 2026-10-01T15:30+08:00; now ends the drill.")
@click.option("--reason", default="drill", show_default=True)
@options.operator
def drill(workspace: Workspace, manner: options.Manner, site: str, stage: str, until: str, reason: str) -> None:
    """Exercise a stage, until a time: only gates that are marked for drills move, and a real stage above ends it."""
    from flowwatch.documents.actions import Drill

    desk = Desk(workspace, site, manner)
    desk.site.need_stage(stage)
    until_us = desk.end(until)
    if until_us > desk.now + 1 and not any(gate["drill"] for gate in desk.site.record["gates"]):
        raise CommandError(Exit.USAGE, f'site "{site}" has no gate with "drill: true", so that a drill would move nothing')
    desk.send(Drill(**desk.head(reason), stage=stage, until_us=until_us))


@operate.command()
@options.data
@click.option("--site", required=True)
@click.option("--on", "state", flag_value="on", help="There is a fire.")
@click.option("--off", "state", flag_value="off", help="It is over.")
@click.option("--reason", default="fire", show_default=True)
@options.operator
def fire(workspace: Workspace, manner: options.Manner, site: str, state: Literal["on", "off"] | None, reason: str) -> None:
    """Report a fire: every gate leads out at once and stays so until somebody says --off."""
    from flowwatch.documents.actions import Fire

    if state is None:
        raise CommandError(Exit.USAGE, "expected --on or --off")
    desk = Desk(workspace, site, manner)
    desk.send(Fire(**desk.head(reason), state=state))


@operate.command()
@options.data
@click.option("--site", required=True)
@click.option("--gate", help="The gate whose command is to go out.")
@click.option("--device", metavar="KIND/NAME", help="Another device: barrier/NAME, sign/NAME or link/NAME.")
@click.option("--revision", required=True, type=click.IntRange(1), help="The number of the command, as the journal tells it.")
@click.option("--reason", default="released", show_default=True)
@options.operator
def release(
    workspace: Workspace, manner: options.Manner, site: str, gate: str | None, device: str | None, revision: int, reason: str
) -> None:
    """Let a command that waits for a person go out (delivery: confirm)."""
    from msgspec import UNSET

    from flowwatch.documents.actions import Release

    desk = Desk(workspace, site, manner)
    if (gate is None) == (device is None):
        raise CommandError(Exit.USAGE, "expected either --gate or --device")
    kind, _, name = ("gate", "", str(gate)) if device is None else device.partition("/")
    if kind not in ("gate", "barrier", "sign", "link"):
        raise CommandError(Exit.USAGE, f'--device: found "{device}", expected gate/NAME, barrier/NAME, sign/NAME or link/NAME')
    desk.site.need(kind, name)
    which = UNSET if gate is None else gate, UNSET if device is None else device
    desk.send(Release(**desk.head(reason), gate=which[0], device=which[1], revision=revision))


@operate.command()
@options.data
@click.option("--site", required=True)
@click.option("--advise", "to", flag_value="advise", help="Nothing goes out by itself any more, but for a fire.")
@click.option("--plan", "to", flag_value="plan", help="As the site's documents say, again.")
@click.option("--reason", required=True, help="Why; it stands in the record for ever.")
@options.operator
def deliver(workspace: Workspace, manner: options.Manner, site: str, to: Literal["advise", "plan"] | None, reason: str) -> None:
    """Put a whole site back on advise at once, or end that."""
    from flowwatch.documents.actions import Deliver

    if to is None:
        raise CommandError(Exit.USAGE, "expected --advise or --plan")
    desk = Desk(workspace, site, manner)
    desk.send(Deliver(**desk.head(reason), to=to))


@operate.command()
@options.data
@click.option("--site", required=True)
@click.option("--gate", required=True, help="The gate that was set by hand.")
@click.option("--mode", required=True, metavar="SETTING", help="How it is now: in, out, both, closed...")
@click.option("--reason", default="set on the spot", show_default=True)
@options.operator
def turned(workspace: Workspace, manner: options.Manner, site: str, gate: str, mode: str, reason: str) -> None:
    """Say that people set a gate on the spot: flowwatch then watches whether anybody passes against it."""
    from flowwatch.documents.actions import Turned

    desk = Desk(workspace, site, manner)
    desk.site.need("gate", gate)
    desk.send(Turned(**desk.head(reason), gate=gate, mode=_setting(mode)))


def _setting(text: str) -> str:
    """The canonical text of a gate's setting. Raises `CommandError` with the near miss."""
    from flowwatch.core.gates import Setting
    from flowwatch.documents.words import setting_near

    try:
        return str(Setting.parse(text))
    except ValueError as error:
        near = "" if "did you mean" in str(error) else setting_near(text)
        raise CommandError(Exit.USAGE, f'--mode: {error}{f"""; did you mean "{near}"?""" if near else ""}') from None


class Desk:
    """Where one operator's record about one site is written, with the log's idea of now."""

    def __init__(self, workspace: Workspace, site: str, manner: options.Manner) -> None:
        """Look the site up. Raises `CommandError` for a site that the log does not know."""
        from flowwatch.cli.sites import Sites
        from flowwatch.log.time import now

        self._workspace, self._manner = workspace, manner
        self._log = need_log(workspace)
        self.site = Sites(self._log).site(site)
        self.now = now(self._log)
        """Microseconds: the wall clock's for a live log, the last tick's for an archive."""

    def end(self, until: str) -> int:
        """The end that `until` means (`moments.moment`); one that is past is a moment after now, which ends what is in force."""
        return max(moment(until, self.now, self.site.zone), self.now + 1)

    def head(self, reason: str) -> dict[str, Any]:
        """What every record begins with."""
        from flowwatch.documents.actions import new_id

        site = str(self.site.record["site"])
        return {"action": new_id(time.time_ns() // 1000), "site": site, "by": self._manner.by, "reason": reason, "at_us": self.now}

    def send(self, action: Action) -> None:
        """Write the record; where a `run` holds the log, wait for its word and show it (exit code 1: refused)."""
        import json

        from flowwatch.cli.entrance import entrance
        from flowwatch.documents.actions import ActionError, Fire, payload
        from flowwatch.log import Inbox

        try:
            data = payload(action)
        except ActionError as error:
            raise CommandError(Exit.USAGE, str(error)) from error
        if isinstance(action, Fire) and action.state == "on":
            self._latch(action.action)
        with entrance(self._log) as to:
            to.append_action(action.site, data, self.now)
        outcome = self._outcome(action) if isinstance(to, Inbox) else None
        if self._manner.as_json:
            line({"record": json.loads(data), "outcome": outcome})
        elif outcome is None:
            name = action.action
            click.echo(f"{name}: written to the log; the engine decides when it runs, and `flowwatch explain {name}` tells")
        else:
            from flowwatch.cli.explaining import show

            show(self._workspace, outcome["id"], as_json=False, lang=self._manner.lang)
        if outcome is not None and not outcome["accepted"]:
            leave(Exit.FINDINGS)

    def _latch(self, record: str) -> None:
        """Tell a service on this folder of a fire: it turns every gate outward within a second, engine or not."""
        if not self._workspace.service.is_file():
            return
        from flowwatch.actuators.ledger import Ledger
        from flowwatch.log.time import log_time

        # behind every fire that the engine has seen end, wherever the wall clock stands
        ledger, at_us = Ledger.open(self._workspace.service), max(time.time_ns() // 1000, log_time(self._workspace.log) + 1)
        try:
            ledger.latch(str(self.site.record["site"]), record, at_us)
        finally:
            ledger.close()

    def _outcome(self, action: Action) -> dict[str, Any] | None:
        """What the journal says of the record once it does, within the time to wait."""
        import json

        from flowwatch.core.entries import EntryKind
        from flowwatch.journal import Journal

        if not self._workspace.journal.is_file():
            return None
        until = time.monotonic() + self._manner.wait_s
        with Journal.open(self._workspace.journal, create=False) as journal:
            while time.monotonic() < until:
                for entry in journal.entries(action.site, EntryKind.ACTION, limit=50, newest=True):
                    body: dict[str, Any] = json.loads(entry.body)
                    if body["action"] == action.action:
                        return {"id": entry.id, "accepted": body["accepted"], "refused": body["refused"]}
                time.sleep(POLL_S)
        return None
