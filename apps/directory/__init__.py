"""Brings people in, moves them, and lets them go without leaving a hole."""
