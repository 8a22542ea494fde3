"""Sessions in the database, asked only for keys that it can hold."""

from django.contrib.sessions.backends.db import SessionStore as DatabaseStore


class SessionStore(DatabaseStore):
    """A cookie is a stranger's text: a quoted one can hold a NUL, which PostgreSQL refuses with an error."""

    def __init__(self, session_key: str | None = None) -> None:
        super().__init__(session_key if session_key and session_key.isascii() and session_key.isalnum() else None)
