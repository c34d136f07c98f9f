"""What handlers are given by name: the parts, who asks, the API's document; and the parameters in their paths and queries."""

from __future__ import annotations

from typing import TypeAlias

from litestar.di import NamedDependency
from litestar.params import FromPath

from flowwatch.service.auth.identity import Identity
from flowwatch.service.metrics import Metrics
from flowwatch.service.parts import Parts

GivenParts: TypeAlias = NamedDependency[Parts]
GivenIdentity: TypeAlias = NamedDependency[Identity]
GivenDocument: TypeAlias = NamedDependency[bytes]
GivenMetrics: TypeAlias = NamedDependency[Metrics]
InPath: TypeAlias = FromPath[str]
