"""The id that ties a request's log lines and trail events together."""

from contextvars import ContextVar

_request_id: ContextVar[str] = ContextVar("request_id", default="")


def current_request_id() -> str:
    """The id of the request or task that runs now, or an empty string."""
    return _request_id.get()


def set_request_id(value: str) -> None:
    """Name the request or task that runs now."""
    _request_id.set(value)
