"""Functions and their seats; nobody is deleted; a seat is held by an active human."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

FUNCTIONS = [
    ("ciso", "Security", "CISO"),
    ("engineering", "Engineering", "VP Engineering"),
    ("cto", "Technology", "CTO"),
    ("platform", "Platform", "VP IT and Platform"),
    ("ai_lead", "AI", "Head of AI"),
    ("finance", "Finance", "Head of Finance"),
    ("legal", "Legal", "General Counsel"),
    ("board", "Board", "Board committee chair"),
]


def seed_functions(apps: Apps, editor: BaseDatabaseSchemaEditor) -> None:
    function, seat = apps.get_model("people", "Function"), apps.get_model("people", "Seat")
    for position, (code, name, title) in enumerate(FUNCTIONS):
        # The way back leaves the rows where they are: others may point to them.
        function.objects.get_or_create(code=code, defaults={"name": name, "seat_title": title, "position": position})
        seat.objects.get_or_create(function_id=code)


GUARDS = """
CREATE TRIGGER person_never_deleted BEFORE DELETE ON people_person FOR EACH ROW
    EXECUTE FUNCTION refuse_change('A person is never deleted. Deactivate them instead.');
ALTER TABLE people_person ENABLE ALWAYS TRIGGER person_never_deleted;
CREATE TRIGGER person_never_truncated BEFORE TRUNCATE ON people_person FOR EACH STATEMENT
    EXECUTE FUNCTION refuse_change('People are never deleted. Deactivate them instead.');
ALTER TABLE people_person ENABLE ALWAYS TRIGGER person_never_truncated;
ALTER TABLE people_seat
    ADD COLUMN is_held boolean GENERATED ALWAYS AS (holder_id IS NOT NULL) STORED,
    ADD COLUMN holder_must_be_active boolean GENERATED ALWAYS AS (true) STORED,
    ADD COLUMN holder_must_be varchar(10) GENERATED ALWAYS AS ('human') STORED,
    ADD CONSTRAINT seat_is_held UNIQUE (function_id, is_held),
    ADD CONSTRAINT seat_holder_active FOREIGN KEY (holder_id, holder_must_be_active)
        REFERENCES people_person (id, is_active),
    ADD CONSTRAINT seat_holder_human FOREIGN KEY (holder_id, holder_must_be) REFERENCES people_person (id, kind);
"""

UNDO = """
ALTER TABLE people_seat DROP CONSTRAINT seat_holder_human, DROP CONSTRAINT seat_holder_active,
    DROP CONSTRAINT seat_is_held, DROP COLUMN holder_must_be, DROP COLUMN holder_must_be_active, DROP COLUMN is_held;
DROP TRIGGER person_never_truncated ON people_person;
DROP TRIGGER person_never_deleted ON people_person;
"""


class Migration(migrations.Migration):
    dependencies = [("people", "0001_people")]
    operations = [
        migrations.RunPython(seed_functions, migrations.RunPython.noop),
        migrations.RunSQL("SET CONSTRAINTS ALL IMMEDIATE", migrations.RunSQL.noop),
        migrations.RunSQL(GUARDS, UNDO),
    ]
