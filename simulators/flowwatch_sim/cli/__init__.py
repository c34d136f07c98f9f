"""The commands of `flowwatch-sim`: thin, over the packages that do the work."""
