from django.apps import AppConfig


class AttestationsConfig(AppConfig):
    name = "apps.attestations"
    label = "attestations"
