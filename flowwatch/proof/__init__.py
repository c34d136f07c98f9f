"""Proof: that journal and book of handling are what was written, and the day's ledger drawn from them."""
