"""A backtest of the log's own documents decides what was decided: with the same orders and nobody who answers, transition for transition."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from flowwatch.backtest import LOG, Answer, Archive, Options, backtest
from flowwatch.backtest import archive as archives
from flowwatch.backtest.archive import Step
from flowwatch.backtest.contenders import contender
from flowwatch.backtest.run import Run
from flowwatch.backtest.tally import Window
from flowwatch.core.entries import Entry, EntryKind
from flowwatch.core.readings import MINUTE, SECOND
from flowwatch.core.scribe import Output
from flowwatch.host import Host, Start
from flowwatch.log import Reader
from tests.backtest.made import Item, order, small_log, square
from tests.core.world import AUTOMATIC, T0, asked, counter, site, stage, term

TICK: Final = 10 * SECOND
SEEDS: Final = range(12)
AS_IT_WAS: Final = Options(answer=Answer.NONE, with_operators=True)


def story(rng: random.Random) -> list[Item]:
    """Half an hour at two sites of one partition: crowds that come and go, counts, orders, answers, and documents that change."""
    other = site("xu", stages=[stage("calm"), stage("busy", [term(30, 20)])])

    def documents() -> dict[str, Any]:
        bar = rng.randrange(5, 30)
        rise = asked(within=rng.choice([None, MINUTE]), otherwise=rng.choice(["keep", "apply"]))
        confirm = {"rise": rise, "fall": rng.choice([asked(), AUTOMATIC])} if rng.random() < 0.6 else {}
        more = [counter("c2", every_us=MINUTE)] if rng.random() < 0.3 else []
        stages = [
            stage("calm"),
            stage("busy", [term(bar, bar // 2, hold_us=rng.choice([0, 30 * SECOND]))], dwell=MINUTE, gates={"g0": "out"}),
            stage("full", [term(2 * bar, bar)], gates={"g0": "out", "g1": "out"}) | ({"confirm": confirm} if confirm else {}),
        ]
        made = square(stages)
        return made | {"counters": [*made["counters"], *more]}

    items: list[Item] = [("site", other), ("site", documents()), ("act", counted(0, 0)), ("tick",)]
    for n in range(180):
        if rng.random() < 0.01:
            items.append(("site", documents()))
        if rng.random() < 0.05:
            items.append(
                (
                    "act",
                    order(T0 + n * TICK, f"answer-{n}", "confirm", incident=f"yu-i{rng.randrange(1, 9)}", answer=rng.choice(["yes", "no"])),
                )
            )
        if rng.random() < 0.02:
            items.append(("act", counted(n, rng.randrange(40))))
        if rng.random() < 0.02:
            until = T0 + (n + rng.randrange(1, 30)) * TICK
            what = rng.choice([{"stage": "full"}, {"gate": "g1", "mode": "out"}])
            items.append(("act", order(T0 + n * TICK, f"hold-{n}", "override", until_us=until, **what)))
        crowd = 3 if n % 40 < 20 else -3
        heard = [name for name in ("yu/c0", "xu/c0", "yu/c1") if rng.random() < 0.7]
        items += [("count", name, max(0, crowd + rng.randrange(3)), max(0, -crowd + rng.randrange(3))) for name in heard]
        items.append(("tick",))
    return items


def counted(n: int, people: int) -> Any:
    return order(T0 + n * TICK, f"count-{n}", "recount", zone="mall", count=people, counted_at_us=T0 + n * TICK)


def journal_of(log: Path, partition: str) -> list[Entry]:
    """What the engine says to the whole partition, as it does when it runs."""
    entries: list[Entry] = []

    def keep(out: Output) -> None:
        entries.extend(out.entries)

    with Reader(log, partition) as reader:
        host = Host(log / partition, Start(0, None), keep, checkpoint_s=None)
        host.take(reader.read(0))
        host.close()
    return entries


def told(entries: list[Entry], *kinds: EntryKind) -> list[dict[str, Any]]:
    """The site's entries of these kinds, without what names other rows of the partition."""
    bodies = [json.loads(e.body) | {"at": e.at, "id": e.id} for e in entries if e.kind in kinds and e.chain == "yu"]
    for body in bodies:
        body.get("cause", {}).pop("readings", None)
    return bodies


