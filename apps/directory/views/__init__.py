"""Pages and the protocol of the directory."""
