"""Who is asking, and what they may do: people with passwords and sessions, machines with tokens, roles narrowed by areas."""
