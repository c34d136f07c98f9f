"""Handling: what people were told of incidents, who answers for each by when, and what they did. A record beside the journal.

The engine says what is; people act on it, and how they did must be shown afterwards. `records.py` has what is written, `book.py` where; the
state of one incident follows from its records alone.
"""
