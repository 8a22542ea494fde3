"""The rooms of the house; architecture tests hold their order."""
