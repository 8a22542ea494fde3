"""Reading incidents, by noun. Every read of incidents starts at `visible_incidents`."""
