"""One honest page for the board."""
