"""The service: HTTP in front of the log and the journal. It reads the journal, writes the log's inbox, and decides nothing."""
