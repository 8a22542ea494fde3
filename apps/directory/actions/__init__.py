"""The verbs of the directory: leavers, users and groups of an identity provider, its tokens."""

from apps.directory.actions.groups import change_group, create_group, remove_group
from apps.directory.actions.tokens import issue_scim_token, revoke_scim_token
from apps.directory.actions.users import change_user, create_user, remove_user

__all__ = [
    "change_group",
    "change_user",
    "create_group",
    "create_user",
    "issue_scim_token",
    "remove_group",
    "remove_user",
    "revoke_scim_token",
]
