"""What the directory keeps: cases of leavers, users and groups as an identity provider sent them, files of people."""

from apps.directory.models.cases import HandedOver, OffboardingCase
from apps.directory.models.people_file import PeopleFile
from apps.directory.models.scim import Placement, ScimGroup, ScimToken, ScimUser

__all__ = ["HandedOver", "OffboardingCase", "PeopleFile", "Placement", "ScimGroup", "ScimToken", "ScimUser"]
