"""What brings readings, reports and fire signals in over the network: `Stager` makes them durable, `mqtt` and `poll` listen and ask.

Decisions are the engine's; nothing here looks at what a reading means. Whatever arrives is staged in the log's inbox, and whoever sent it is
told so only when it is durable.
"""

from flowwatch.inputs.stager import Bounds, Receipt, Stager, Waiting

__all__ = ["Bounds", "Receipt", "Stager", "Waiting"]
