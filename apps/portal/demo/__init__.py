"""The demo: the public inventory, invented people who answer for a part of it, one campaign in mid-course."""
