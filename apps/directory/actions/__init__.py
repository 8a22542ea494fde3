"""The verbs of the directory: leavers, users and groups of an identity provider, its tokens."""

from apps.directory.actions.groups import change_group, create_group, remove_group
from apps.directory.actions.offboard import bring_back, offboard
from apps.directory.actions.people_file import (
    apply_people_file,
    discard_people_file,
    offboard_due,
    receive_people_file,
    review_people_file_again,
)
from apps.directory.actions.tokens import issue_scim_token, revoke_scim_token
from apps.directory.actions.users import change_user, create_user, remove_user

__all__ = [
    "apply_people_file",
    "bring_back",
    "change_group",
    "change_user",
    "create_group",
    "create_user",
    "discard_people_file",
    "issue_scim_token",
    "offboard",
    "offboard_due",
    "receive_people_file",
    "remove_group",
    "remove_user",
    "review_people_file_again",
    "revoke_scim_token",
]
