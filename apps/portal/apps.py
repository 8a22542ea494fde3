from django.apps import AppConfig


class PortalConfig(AppConfig):
    name = "apps.portal"
    label = "portal"

    def ready(self) -> None:
        """Connect signing in to the trail, once the models are there."""
        from apps.portal import sign_in

        sign_in.connect()
