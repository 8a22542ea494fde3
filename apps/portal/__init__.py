"""Where you land: what waits for you, across all of it."""
