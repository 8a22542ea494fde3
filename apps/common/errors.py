"""Errors that a person can act on."""


class Refused(Exception):
    """A rule says no. The message says which rule and what to do; it is shown as it is."""


class NotAllowed(Exception):
    """The actor may see this but not do it. The message says who may."""
