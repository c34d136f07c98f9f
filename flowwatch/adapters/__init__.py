"""Into the log: devices' formats, files and streams become readings as columns. Adapters know names and times, not sites and partitions."""
