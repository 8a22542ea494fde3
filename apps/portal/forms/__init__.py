"""Forms of the pages, by noun."""
