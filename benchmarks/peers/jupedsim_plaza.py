"""JuPedSim, run by an interpreter of its own: a crowd that leaves a plaza through a gate. A job comes as JSON on stdin, figures go to stdout.

A plaza of 20 x 15 m with the gate in the middle of one side, people at random places of it who all set out at once: `CollisionFreeSpeedModelV2`
with a time gap of 0.5 s, at which its flow through a neck is that of laboratories (Seyfried 2009), speeds normal 1.34 ± 0.26 m/s, radius 0.18 m,
steps of 0.05 s. People walk to a point in the gate and on to an exit 8 m behind it. Runs end after 15 minutes, arch or no arch.

Knows nothing of flowwatch.
"""

from __future__ import annotations

import json
import sys
from typing import Any, Final

import jupedsim as jps  # type: ignore[import-not-found]
import numpy as np
from shapely.geometry import Polygon  # type: ignore[import-untyped]

LONG: Final = 20.0
WIDE: Final = 15.0
STEP_S: Final = 0.05
TIME_GAP_S: Final = 0.5
RADIUS_M: Final = 0.18
MOST_S: Final = 900.0
PATCH_M: Final = 4.0
"""Side of the square before the gate in which people are counted."""


def plaza(job: dict[str, Any]) -> dict[str, Any]:
    """When each person was through the gate, how far they had to walk, and the most persons/m² before it."""
    width, people, seed = job["width_m"], job["people"], job["seed"]
    low, high, neck = (WIDE - width) / 2, (WIDE + width) / 2, LONG + 1.0
    before = [(LONG, high), (LONG, WIDE), (0, WIDE), (0, 0), (LONG, 0), (LONG, low)]
    place = Polygon([*before, (neck, low), (neck, 0), (neck + 10, 0), (neck + 10, WIDE), (neck, WIDE), (neck, high)])
    simulation = jps.Simulation(model=jps.CollisionFreeSpeedModelV2(), geometry=place, dt=STEP_S)
    exit_ = simulation.add_exit_stage([(neck + 8, 2), (neck + 10, 2), (neck + 10, 13), (neck + 8, 13)])
    gate = simulation.add_waypoint_stage((LONG + 1.5, WIDE / 2), 1.0)
    journey = jps.JourneyDescription([gate, exit_])
    journey.set_transition_for_stage(gate, jps.Transition.create_fixed_transition(exit_))
    way = simulation.add_journey(journey)
    room = Polygon([(0, 0), (LONG - 1, 0), (LONG - 1, WIDE), (0, WIDE)])
    places = jps.distribute_by_number(polygon=room, number_of_agents=people, distance_to_agents=0.4, distance_to_polygon=0.3, seed=seed)
    speeds = np.random.default_rng(seed).normal(1.34, 0.26, people).clip(0.5, 2.2)
    alone: dict[int, float] = {}
    for at, speed in zip(places, speeds.tolist(), strict=True):
        body = {"position": at, "desired_speed": speed, "radius": RADIUS_M, "time_gap": TIME_GAP_S}
        who = simulation.add_agent(jps.CollisionFreeSpeedModelV2AgentParameters(journey_id=way, stage_id=gate, **body))
        alone[who] = float(np.hypot(LONG - at[0], WIDE / 2 - at[1]) / speed)
    passed: dict[int, float] = {}
    densest = 0
    while simulation.agent_count() and simulation.elapsed_time() < MOST_S:
        simulation.iterate(5)
        close = 0
        for agent in simulation.agents():
            x, y = agent.position
            if x > LONG:
                passed.setdefault(agent.id, simulation.elapsed_time())
            elif x > LONG - PATCH_M and abs(y - WIDE / 2) < PATCH_M / 2:
                close += 1
        densest = max(densest, close)
    waited = [at - alone[who] for who, at in passed.items()]
    return {"passed_s": sorted(passed.values()), "waited_s": waited, "densest_per_m2": densest / PATCH_M**2}


if __name__ == "__main__":
    json.dump(plaza(json.load(sys.stdin)), sys.stdout)
