"""Errors as a directory reads them (RFC 7644 section 3.12). No Django here."""

from typing import Any

SCIM_TYPE = "application/scim+json"
ERROR_SCHEMA = "urn:ietf:params:scim:api:messages:2.0:Error"


class ScimError(Exception):
    """A request that can't be done: the status, a sentence, and the keyword of RFC 7644 table 9 where one fits."""

    def __init__(self, status: int, detail: str, scim_type: str = "") -> None:
        self.status, self.detail, self.scim_type = status, detail, scim_type
        super().__init__(detail)


def error_body(status: int, detail: str, scim_type: str = "") -> dict[str, Any]:
    """The body of an error; the status is text there."""
    body: dict[str, Any] = {"schemas": [ERROR_SCHEMA], "status": str(status), "detail": detail}
    if scim_type:
        body["scimType"] = scim_type
    return body
