"""The pure engine: numpy and the standard library only, no clock, no input or output."""
