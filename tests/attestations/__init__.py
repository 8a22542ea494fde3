"""Attestations."""
