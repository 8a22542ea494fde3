"""What breaks things on purpose: servers of their own, processes that are killed, a clock that is moved."""
