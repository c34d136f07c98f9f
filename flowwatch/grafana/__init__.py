"""Grafana dashboards: what they show, as data (`boards`), made into JSON that is committed (`generate`), read and given out without Grafana's SDK."""
