"""What the metrics of a service are made of: every part of it that is watched, put together once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from flowwatch import __version__
from flowwatch.actuators.dispatcher import Dispatcher
from flowwatch.evidence import Document
from flowwatch.inputs.mqtt import MqttSource
from flowwatch.inputs.poll import PollSource
from flowwatch.inputs.stager import Stager
from flowwatch.metrics.board import Board
from flowwatch.metrics.body import Bodies
from flowwatch.metrics.ground import Ground, version_part
from flowwatch.metrics.load import AlarmLoad
from flowwatch.metrics.part import Part
from flowwatch.metrics.serving import Serving, Streams
from flowwatch.metrics.tallies import Tallies
from flowwatch.service.parts import Parts
from flowwatch.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Watched:
    """What is watched besides the service's own parts. `sources` may be filled later: a source is made when the service is there."""

    dispatcher: Dispatcher | None = None
    sources: dict[str, MqttSource | PollSource] = field(default_factory=dict)
    certificates: Mapping[str, Path] = field(default_factory=dict)
    """What each is for -> its file."""


class Metrics:
    """The metrics of one service."""

    def __init__(self, workspace: Workspace, parts: Parts, streams: Streams, stager: object, watched: Watched) -> None:
        self._parts = parts
        self._ground = Ground(workspace, parts.picture, self._documents, parts.areas.of)
        self._load = AlarmLoad(parts.book, parts.records.now_us, 1 if parts.desk is None else parts.desk.settings.operators)
        self._tallies = Tallies(workspace.journal, workspace.handling)
        self._serving = Serving(
            parts.sites.names,
            parts.picture,
            parts.records.now_us,
            parts.desk,
            streams,
            stager if isinstance(stager, Stager) else None,
            watched.sources,
            watched.dispatcher,
            parts.courier,
            watched.certificates,
        )
        self.bodies = Bodies(self._made_of)

    def close(self) -> None:
        """Give the files back."""
        self._ground.close()
        self._tallies.close()

    def _made_of(self) -> dict[str, Part]:
        return {
            "build": version_part(__version__),
            **self._ground.parts(),
            "tallies": self._tally,
            "alarms": self._load.fill,
            **self._serving.parts(),
        }

    def _tally(self, board: Board) -> None:
        self._tallies.fill(board, self._documents())

    def _documents(self) -> Mapping[str, Document]:
        return {site: self._parts.sites.document(site) for site in self._parts.sites.names()}
