"""A planner's laboratory and a load generator: people at a site, its counters and gates, and the production engine on a simulated clock."""
