"""What can be told of a working folder by whoever can read it: from the log, the journal and what engines say of themselves. Needs no service."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from operator import add
from pathlib import Path
from typing import Any, Final

import msgspec
from prometheus_client.samples import Sample

from flowwatch.core.engine import ENGINE_VERSION
from flowwatch.core.incidents import What
from flowwatch.core.readings import ABSENT, Reason
from flowwatch.decided import decided
from flowwatch.documents.conditions import OCCUPANCIES
from flowwatch.evidence import Document, Evidence
from flowwatch.figures import DECIDE_BOUNDS_S, LATENCY_BOUNDS_S, NEVER, Figures, Spread, ints
from flowwatch.figures import read as read_figures
from flowwatch.journal.opened import Opened
from flowwatch.log.inbox import backlog
from flowwatch.log.reader import Reader
from flowwatch.log.segments import offsets
from flowwatch.log.settings import Clock, load
from flowwatch.log.time import last_tick
from flowwatch.metrics.board import Board
from flowwatch.metrics.names import NONE
from flowwatch.metrics.part import Part, PartlyError, fill
from flowwatch.picture import Picture, Standing
from flowwatch.workspace import Workspace

US: Final = 1_000_000
BEHIND_US: Final = 10 * US
"""An engine further behind the log than this is not up: ten ticks of the usual length."""
WHOLE: Final = "site"
"""The zone that stands for the whole site, as in the journal's estimates."""

Documents = Callable[[], Mapping[str, Document]]
"""Site -> its newest compiled document."""


