"""The feed: what was decided and done, told to whoever listens, each in the form that they read. Everything here reads and decides nothing.

The journal and the book of handling are the only sources; a listener that was away goes on behind the last that it had.
"""
