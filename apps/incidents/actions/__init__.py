"""The verbs of incidents, by noun."""