class Ground:
    """The figures of one folder. For one thread at a time; `close` gives the files back."""

    def __init__(
        self,
        workspace: Workspace,
        picture: Picture | None = None,
        documents: Documents | None = None,
        area_of: Callable[[str], str] = lambda _: "",
    ) -> None:
        """`picture`, `documents`: those that somebody has already; `area_of`: where a site lies."""
        self._workspace = workspace
        self._picture = picture or Picture(workspace.journal)
        self._documents = documents or self._read_documents
        self._area_of = area_of
        self._of_now: Mapping[str, Document] | None = None
        self._books = {"journal": Opened(workspace.journal), "handling": Opened(workspace.handling)}

    def close(self) -> None:
        """Give the files back."""
        self._picture.close()
        for book in self._books.values():
            book.close()

    def parts(self) -> dict[str, Part]:
        """Each part by its name, to be filled once; documents are read once for all of them."""
        self._of_now = None
        return {"sites": self._sites, "engine": self._engine, "log": self._log, "journal": self._journal}

    def samples(self) -> list[Sample]:
        """All of it as samples."""
        board = Board()
        fill(board, self.parts())
        return board.samples()

    def _known(self) -> Mapping[str, Document]:
        if self._of_now is None:
            self._of_now = self._documents()
        return self._of_now

    def _read_documents(self) -> dict[str, Document]:
        with Evidence(self._workspace.log) as evidence:
            return evidence.documents()

    # ---- sites: what the documents say, and the journal

    def _sites(self, board: Board) -> None:
        failed: list[str] = []
        for site, document in sorted(self._known().items()):
            own = Board()
            try:
                self._site(own, site, document)
            except (
                LookupError,
                TypeError,
                ValueError,
            ) as error:  # something of it was damaged on the disk; others are none the worse for it
                failed.append(f"{site}: {type(error).__name__}: {error}")
            else:
                board.take(own)
        if failed:
            raise PartlyError("; ".join(failed))

    def _site(self, board: Board, site: str, document: Document) -> None:
        title = document["title"]
        board.put("site_info", 1, site=site, area=self._area_of(site), title_en=title["en"], title_zh=title["zh"])
        standing = self._picture.site(site)
        _places(board, site, document)
        self._people(board, site, document)
        _plans(board, site, document, standing)
        _gates(board, site, document, standing)

    def _people(self, board: Board, site: str, document: Document) -> None:
        """The newest estimate."""
        estimate = self._picture.minute(site)
        if estimate is None:
            return
        board.put("estimate_timestamp_seconds", estimate.at / US, site=site)
        areas = {zone["zone"]: zone["area_m2"] for zone in document["zones"]}
        for zone, found in msgspec.json.decode(estimate.body)["zones"].items():
            board.put("zone_known", float(found["known"]), site=site, zone=zone)
            board.put("zone_occupancy_people", found["lower_m"] / 1000, site=site, zone=zone, bound="lower")
            if found["known"]:
                board.put("zone_occupancy_people", found["inside_m"] / 1000, site=site, zone=zone, bound="estimate")
                board.put("zone_occupancy_people", found["upper_m"] / 1000, site=site, zone=zone, bound="upper")
                if areas.get(zone):
                    board.put("zone_density_people_per_square_meter", found["upper_m"] / 1000 / areas[zone], site=site, zone=zone)

    # ---- the engine: what it says of itself

    def _engine(self, board: Board) -> None:
        found = list(read_figures(self._workspace))
        silent = self._silent()
        seen: set[int] = set()
        decide, latency = Spread.over(DECIDE_BOUNDS_S), Spread.over(LATENCY_BOUNDS_S)
        flows: dict[tuple[str, str], list[int]] = {}
        gates = self._gates_of()
        for one in found:
            board.put("ticks_total", one.ticks, partition=one.partition)
            board.put("engine_start_timestamp_seconds", one.begun_us / US, partition=one.partition)
            board.put("engine_figures_timestamp_seconds", one.noted_us / US, partition=one.partition)
            for whole, part in ((decide, one.decide), (latency, one.latency)):
                whole.counts, whole.total_s = list(map(add, whole.counts, part.counts)), whole.total_s + part.total_s
            if one.pid not in seen:
                seen.add(one.pid)
                board.put("engine_cpu_seconds_total", one.cpu_s, worker=one.partition)
                board.put("engine_resident_memory_bytes", one.resident_bytes, worker=one.partition)
            _refused(board, one)
            for name, people in _counters(board, one, silent):
                if name in gates:
                    gate, turned = gates[name]
                    flows[gate] = list(map(add, flows.get(gate, [0, 0]), reversed(people) if turned else people))
        for (site, name), passed in flows.items():
            for direction, count in zip(("in", "out"), passed, strict=True):
                board.put("gate_flow_people_total", count, site=site, gate=name, direction=direction)
        if found:
            board.spread("decide_seconds", DECIDE_BOUNDS_S, decide.cumulative(), decide.total_s)
            board.spread("reading_to_decision_seconds", LATENCY_BOUNDS_S, latency.cumulative(), latency.total_s)

    def _silent(self) -> set[str]:
        """The counters of which the journal says that they are silent, "site/counter"."""
        return {
            f"{site}/{body['subject']}"
            for site in self._known()
            for body in self._picture.site(site).incidents.values()
            if body["what"] == What.COUNTER_SILENT
        }

    def _gates_of(self) -> dict[str, tuple[tuple[str, str], bool]]:
        """ "site/counter" -> (site, gate) of the gate whose passers it counts, and whether it counts those who leave as coming in."""
        return {
            f"{site}/{counter['counter']}": ((site, counter["gate"]), counter["swapped"])
            for site, document in self._known().items()
            for counter in document["counters"]
            if counter["gate"] is not None
        }

    # ---- the log and the disk

    def _log(self, board: Board) -> None:
        log, settings = self._workspace.log, load(self._workspace.log)
        board.put("tick_interval_seconds", settings.tick_us / US)
        newest, up, now = ABSENT, True, time.time_ns() // 1000
        for partition in settings.folders:
            with closing(Reader(log, partition)) as reader:
                end = reader.end()
            if not end:
                continue
            tick, place = last_tick(log / partition), decided(self._workspace, partition)
            newest = max(newest, tick)
            board.put("log_rows", end, partition=partition)
            board.put("log_lag_rows", end - (place.offset if place else 0), partition=partition)
            behind = None if place is None or tick == ABSENT else max(0, tick - place.tick)
            if behind is not None:
                board.put("log_lag_seconds", behind / US, partition=partition)
            up = up and behind is not None and behind <= BEHIND_US
            files = offsets(log / partition, ".ckpt")
            if files:
                made = (log / partition / f"{files[-1]:020d}.ckpt").stat().st_mtime_ns // 1000
                board.put("snapshot_age_seconds", max(0, now - made) / US, partition=partition)
        if newest != ABSENT:
            wall = settings.clock is Clock.WALL
            if wall:
                board.put("log_tick_timestamp_seconds", newest / US)
            stands = wall and now - newest > max(BEHIND_US, 10 * settings.tick_us)
            board.put("engine_up", float(up and not stands))
        count, size = backlog(log)
        board.put("inbox_files", count)
        board.put("inbox_bytes", size)
        board.put("log_bytes", sum(_size(file) for file in log.glob("*/*")))
        board.put("disk_free_bytes", shutil.disk_usage(self._workspace.root).free)

    # ---- the journal and the book of handling

    def _journal(self, board: Board) -> None:
        for name, book in self._books.items():
            opened = book.journal
            if opened is None:
                continue
            board.put("journal_entries", sum(seq for seq, _ in opened.heads().values()), book=name)
            board.put("journal_bytes", sum(_size(Path(f"{book.path}{end}")) for end in ("", "-wal", "-shm")), book=name)
            if name == "journal":
                board.put("journal_frozen", len({conflict.chain for conflict in opened.conflicts()}))


