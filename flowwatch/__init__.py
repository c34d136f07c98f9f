"""flowwatch: a crowd-flow early-warning stream processor for scenic areas."""

__version__ = "0.1.0"
