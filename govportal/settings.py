"""Settings: one file, read from the environment. Secrets have no default."""

import shlex
from pathlib import Path
from urllib.parse import urlsplit

from csp.constants import NONE, SELF

from govportal.environment import (
    database_from_url,
    env_bool,
    env_choices,
    env_country,
    env_int,
    env_list,
    env_map,
    env_networks,
    env_site,
    env_str,
    env_zone,
    mail_from_url,
)
from govportal.identity import allauth_providers, env_providers

BASE_DIR = Path(__file__).resolve().parent.parent

SECRET_KEY = env_str("SECRET_KEY")
# Old keys, after a new one was set: what they sealed and signed still opens.
SECRET_KEY_FALLBACKS = env_list("SECRET_KEY_FALLBACKS")
DEBUG = env_bool("DEBUG", False)
DEMO = env_bool("DEMO", False)
SECURE = env_bool("SECURE", True)
SITE_URL = env_site("SITE_URL")
ALLOWED_HOSTS = env_list("ALLOWED_HOSTS") or [str(urlsplit(SITE_URL).hostname)]
CSRF_TRUSTED_ORIGINS = [SITE_URL]

ORGANISATION_NAME = env_str("ORGANISATION_NAME")
ORGANISATION_TIME_ZONE = env_zone("ORGANISATION_TIME_ZONE", "UTC")
HOLIDAY_COUNTRY = env_country("HOLIDAY_COUNTRY")
SUPPORT_TEXT = env_str("SUPPORT_TEXT", "")

# Days before the due date on which a quarterly campaign opens, and after it on which it closes.
CAMPAIGN_OPENS_DAYS_BEFORE = env_int("CAMPAIGN_OPENS_DAYS_BEFORE", 21)
CAMPAIGN_CLOSES_DAYS_AFTER = env_int("CAMPAIGN_CLOSES_DAYS_AFTER", 10)
# 1 to 3: the month of the quarter on whose last working day answers are due.
CAMPAIGN_DUE_MONTH = env_int("CAMPAIGN_DUE_MONTH", 2, least=1, most=3)
NAME_OVERDUE_PEOPLE = env_bool("NAME_OVERDUE_PEOPLE", True)
# An address that stands behind more systems than this is a shared address, not a person.
SHARED_ADDRESS_THRESHOLD = env_int("SHARED_ADDRESS_THRESHOLD", 10)
# Systems that one person can answer for before that is a finding.
WORKLOAD_CAP = 25
# Name -> the function that looks for one sort of breach (apps/findings/sources.py says what a name means).
FINDING_SOURCES = {
    "attestations": "apps.attestations.queries.findings.attestation_breaches",
    "charter": "apps.registry.queries.charter.charter_breaches",
    "cover": "apps.registry.queries.cover.cover_breaches",
    "delivery": "apps.findings.queries.delivery.delivery_breaches",
    "drills": "apps.incidents.queries.learning_findings.learning_breaches",
    "ownership": "apps.registry.queries.ownership.ownership_breaches",
    "preflight": "apps.incidents.queries.preflight.preflight_breaches",
    "raci": "apps.registry.queries.raci_checks.breaches",
    "runbooks": "apps.incidents.queries.runbooks.runbook_breaches",
    "response": "apps.incidents.queries.card_findings.response_breaches",
    "watch": "apps.portal.queries.watch.watch_breaches",
}
# Who answers without signing in: from these networks only, so many look-ups a minute from one address. None: off.
OPEN_LOOKUP_NETWORKS = env_networks("OPEN_LOOKUP_NETWORKS")
OPEN_LOOKUP_A_MINUTE = env_int("OPEN_LOOKUP_A_MINUTE", 20, least=1)
# The private folder of the cards for when the portal is down, and of the key that signs them.
CARDS_DIR = Path(env_str("CARDS_DIR", str(BASE_DIR / "var" / "cards")))
IMPORT_MAX_BYTES = 50 * 1024 * 1024

# Evidence: how large a file may be, the private folder of its bytes, and the scanner's command (the path is appended).
EVIDENCE_MAX_MB = env_int("EVIDENCE_MAX_MB", 10, least=1, most=100)
EVIDENCE_DIR = Path(env_str("EVIDENCE_DIR", str(BASE_DIR / "var" / "evidence")))
EVIDENCE_SCAN_COMMAND = shlex.split(env_str("EVIDENCE_SCAN_COMMAND", ""))