def _places(board: Board, site: str, document: Document) -> None:
    """How large everything is; the whole site is as large as the zones that lie in no other, without waiting areas (as plans reckon it)."""
    outer = [zone for zone in document["zones"] if zone["inside"] is None and zone["outside"] is None]
    whole = {"zone": WHOLE, "capacity": sum(zone["capacity"] for zone in outer), "area_m2": sum(zone["area_m2"] for zone in outer)}
    for zone in [*document["zones"], whole]:
        board.put("zone_capacity_people", zone["capacity"], site=site, zone=zone["zone"])
        board.put("zone_area_square_meters", zone["area_m2"], site=site, zone=zone["zone"])


def _plans(board: Board, site: str, document: Document, standing: Standing) -> None:
    for plan in document["plans"]:
        name, stages = plan["plan"], [stage["stage"] for stage in plan["stages"]]
        now = str(standing.stages.get(name, {}).get("to"))
        if now in stages:
            rank = stages.index(now)
            board.put("plan_stage", rank, site=site, plan=name)
            board.put("plan_active_stage_info", 1, site=site, plan=name, stage=now, level=plan["stages"][rank]["level"] or NONE)
        for stage in plan["stages"]:
            for (zone, edge), bar in _bars(stage).items():
                board.put("plan_bar_people", bar, site=site, plan=name, stage=stage["stage"], zone=zone, edge=edge)


def _bars(stage: Mapping[str, Any]) -> dict[tuple[str, str], float]:
    """The bars of a stage in people, by zone and edge: the lowest, where it has several for one zone."""
    found: dict[tuple[str, str], float] = {}
    for leaf in stage["leaves"]:
        if leaf["kind"] != "people" or leaf["measure"] not in OCCUPANCIES:
            continue
        for edge in ("enter", "clear"):
            value = leaf.get(f"{edge}_m")
            if value is not None:
                key = leaf["zone"] or WHOLE, edge
                found[key] = min(value / 1000, found.get(key, value / 1000))
    return found


def _gates(board: Board, site: str, document: Document, standing: Standing) -> None:
    board.put("fire", float(any(body["what"] == What.FIRE for body in standing.incidents.values())), site=site)
    for gate in document["gates"]:
        command = standing.gates.get(gate["gate"])
        if command is not None:
            board.put("gate_mode_info", 1, site=site, gate=gate["gate"], mode=command["mode"])
            board.put("gate_command_revision", command["revision"], site=site, gate=gate["gate"])


def _refused(board: Board, one: Figures) -> None:
    refused = {Reason(number): count for number, count in enumerate(one.refused) if number in Reason._value2member_map_}
    board.put("readings_total", int(ints(one.readings).sum()), partition=one.partition, outcome="counted")
    board.put("readings_total", sum(refused.values()), partition=one.partition, outcome="refused")
    for reason, count in refused.items():
        board.put("readings_refused_total", count, partition=one.partition, reason=reason.name.lower())


def _counters(board: Board, one: Figures, silent: set[str]) -> Iterator[tuple[str, tuple[int, int]]]:
    """Puts up every counter of a partition; gives its name, and how many people it counted in and out."""
    columns = (one.readings, one.people_in, one.people_out, one.last_us, one.lateness_us, one.least_us)
    for name, readings, people_in, people_out, last, late, least in zip(one.names, *(ints(c).tolist() for c in columns), strict=True):
        site, _, counter = name.partition("/")
        board.put("counter_silent", float(name in silent), site=site, counter=counter)
        board.put("counter_readings_total", readings, site=site, counter=counter)
        board.put("counter_flow_people_total", people_in, site=site, counter=counter, direction="in")
        board.put("counter_flow_people_total", people_out, site=site, counter=counter, direction="out")
        for metric, value in (
            ("counter_last_reading_timestamp_seconds", last),
            ("counter_lateness_seconds", late),
            ("counter_skew_seconds", least),
        ):
            if value > NEVER // 2:
                board.put(metric, value / US, site=site, counter=counter)
        yield name, (people_in, people_out)


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


def version_part(version: str) -> Part:
    """The part that says which program this is."""
    return lambda board: board.put("build_info", 1, version=version, engine=str(ENGINE_VERSION))
