"""What the server says about itself (RFC 7643 sections 5 to 7). No Django here."""

from typing import Any

from apps.directory.rules.filters import ENTERPRISE, GROUP, USER

LARGEST_PAGE = 200
_CORE = "urn:ietf:params:scim:schemas:core:2.0"


def provider_config(base: str) -> dict[str, Any]:
    """What this server can do."""
    return {
        "schemas": [f"{_CORE}:ServiceProviderConfig"],
        "patch": {"supported": True},
        "bulk": {"supported": False, "maxOperations": 0, "maxPayloadSize": 0},
        "filter": {"supported": True, "maxResults": LARGEST_PAGE},
        "changePassword": {"supported": False},
        "sort": {"supported": False},
        "etag": {"supported": True},
        "authenticationSchemes": [
            {
                "type": "oauthbearertoken",
                "name": "Bearer token",
                "description": "A token from the page Directory, SCIM tokens.",
                "primary": True,
            }
        ],
        "meta": {"resourceType": "ServiceProviderConfig", "location": f"{base}/ServiceProviderConfig"},
    }


def resource_types(base: str) -> list[dict[str, Any]]:
    """Users and groups."""
    user = _resource_type(base, "User", "/Users", USER)
    user["schemaExtensions"] = [{"schema": ENTERPRISE, "required": False}]
    return [user, _resource_type(base, "Group", "/Groups", GROUP)]


def _resource_type(base: str, name: str, endpoint: str, schema: str) -> dict[str, Any]:
    return {
        "schemas": [f"{_CORE}:ResourceType"],
        "id": name,
        "name": name,
        "endpoint": endpoint,
        "description": f"{name}s of the directory",
        "schema": schema,
        "meta": {"resourceType": "ResourceType", "location": f"{base}/ResourceTypes/{name}"},
    }


def schemas(base: str) -> list[dict[str, Any]]:
    """The attributes that the portal uses. Others are kept as they were sent."""
    return [
        _schema(base, USER, "User", _USER_ATTRIBUTES),
        _schema(base, GROUP, "Group", _GROUP_ATTRIBUTES),
        _schema(base, ENTERPRISE, "EnterpriseUser", _ENTERPRISE_ATTRIBUTES),
    ]


def _schema(base: str, urn: str, name: str, attributes: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "schemas": [f"{_CORE}:Schema"],
        "id": urn,
        "name": name,
        "description": name,
        "attributes": attributes,
        "meta": {"resourceType": "Schema", "location": f"{base}/Schemas/{urn}"},
    }


def _attribute(name: str, kind: str = "string", **said: Any) -> dict[str, Any]:
    return {
        "name": name,
        "type": kind,
        "multiValued": False,
        "description": name,
        "required": False,
        "caseExact": False,
        "mutability": "readWrite",
        "returned": "default",
        "uniqueness": "none",
    } | said


def _values(name: str, *more: str) -> dict[str, Any]:
    inner = [_attribute(one) for one in ("value", "type", *more)]
    return _attribute(name, "complex", multiValued=True, subAttributes=[*inner, _attribute("primary", "boolean")])


_USER_ATTRIBUTES = [
    _attribute("userName", required=True, uniqueness="server"),
    _attribute("externalId", caseExact=True),
    _attribute("name", "complex", subAttributes=[_attribute(one) for one in ("formatted", "givenName", "familyName")]),
    _attribute("displayName"),
    _attribute("title"),
    _attribute("timezone"),
    _attribute("locale"),
    _attribute("active", "boolean"),
    _values("emails"),
    _values("phoneNumbers"),
]
_GROUP_ATTRIBUTES = [
    _attribute("displayName", required=True, uniqueness="server"),
    _attribute("externalId", caseExact=True),
    _attribute(
        "members",
        "complex",
        multiValued=True,
        subAttributes=[_attribute(one, mutability="immutable") for one in ("value", "$ref", "display", "type")],
    ),
]
_ENTERPRISE_ATTRIBUTES = [
    _attribute("employeeNumber"),
    _attribute("department"),
    _attribute("manager", "complex", subAttributes=[_attribute(one) for one in ("value", "$ref", "displayName")]),
]
