"""Says things to people once, and proves it did."""
