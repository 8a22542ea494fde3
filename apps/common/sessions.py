"""Sessions in the database, asked only for keys that it can hold."""

from django.contrib.sessions.backends.db import SessionStore as DatabaseStore


class SessionStore(DatabaseStore):
    """A cookie is a stranger's text: a quoted one can hold a NUL, which PostgreSQL refuses with an error."""

    def _validate_session_key(self, key: str) -> bool:
        return super()._validate_session_key(key) and key.isascii() and key.isalnum()
