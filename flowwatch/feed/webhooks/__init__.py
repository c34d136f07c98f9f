"""Webhooks: CloudEvents to whoever subscribed, signed after Standard Webhooks 1.0, from an outbox that outlives the process.

`subscriptions.py` who is told what; `outbox.py` what is still to be delivered; `ladder.py` when it is tried again; `guard.py` where it may go;
`courier.py` the threads that do it.
"""
