"""Pages of incidents, by noun."""
