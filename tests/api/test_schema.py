"""The committed schema is the one that the code makes."""

from io import StringIO
from pathlib import Path

import yaml
from django.core.management import call_command

from apps.people.models import Person
from tests.api.test_door import Programs
from tests.cast import Cast

COMMITTED = Path(__file__).resolve().parent.parent.parent / "docs" / "openapi.yaml"


def test_the_committed_schema_is_current() -> None:
    out = StringIO()
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=out)
    assert out.getvalue().strip() == COMMITTED.read_text(encoding="utf-8").strip(), (
        "write it again: manage.py spectacular --validate --fail-on-warn --file docs/openapi.yaml"
    )


def test_every_operation_says_how_it_fails_and_needs_a_token() -> None:
    schema = yaml.safe_load(COMMITTED.read_text(encoding="utf-8"))
    operations = [operation for path in schema["paths"].values() for operation in path.values()]
    assert len(operations) == 29
    for operation in operations:
        assert "application/problem+json" in operation["responses"]["default"]["content"]
        key = "source" if operation["operationId"].startswith("inbound_") else "token"
        assert operation["security"] == [{key: []}]
        assert operation["summary"]


def test_the_schema_is_served(cast: Cast, program: Programs) -> None:
    response = program(cast.dov).get("schema/")
    assert response.status_code == 200
    assert "/api/v1/who-answers/" in yaml.safe_load(response.content)["paths"]
    assert Person.objects.filter(pk=cast.dov.pk).exists()