# Groups of the identity provider whose members get a role here: AI auditors=auditor, Board office=board
SCIM_ROLE_GROUPS = env_map("SCIM_ROLE_GROUPS", ("administrator", "auditor", "board"))
# For each token. Entra sends up to 25 in a second.
SCIM_REQUESTS_A_MINUTE = env_int("SCIM_REQUESTS_A_MINUTE", 3000, least=1)
# Calls a minute of each source that declares incidents, and the address before the + of its mail: incident@example.org
INBOUND_REQUESTS_A_MINUTE = env_int("INBOUND_REQUESTS_A_MINUTE", 300, least=1)
INBOUND_MAIL_ADDRESS = env_str("INBOUND_MAIL_ADDRESS", "")

INSTALLED_APPS = [
    "apps.portal",
    "apps.readiness",
    "apps.assurance",
    "apps.directory",
    "apps.attestations",
    "apps.incidents",
    "apps.findings",
    "apps.registry",
    "apps.access",
    "apps.notify",
    "apps.people",
    "apps.audit",
    "apps.common",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "pgtrigger",
    "guardian",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.usersessions",
    "rest_framework",
    "drf_spectacular",
    "django_filters",
    "django_htmx",
    "template_partials",
    "csp",
    "lucide",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "apps.common.middleware.RequestIdMiddleware",
    "csp.middleware.CSPMiddleware",
    "apps.common.middleware.HeadersMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "apps.portal.middleware.FirstStartMiddleware",
    "apps.portal.middleware.ErrorsMiddleware",
    "apps.portal.middleware.SessionMiddleware",
    "apps.portal.middleware.SecondFactorMiddleware",
    "apps.portal.middleware.PersonTimeZoneMiddleware",
]

ROOT_URLCONF = "govportal.urls"
WSGI_APPLICATION = "govportal.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "apps.portal.context.shell",
            ],
        },
    }
]

# The application's role: no DDL, INSERT and SELECT only on the trail. Migrations use DATABASE_OWNER_URL.
DATABASES = {"default": database_from_url(env_str("DATABASE_URL"), "DATABASE_URL")}
REDIS_URL = env_str("REDIS_URL")

# Sessions and rate limits live in PostgreSQL: signing in works while Redis is down.
SESSION_ENGINE = "apps.common.sessions"
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "common_cache",
        # Above the number of people: culling would forget rate limits before their time.
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    },
}

AUTH_USER_MODEL = "people.Person"
AUTHENTICATION_BACKENDS = [
    "allauth.account.auth_backends.AuthenticationBackend",
    "guardian.backends.ObjectPermissionBackend",
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
ANONYMOUS_USER_NAME = None
GUARDIAN_RAISE_403 = False

LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "portal:home"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_USER_MODEL_EMAIL_FIELD = "email"
ACCOUNT_ADAPTER = "apps.portal.adapter.AccountAdapter"
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_RATE_LIMITS = {
    "login": "30/m/ip",
    "login_failed": "10/m/ip,5/5m/key",
    "reset_password": "20/m/ip,5/m/key",
    "reset_password_from_key": "20/m/ip",
    "reauthenticate": "10/m/user",
    "change_password": "5/m/user",
    "single_sign_on": "30/m/ip",
    # A link that answers a call without signing in.
    "incident_ack": "60/m/ip",
}
# The longest of the times above, in seconds: what people are told.
RETRY_AFTER = 300
ALLAUTH_TRUSTED_PROXY_COUNT = env_int("TRUSTED_PROXY_COUNT", 0)
# A browser offers passkeys over HTTPS, and on localhost.
PASSKEYS = urlsplit(SITE_URL).scheme == "https" or urlsplit(SITE_URL).hostname == "localhost"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes", *(["webauthn"] if PASSKEYS else [])]
MFA_PASSKEY_LOGIN_ENABLED = PASSKEYS
MFA_WEBAUTHN_USER_VERIFICATION = "required"
MFA_ADAPTER = "apps.portal.adapter.SecondFactorAdapter"
MFA_FORMS = {
    "add_webauthn": "apps.portal.forms.passkeys.AddPasskeyForm",
    "edit_webauthn": "apps.portal.forms.passkeys.RenamePasskeyForm",
    "login_webauthn": "apps.portal.forms.passkeys.LoginPasskeyForm",
    "authenticate_webauthn": "apps.portal.forms.passkeys.AuthenticatePasskeyForm",
    "reauthenticate_webauthn": "apps.portal.forms.passkeys.ReauthenticatePasskeyForm",
}
# Who has to have a second factor before anything else: standings, or everybody.
MFA_REQUIRED_FOR = env_choices(
    "MFA_REQUIRED_FOR", ("administrator", "auditor", "board", "everybody", "mandate_holder", "seat_holder")
)
IDENTITY_PROVIDERS = env_providers("IDENTITY_PROVIDERS")
SOCIALACCOUNT_PROVIDERS = allauth_providers(IDENTITY_PROVIDERS)
SOCIALACCOUNT_ADAPTER = "apps.portal.sso.SocialAccountAdapter"
SOCIALACCOUNT_STORE_TOKENS = False
MFA_TOTP_ISSUER = "Govportal"
SESSION_COOKIE_AGE = 12 * 60 * 60
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE
SESSION_COOKIE_NAME = "__Host-session" if SECURE else "govportal_session"
CSRF_COOKIE_NAME = "__Host-csrf" if SECURE else "govportal_csrf"
CSRF_COOKIE_HTTPONLY = True
SECURE_SSL_REDIRECT = SECURE
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]
SECURE_HSTS_SECONDS = 31_536_000 if SECURE else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = SECURE
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if ALLAUTH_TRUSTED_PROXY_COUNT else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "apps.portal.views.errors.csrf_failure"

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [
            SELF,
            *sorted({origin for provider in IDENTITY_PROVIDERS for origin in provider.origins}),
            *env_list("FORM_ACTION_ORIGINS"),
        ],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "object-src": [NONE],
    }
}

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
DATE_FORMAT = "j M Y"

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
FONTS_DIR = BASE_DIR / "node_modules" / "@fontsource-variable"
FONT_FAMILIES = ("public-sans", "newsreader", "geist-mono")
FONTS_INSTALLED = all((FONTS_DIR / family / "files").is_dir() for family in FONT_FAMILIES)
STATICFILES_DIRS: list[object] = [BASE_DIR / "static"]
if FONTS_INSTALLED:
    # The @font-face sheet is found only together with its files: hashed storage refuses a missing url().
    STATICFILES_DIRS += [BASE_DIR / "static-fonts"]
    STATICFILES_DIRS += [(f"fonts/{family}", FONTS_DIR / family / "files") for family in FONT_FAMILIES]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if env_bool("STATIC_MANIFEST", SECURE)
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = not env_bool("STATIC_MANIFEST", SECURE)

EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
EMAIL_HOST, EMAIL_PORT, EMAIL_HOST_USER, EMAIL_HOST_PASSWORD, EMAIL_USE_TLS = mail_from_url(env_str("EMAIL_URL"))
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env_str("DEFAULT_FROM_EMAIL")
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.TemporaryFileUploadHandler"]

# Webhooks out: the organisation's own networks that they may reach, its own certificate authority, and whether they may
# go there without TLS. Everything else has to be a public address over HTTPS.
WEBHOOK_ALLOWED_NETWORKS = env_networks("WEBHOOK_ALLOWED_NETWORKS")
WEBHOOK_ALLOW_HTTP = env_bool("WEBHOOK_ALLOW_HTTP", False)
WEBHOOK_CA_FILE = env_str("WEBHOOK_CA_FILE", "")
# A watchman outside is told every ten minutes that calling works; it alarms somebody where that stays away.
DEAD_MAN_URL = env_str("DEAD_MAN_URL", "")

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["apps.access.authentication.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["apps.access.authentication.ScopedTokenPermission"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["apps.common.parsers.BoundedJsonParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "govportal.api.problem_details",
    "DEFAULT_THROTTLE_CLASSES": ["rest_framework.throttling.UserRateThrottle"],
    "DEFAULT_THROTTLE_RATES": {"user": "600/min", "anon": "60/min"},
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Govportal API",
    "DESCRIPTION": "For every AI system in an organisation, one named person answers.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "ENUM_NAME_OVERRIDES": {
        "AbsenceKindEnum": ["away", "delegated"],
        "DeclaredModeEnum": ["real", "test"],
        "IdentityKindEnum": "apps.registry.models.SystemIdentity.Kind",
        "IncidentModeEnum": ["real", "drill", "test"],
        "IncidentSeverityEnum": ["unclassified", "sev1", "sev2", "sev3", "sev4"],
        "IncidentStateEnum": [
            "reported",
            "triage",
            "active",
            "contained",
            "resolved",
            "in_review",
            "closed",
            "dismissed",
            "merged",
        ],
        "PagerDutySeverityEnum": ["critical", "error", "warning", "info"],
        "SeverityEnum": ["critical", "high", "medium", "low"],
        "OwnershipFactKindEnum": "apps.registry.models.OwnershipFact.Kind",
        "SystemBasisEnum": "apps.registry.models.System.Basis",
        "CampaignStateEnum": "apps.attestations.models.Campaign.State",
        "CorrectiveActionStateEnum": "apps.findings.models.CorrectiveAction.State",
        "FindingStateEnum": "apps.findings.models.Finding.State",
    },
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "apps.common.logs.formatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["stderr"], "level": env_str("LOG_LEVEL", "INFO")},
    "loggers": {"django.server": {"level": "WARNING"}, "django.security.DisallowedHost": {"level": "ERROR"}},
}
SILENCED_SYSTEM_CHECKS: list[str] = []
