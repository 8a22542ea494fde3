"""Who exists, in which function, and whether they are here today."""
