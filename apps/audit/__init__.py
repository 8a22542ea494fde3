"""Remembers every act so that a missing or changed line shows."""
