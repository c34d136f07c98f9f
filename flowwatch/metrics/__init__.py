"""What flowwatch tells of itself in numbers: one table of names, collectors that fill it from disk and service, and a body to scrape."""
