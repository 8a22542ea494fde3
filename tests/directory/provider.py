"""An identity provider for tests: HTTP calls with a bearer token, and the shapes that real ones send.

The shapes restate facts of MicrosoftDocs/entra-docs (docs/identity/app-provisioning, commit 0596ed5; text CC BY 4.0)
and of oktadev/okta-scim-beta (commit 14ca30a; Apache-2.0).
"""

import json
from collections import Counter
from typing import Any

from django.test import Client

from apps.audit.models import AuditEvent
from apps.audit.rules import COMMAND
from apps.common import clock
from apps.directory.actions import issue_scim_token

PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"


class Provider:
    """One identity provider with a token of its own."""

    def __init__(self, name: str = "Okta") -> None:
        self.token, self.secret = issue_scim_token(name=name, actor=COMMAND, now=clock.now())
        self.client = Client(headers={"Authorization": f"Bearer {self.secret}"}, raise_request_exception=False)

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> "Answer":
        """One request; the answer has the type of the protocol whatever it is."""
        data = body if isinstance(body, bytes | str) else json.dumps(body) if body is not None else ""
        response = self.client.generic(
            method, f"/scim/v2{path}", data, content_type="application/scim+json", headers=headers or None
        )
        assert response["Content-Type"].startswith("application/scim+json"), response.content
        return Answer(response)

    def get(self, path: str, **headers: str) -> "Answer":
        """Read."""
        return self.call("GET", path, **headers)

    def find(self, text: str, resource: str = "Users") -> list[dict[str, Any]]:
        """The resources that a filter finds."""
        response = self.client.get(f"/scim/v2/{resource}", {"filter": text})
        assert response.status_code == 200, response.content
        return json.loads(response.content)["Resources"]

    def add(self, user_name: str, **more: Any) -> dict[str, Any]:
        """Create a user as Okta does."""
        answer = self.call("POST", "/Users", a_user(user_name, **more))
        assert answer.status == 201, answer.body
        return answer.body

    def patch(self, path: str, *operations: dict[str, Any], **headers: str) -> "Answer":
        """Change some of it."""
        return self.call("PATCH", path, {"schemas": [PATCH_OP], "Operations": list(operations)}, **headers)


class Answer:
    """Status, headers and the JSON of an answer."""

    def __init__(self, response: Any) -> None:
        self.status, self.headers = response.status_code, response.headers
        self.body: Any = json.loads(response.content) if response.content else None

    def refused(self, status: int, scim_type: str | None = None) -> str:
        """That it is an error by RFC 7644; returns what it says."""
        assert self.status == status, self.body
        assert self.body["schemas"] == [ERROR]
        assert self.body["status"] == str(status)
        assert self.body.get("scimType") == scim_type, self.body
        assert self.body["detail"]
        return str(self.body["detail"])


def a_user(user_name: str, **more: Any) -> dict[str, Any]:
    """A user as Okta sends it."""
    given, family = user_name.partition("@")[0].capitalize(), "Example"
    return {
        "schemas": [USER],
        "userName": user_name,
        "name": {"givenName": given, "familyName": family},
        "emails": [{"primary": True, "value": user_name, "type": "work"}],
        "displayName": f"{given} {family}",
        "locale": "en-US",
        "externalId": f"00u{user_name}",
        "groups": [],
        "password": "1mz050nq",
        "active": True,
    } | more


def trail() -> Counter[str]:
    """How many events of each kind there are, those that another event caused apart."""
    rows = AuditEvent.objects.values_list("kind", "cause")
    return Counter(f"caused {kind}" if cause else kind for kind, cause in rows)
