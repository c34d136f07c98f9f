"""The command line: thin commands over the packages, which do the work. Nothing but click is imported before a command runs."""
