"""What tests of incidents share."""

from django.db import connection


def settle() -> None:
    """Work out the response cards that wait for the end of the transaction, as a commit would."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
