"""Makes sure that somebody reads the trail."""
