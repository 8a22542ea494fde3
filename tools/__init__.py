"""Programs of `make`."""
