"""Out of the journal, to what moves: gates, barriers, links that are led and signs.

`protocol` is what is said on the wire, `transit` what a gate may be while it turns and whether people keep their way out meanwhile, `reconcile`
what to send now, `standing_orders` what the journal asks of each device, `fleet` what is known of each, `ledger` what was sent,
`dispatcher` the loop over all of it, `mqtt` and `http` the two wires. Nothing here decides anything about people: that stands in the journal.
"""