def said(archive: Archive, options: Options) -> list[Entry]:
    """All entries of a run of the log's own documents."""
    run, entries = Run(contender(LOG, None, archive), archive, options, "site"), list[Entry]()
    advance = run.engine.advance

    def listening(tick: int) -> Output:
        out = advance(tick)
        entries.extend(out.entries)
        return out

    run.engine.advance = listening  # type: ignore[method-assign]
    for step in archive.steps(lambda _: None):
        run.take(step)
    return entries


@pytest.mark.determinism
@pytest.mark.parametrize("seed", SEEDS)
def test_the_logs_own_documents_decide_again_what_the_journal_holds(seed: int, tmp_path: Path) -> None:
    print("seed", seed)
    log = small_log(tmp_path, story(random.Random(seed)), tick_us=TICK)
    archive = Archive(log, "yu")
    expected = journal_of(log, archive.partition)
    found = said(archive, AS_IT_WAS)
    for kind in (EntryKind.TRANSITION, EntryKind.COMMAND, EntryKind.ACTION, EntryKind.INCIDENT, EntryKind.DOCUMENT):
        assert told(found, kind) == told(expected, kind)
    assert len(told(found, EntryKind.TRANSITION)) >= 2


@pytest.mark.determinism
@pytest.mark.parametrize("seed", SEEDS[:4])
def test_how_the_log_is_cut_into_reads_changes_nothing(seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    print("seed", seed)
    archive = Archive(small_log(tmp_path, story(random.Random(seed)), tick_us=TICK), "yu")

    def whole() -> str:
        return json.dumps(backtest(archive, [contender(LOG, None, archive)], Options()).plain())

    once = whole()
    monkeypatch.setattr(archives, "READ_ROWS", random.Random(seed).randrange(1, 40))
    assert whole() == once


@pytest.mark.parametrize("seed", SEEDS[:4])
def test_minutes_of_adjoining_windows_add_up_to_those_of_the_whole(seed: int, tmp_path: Path) -> None:
    print("seed", seed)
    rng = random.Random(seed)
    archive = Archive(small_log(tmp_path, story(rng), tick_us=TICK), "yu")
    cut = T0 + rng.randrange(0, 1800) * SECOND

    def parts(*windows: Window) -> list[dict[str, Any]]:
        return [backtest(archive, [contender(LOG, None, archive)], Options(window)).outcomes[0] for window in windows]

    whole, first, second = parts(Window(), Window(None, cut), Window(cut, None))
    sums: list[Callable[[dict[str, Any]], float]] = [
        lambda o: o["shut_min"],
        lambda o: o["came_in"],
        lambda o: o["came_in_while_shut"],
        lambda o: o["transitions"],
        lambda o: o["commands"],
        lambda o: o["stage_min"]["yu"].get("full", 0.0),
    ]
    for of in sums:
        assert of(first) + of(second) == pytest.approx(of(whole), abs=0.01)


def test_nothing_before_the_sites_first_document_is_part_of_its_archive(tmp_path: Path) -> None:
    late = square([stage("calm")])
    items: list[Item] = [("site", site("xu")), ("count", "xu/c0", 1, 0), ("tick",), ("site", late), ("count", "yu/c0", 2, 0), ("tick",)]
    archive = Archive(small_log(tmp_path, items, tick_us=TICK), "yu")
    steps: list[Step] = list(archive.steps(lambda _: None))
    assert [(step.tick, sum(map(len, step.readings)), len(step.documents)) for step in steps] == [(T0 + TICK, 1, 1)]
    assert archive.names == ["yu/c0", "yu/c1"]
