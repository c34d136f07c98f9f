"""PedNStream, run by an interpreter of its own: a rush before a gate, and people across a grid. A job comes as JSON on stdin, figures go to stdout.

PedNStream is a Link Transmission Model: links in both directions with a triangular diagram, nodes that share flows out, route choice by logit,
gates as widths. It is set up with 1.1 m/s, 2 and 6 persons/m², people who come evenly, and one destination for the rush.

A gate there is a width, so the gate's rate is width x 1.1 m/s x 2 persons/m². It may stand in two places. At the *origin* (`back_gate_width` of the
first link) people who find no room are not kept, for a node's demand of a step is offered once. Behind a *forecourt* (`front_gate_width` of a first
link that has room for all) a queue stands on the link. `calibrated` makes the width such that a queue passes at the rate asked for, because what
passes is less than the width says: people leave by chance, in whole persons, and from a link that is not dense no faster than others come onto it.

Knows nothing of flowwatch.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any, Final

import numpy as np
import pednstream.utils.functions  # type: ignore[import-not-found]  # noqa: F401 - first, or the next import goes round in a circle
from pednstream.ltm.network import Network  # type: ignore[import-not-found]

LINK: Final = {"length": 20.0, "width": 4.0, "free_flow_speed": 1.1, "k_critical": 2.0, "k_jam": 6.0}
SEED: Final = 1


def rush(job: dict[str, Any]) -> dict[str, Any]:
    """Curves of a rush: people who came to the gate, who passed it, and who wait before it, at each step."""
    width = job["per_s"] / (LINK["free_flow_speed"] * LINK["k_critical"])
    if job["calibrated"]:
        width *= _calibration(job, width)
    return _rush(job, width)


def _calibration(job: dict[str, Any], width: float) -> float:
    """How many times as wide the gate must be to pass its rate in the last half-hour in which people come: by halving, between 1 and 2."""
    low, high = 1.0, 2.0
    until = int(job["come_s"] / job["step_s"])
    since = until - int(1800 / job["step_s"])
    always_open = job | {"shut_s": 0.0, "rates": [2 * job["per_s"] if rate else 0.0 for rate in job["rates"]]}
    for _ in range(10):
        middle = (low + high) / 2
        passed = _loaded(always_open, width * middle).cumulative_outflow
        low, high = (middle, high) if passed[until] - passed[since] < job["per_s"] * 1800 else (low, middle)
    return high


def _rush(job: dict[str, Any], width: float) -> dict[str, Any]:
    """The curves at the gate. Who would be through it in the same run with the gate wide open has come to it; the clock begins when the first has."""
    step, at_origin = job["step_s"], job["gate"] == "origin"
    offered = np.append(0, np.cumsum(_come(job)))
    free = _loaded(job | {"shut_s": 0.0}, job["forecourt"]["width"])
    walk = 0.0 if at_origin else step * (int(np.argmax(free.cumulative_outflow > 0)) - int(np.argmax(offered > 0)))
    link = _loaded(job | {"shut_s": job["shut_s"] + walk if job["shut_s"] else 0.0}, width)
    came = offered if at_origin else free.cumulative_outflow
    passed = link.cumulative_inflow if at_origin else link.cumulative_outflow
    waiting = np.zeros(len(came)) if at_origin else np.maximum(came - passed, 0)
    curves = {"came": came.tolist(), "passed": passed.tolist(), "waiting": waiting.tolist()}
    times = np.maximum(np.arange(len(came)) * step - walk, 0.0)
    return {"times": times.tolist(), "lost": float(offered[-1] - link.cumulative_inflow[-1]), "width_m": width, **curves}


def _come(job: dict[str, Any]) -> Any:
    return _whole(np.array(job["rates"]) * job["step_s"])


def _loaded(job: dict[str, Any], width: float) -> Any:
    """The link with the gate, after a rush."""
    step, steps = job["step_s"], len(job["rates"])
    come = _come(job)

    def evenly(origin_id: int, params: object) -> Any:  # noqa: ARG001
        return np.append(come, 0)

    np.random.seed(SEED)  # noqa: NPY002 - PedNStream draws from numpy's global generator
    links = {"0_1": dict(job["forecourt"]), "1_2": dict(job["forecourt"])}
    params = {"simulation_steps": steps, "unit_time": step, "default_link": LINK, "links": links, "seed": SEED}
    params["demand"] = {"origin_0": {"pattern": "evenly"}}
    network = Network(_line(3), params, [0], [2], demand_pattern=[evenly], od_flows={(0, 2): 1}, verbose=False)
    link = network.links[0, 1]
    for k in range(1, steps + 1):
        open_width = 0.0 if k * step <= job["shut_s"] else width
        if job["gate"] == "origin":
            link.back_gate_width = open_width
        else:
            link.front_gate_width = open_width
        network.network_loading(k)
    return link


def grid(job: dict[str, Any]) -> dict[str, Any]:
    """People from the west side of a grid of n x n places to its east side: how long it took, and who got there."""
    n, step, steps = job["n"], job["step_s"], int(job["lasts_s"] / job["step_s"])
    west, east = [r * n for r in range(n)], [r * n + n - 1 for r in range(n)]
    come = _whole(np.full(steps, job["people"] / n / steps))

    def evenly(origin_id: int, params: object) -> Any:  # noqa: ARG001
        return np.append(come, 0)

    np.random.seed(SEED)  # noqa: NPY002 - the same
    params = {"simulation_steps": steps, "unit_time": step, "default_link": LINK, "seed": SEED}
    params["demand"] = {f"origin_{origin}": {"pattern": "evenly"} for origin in west}
    begin = time.perf_counter()
    pairs = {(a, b): 1 for a in west for b in east}
    network = Network(_grid(n), params, west, east, demand_pattern=[evenly], od_flows=pairs, verbose=False)
    made = time.perf_counter()
    for k in range(1, steps + 1):
        network.network_loading(k)
    took = time.perf_counter() - made
    arrived = sum(float(network.nodes[node].virtual_outgoing_link.cumulative_inflow[-1]) for node in east)
    return {"made_s": made - begin, "took_s": took, "links": len(network.links), "came": float(come.sum()) * n, "arrived": arrived}


def _whole(people: Any) -> Any:
    """Whole persons a step, who add up to broken ones."""
    return np.diff(np.floor(np.cumsum(people) + 1e-9), prepend=0)


def _line(n: int) -> Any:
    return np.eye(n, k=1, dtype=int) + np.eye(n, k=-1, dtype=int)


def _grid(n: int) -> Any:
    return np.kron(np.eye(n, dtype=int), _line(n)) + np.kron(_line(n), np.eye(n, dtype=int))


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    json.dump({"rush": rush, "grid": grid}[asked["job"]](asked), sys.stdout)
