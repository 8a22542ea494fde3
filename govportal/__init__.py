"""Wiring only: settings, root urls, API root and the Celery application."""
