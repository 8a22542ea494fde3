"""Forms of incidents, by noun."""
