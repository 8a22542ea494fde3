"""URLs of SCIM 2.0; identity providers write them without a slash at the end."""

from django.urls import re_path

from apps.directory.views import scim

app_name = "scim"
urlpatterns = [
    re_path(r"^Users/?$", scim.users, name="users"),
    re_path(r"^Users/(?P<scim_id>[^/]{1,200})/?$", scim.user, name="user"),
    re_path(r"^Groups/?$", scim.groups, name="groups"),
    re_path(r"^Groups/(?P<scim_id>[^/]{1,200})/?$", scim.group, name="group"),
    re_path(r"^ServiceProviderConfigs?/?$", scim.provider_config, name="provider_config"),
    re_path(r"^ResourceTypes/?$", scim.resource_types, name="resource_types"),
    re_path(r"^ResourceTypes/(?P<name>[^/]{1,200})/?$", scim.resource_types, name="resource_type"),
    re_path(r"^Schemas/?$", scim.schemas, name="schemas"),
    re_path(r"^Schemas/(?P<name>[^/]{1,200})/?$", scim.schemas, name="schema"),
    re_path(r"^(?P<rest>.*)$", scim.nothing, name="nothing"),
]
