"""The pages of allauth that are used. No sign-up, no second address: an administrator adds people."""

from allauth.account import views
from allauth.mfa.base import views as mfa
from allauth.mfa.webauthn import views as webauthn
from django.conf import settings
from django.urls import URLPattern, URLResolver, include, path, re_path
from django.views.generic import RedirectView

from apps.portal.views import passkeys, sso

passkey_urls = [
    path("", RedirectView.as_view(pattern_name="mfa_index"), name="mfa_list_webauthn"),
    path("add/", passkeys.add, name="mfa_add_webauthn"),
    path("login/", passkeys.login, name="mfa_login_webauthn"),
    path("reauthenticate/", passkeys.reauthenticate, name="mfa_reauthenticate_webauthn"),
    path("keys/<int:pk>/edit/", webauthn.edit_webauthn, name="mfa_edit_webauthn"),
    path("keys/<int:pk>/remove/", webauthn.remove_webauthn, name="mfa_remove_webauthn"),
]

second_factor_urls: list[URLPattern | URLResolver] = [
    path("", mfa.index, name="mfa_index"),
    path("authenticate/", mfa.authenticate, name="mfa_authenticate"),
    path("reauthenticate/", mfa.reauthenticate, name="mfa_reauthenticate"),
    path("totp/", include("allauth.mfa.totp.urls")),
    path("recovery-codes/", include("allauth.mfa.recovery_codes.urls")),
]
if settings.PASSKEYS:
    second_factor_urls.append(path("passkeys/", include(passkey_urls)))

urlpatterns = [
    path("login/", views.login, name="account_login"),
    path("logout/", views.logout, name="account_logout"),
    path("inactive/", views.account_inactive, name="account_inactive"),
    path("signup/", views.signup, name="account_signup"),
    path("reauthenticate/", views.reauthenticate, name="account_reauthenticate"),
    path("password/change/", views.password_change, name="account_change_password"),
    path("password/reset/", views.password_reset, name="account_reset_password"),
    path("password/reset/done/", views.password_reset_done, name="account_reset_password_done"),
    path(
        "password/reset/key/done/",
        views.password_reset_from_key_done,
        name="account_reset_password_from_key_done",
    ),
    re_path(
        r"^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        views.password_reset_from_key,
        name="account_reset_password_from_key",
    ),
    path("2fa/", include(second_factor_urls)),
    path("sso/<slug:provider_id>/", sso.begin, name="sso_begin"),
    path("sso/<slug:provider_id>/confirm/", sso.confirm, name="sso_confirm"),
    path("oidc/<slug:provider_id>/login/callback/", sso.oidc_callback, name="openid_connect_callback"),
    path("saml/<slug:provider_id>/acs/", sso.saml_acs, name="saml_acs"),
    path("saml/<slug:provider_id>/acs/finish/", sso.saml_finish, name="saml_finish_acs"),
    path("saml/<slug:provider_id>/metadata/", sso.saml_metadata, name="saml_metadata"),
]
