"""The one error of the embedded services."""


class EmbeddedError(RuntimeError):
    """The embedded services can't run here. The message is a sentence that says why, and what to do."""
