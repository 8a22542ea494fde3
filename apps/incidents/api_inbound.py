"""Where machines declare: Alertmanager, PagerDuty's Events API v2, JSON of one's own, mails. A token, no session."""

from collections.abc import Callable, Mapping
from typing import IO, Any, ClassVar, cast

import structlog
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path, re_path, resolve
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import APIException, AuthenticationFailed, NotFound, Throttled
from rest_framework.parsers import BaseParser
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from apps.common import clock
from apps.common.allowance import is_above
from apps.common.api import ApiView, StrictSerializer
from apps.common.errors import NotAllowed
from apps.common.parsers import BoundedJsonParser, TooLarge
from apps.common.saving import is_collision
from apps.incidents.actions.inbound import Received, note_use, receive, receive_mail
from apps.incidents.models import InboundSource
from apps.incidents.queries.inbound import live_source, own_domain
from apps.incidents.rules.inbound import Report, from_alertmanager, from_json, from_pagerduty
from apps.incidents.rules.inbound_mail import MOST_BYTES, read_mail
from apps.registry.rules import Scenario

log = structlog.get_logger(__name__)
LARGEST_BODY = 1024 * 1024
GUESSES_A_MINUTE = 30
ATTEMPTS = 3
Kind = InboundSource.Kind


class Later(APIException):
    """Not now; the sender is asked to send it again. Alertmanager repeats after 5xx only, never after 429."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "Too much at once. Nothing was changed. Send it again in a minute."
    wait = 60


class SmallJsonParser(BoundedJsonParser):
    """JSON of the size that alerts have."""

    def parse(self, stream: IO[Any], media_type: str | None = None, parser_context: Any = None) -> Any:
        """The parsed body. Raises TooLarge before reading, ParseError for what is no JSON."""
        _refuse_large(parser_context, LARGEST_BODY)
        return super().parse(stream, media_type, parser_context)


class MailParser(BaseParser):
    """A mail as it is, whatever its type is called."""

    media_type = "*/*"

    def parse(self, stream: IO[Any], media_type: str | None = None, parser_context: Any = None) -> dict[str, bytes]:
        """The bytes under one name. Raises TooLarge before reading."""
        return {"mail": bytes(stream.read(_refuse_large(parser_context, MOST_BYTES)))}


def _refuse_large(parser_context: Any, most: int) -> int:
    sent = (parser_context or {})["request"].META.get("CONTENT_LENGTH") or "0"
    if not sent.isdigit() or int(sent) > most:
        raise TooLarge(f"The body is too large: {most // 1024} kB are read. Send less, and nothing that is attached.")
    return int(sent)


class SourceAuthentication(BaseAuthentication):
    """The token of a live source: in the header, or in the address, or as PagerDuty's routing key."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, InboundSource]:
        """Nobody and the source. Raises AuthenticationFailed, and Throttled for who guesses."""
        source = live_source(self._secret(request))
        if source is not None:
            return AnonymousUser(), source
        if is_above(f"inbound-guess:{request.META.get('REMOTE_ADDR', '')}", GUESSES_A_MINUTE, now=clock.now()):
            raise Throttled(wait=60)
        raise AuthenticationFailed(
            "The token is missing, unknown or revoked. Send it as Authorization: Bearer inb_…, or add a source."
        )

    def _secret(self, request: Request) -> str:
        parts = get_authorization_header(request).decode("latin-1").split()
        if len(parts) == 2 and parts[0].lower() == "bearer":
            return parts[1]
        view = request.parser_context["view"]
        if "token" in view.kwargs:
            return str(view.kwargs["token"])
        return view.token_of(request) if request.method == "POST" else ""

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="Govportal sources"'


class SourceScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # the library has no types here
    """How the schema describes tokens of sources."""

    target_class = SourceAuthentication
    name = "source"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        """A bearer token."""
        return {"type": "http", "scheme": "bearer", "description": "The token of a source, beginning with inb_."}


class IsSource(BasePermission):
    """Only a source gets this far."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return isinstance(request.auth, InboundSource)


_Strings = serializers.DictField


def _labels(**more: Any) -> Any:
    return _Strings(child=serializers.CharField(allow_blank=True, max_length=10_000), **more)


def _word(most: int = 10_000, **more: Any) -> serializers.CharField:
    return serializers.CharField(max_length=most, **more)


def _may(most: int = 10_000) -> serializers.CharField:
    return _word(most, required=False, allow_blank=True, default="")


class AlertIn(serializers.Serializer[Any]):
    """One alert of a group."""

    status = serializers.ChoiceField(["firing", "resolved"])
    labels = _labels()
    annotations = _labels(required=False, default=dict)
    startsAt = _may(60)  # noqa: N815 (named by the format)
    endsAt = _may(60)  # noqa: N815 (named by the format)
    generatorURL = _may()  # noqa: N815 (named by the format)
    fingerprint = _may(100)


class AlertmanagerIn(serializers.Serializer[Any]):
    """A notification of Prometheus Alertmanager to a webhook, version 4. Fields that are not listed are passed over."""

    version = serializers.ChoiceField(["4"])
    groupKey = _word()  # noqa: N815 (named by the format)
    status = serializers.ChoiceField(["firing", "resolved"])
    alerts = AlertIn(many=True, allow_empty=False)
    receiver = _may()
    groupLabels = _labels(required=False, default=dict)  # noqa: N815 (named by the format)
    commonLabels = _labels(required=False, default=dict)  # noqa: N815 (named by the format)
    commonAnnotations = _labels(required=False, default=dict)  # noqa: N815 (named by the format)
    externalURL = _may()  # noqa: N815 (named by the format)
    truncatedAlerts = serializers.IntegerField(required=False, min_value=0, default=0)  # noqa: N815 (named by the format)


class PagerDutyPayloadIn(serializers.Serializer[Any]):
    """What happened, where."""

    summary = _word()
    severity = serializers.ChoiceField(["critical", "error", "warning", "info"])
    timestamp = _may(60)
    component = _may()
    group = _may()
    custom_details = serializers.JSONField(required=False, default=dict)

    def get_fields(self) -> dict[str, Any]:
        """With `class` and `source`, which as attributes would mean something else."""
        return super().get_fields() | {"source": _word(), "class": _may()}


class LinkIn(serializers.Serializer[Any]):
    """An address with its words."""

    href = _word()
    text = _may()


class PagerDutyIn(serializers.Serializer[Any]):
    """An event of PagerDuty's Events API v2. Fields that are not listed are passed over."""

    routing_key = serializers.CharField(
        required=False, allow_blank=True, max_length=200, help_text="The token, where it is not sent otherwise."
    )
    event_action = serializers.ChoiceField(["trigger", "acknowledge", "resolve"])
    dedup_key = _may(1000)
    payload = PagerDutyPayloadIn(required=False)
    client = _may()
    client_url = _may()
    links = LinkIn(many=True, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """What an action needs. Raises ValidationError with the field that is missing."""
        if attrs["event_action"] == "trigger" and not attrs.get("payload"):
            raise serializers.ValidationError({"payload": ["A trigger needs summary, source and severity in it."]})
        if attrs["event_action"] != "trigger" and not attrs["dedup_key"]:
            raise serializers.ValidationError({"dedup_key": ["Give the key of the trigger that this belongs to."]})
        return attrs


class WebhookIn(StrictSerializer):
    """Trouble, in words of your own."""

    title = serializers.CharField(max_length=200, required=False, help_text="What went wrong. Needed for `firing`.")
    status = serializers.ChoiceField(["firing", "resolved"], required=False, default="firing")
    system = _may(500)
    scenario = serializers.ChoiceField([one.value for one in Scenario], required=False, allow_blank=True, default="")
    description = _may(100_000)
    dedup_key = serializers.CharField(
        max_length=1000, required=False, allow_blank=True, default="",
        help_text="The same trouble has the same key: sent again it is a line, not a second incident.",
    )  # fmt: skip

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """What a status needs. Raises ValidationError with the field that is missing."""
        if attrs["status"] == "firing" and not attrs.get("title"):
            raise serializers.ValidationError({"title": ["Say in a title what went wrong."]})
        if attrs["status"] == "resolved" and not attrs["dedup_key"]:
            raise serializers.ValidationError({"dedup_key": ["Give the key with which it was declared."]})
        return attrs


class DeclaredOut(serializers.Serializer[Any]):
    """What came of it. It names no system and no person: a token reads nothing."""

    incident = serializers.CharField(allow_null=True, help_text="The code, such as INC-0042; null where none is live.")
    url = serializers.URLField(allow_null=True)
    is_new = serializers.BooleanField(help_text="Whether this declared it; else it is a line of one that is live.")


class EventOut(serializers.Serializer[Any]):
    """PagerDuty's own answer."""

    status = serializers.CharField()
    message = serializers.CharField()
    dedup_key = serializers.CharField()


class SourceView(ApiView):
    """What all kinds share: the token, the allowance, the kind, another try where two met, no address in the logs."""

    kind: ClassVar[InboundSource.Kind]
    authentication_classes = [SourceAuthentication]
    permission_classes = [IsSource]
    throttle_classes = []
    parser_classes = [SmallJsonParser]

    def token_of(self, request: Request) -> str:
        """The token that the body itself carries, if it does."""
        return ""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Count it, and refuse another kind. Raises Later or Throttled above the allowance, NotAllowed."""
        super().initial(request, *args, **kwargs)
        source, now = self.source, clock.now()
        if is_above(f"inbound:{source.pk}", settings.INBOUND_REQUESTS_A_MINUTE, now=now):
            log.warning("inbound.too_many", source=source.pk)
            raise Later if self.kind == Kind.ALERTMANAGER else Throttled(wait=60)
        if source.kind != self.kind:
            raise NotAllowed(f"This token is one for {source.get_kind_display()}: send to …/inbound/{source.kind}/.")
        note_use(source, now=now)

    @property
    def source(self) -> InboundSource:
        """The source that the token is for."""
        return cast(InboundSource, self.request.auth)

    def checked(self, form: type[serializers.Serializer[Any]]) -> Mapping[str, Any]:
        """The body. Raises ValidationError with a message for each field."""
        filled = form(data=self.request.data)
        filled.is_valid(raise_exception=True)
        return dict(filled.validated_data)

    def done(self, act: Callable[[], Received]) -> Received:
        """What came of it. Who met another transaction tries again; nothing of the first try was kept."""
        for _ in range(ATTEMPTS):
            try:
                received = act()
            except Exception as error:
                if not is_collision(error):
                    raise
                log.warning("inbound.two_met", source=self.source.pk, exc_info=error)
                continue
            code = received.incident.code if received.incident else None
            log.info(
                "inbound.received", source=self.source.pk, kind=self.kind.value, incident=code, is_new=received.is_new
            )
            return received
        raise Later

    def declared(self, report: Report) -> Response:
        """Receive a report, and say which incident it is."""
        return answer(self.done(lambda: receive(self.source, report, now=clock.now())))

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        """Django would log the address of an error, and with it the token in it; what came of it is logged above."""
        response._has_been_logged = True  # type: ignore[attr-defined]  # a mark of Django, not in its stubs
        finished: Response = super().finalize_response(request, response, *args, **kwargs)
        return finished


def answer(received: Received) -> Response:
    """201 for a new incident, 200 for a line of one, and for what is about none."""
    incident = received.incident
    body = {
        "incident": incident.code if incident else None,
        "url": f"{settings.SITE_URL}{incident.path}" if incident else None,
        "is_new": received.is_new,
    }
    return Response(body, status=status.HTTP_201_CREATED if received.is_new else status.HTTP_200_OK)


_ANSWERS = {200: DeclaredOut, 201: DeclaredOut}


class AlertmanagerView(SourceView):
    """Notifications of Prometheus Alertmanager."""

    kind = Kind.ALERTMANAGER

    @extend_schema(
        operation_id="inbound_alertmanager", request=AlertmanagerIn, responses=_ANSWERS, summary="Alertmanager webhook"
    )
    def post(self, request: Request, **kwargs: str) -> Response:
        """A group that fires declares an incident, or is a line of the one that it declared. Resolved is a line too."""
        return self.declared(from_alertmanager(self.checked(AlertmanagerIn)))


class PagerDutyView(SourceView):
    """Events as PagerDuty's Events API v2 takes them."""

    kind = Kind.PAGERDUTY

    def token_of(self, request: Request) -> str:
        """Clients of PagerDuty send one key only, in the body."""
        found = request.data.get("routing_key") if isinstance(request.data, Mapping) else ""
        return found if isinstance(found, str) else ""

    @extend_schema(
        operation_id="inbound_pagerduty", request=PagerDutyIn, responses={202: EventOut}, summary="PagerDuty event"
    )
    def post(self, request: Request, **kwargs: str) -> Response:
        """A trigger declares an incident, or is a line of the live one of its dedup_key; so are the other actions."""
        sent = self.checked(PagerDutyIn)
        report = from_pagerduty(sent)
        self.done(lambda: receive(self.source, report, now=clock.now()))
        said = {"status": "success", "message": "Event processed", "dedup_key": sent["dedup_key"] or report.dedup_key}
        return Response(said, status=status.HTTP_202_ACCEPTED)


class WebhookView(SourceView):
    """JSON of one's own."""

    kind = Kind.GENERIC

    @extend_schema(operation_id="inbound_webhook", request=WebhookIn, responses=_ANSWERS, summary="Declare by webhook")
    def post(self, request: Request, **kwargs: str) -> Response:
        """Declares an incident, or is a line of the live one of its dedup_key."""
        return self.declared(from_json(self.checked(WebhookIn)))


class MailView(SourceView):
    """A mail, as a mail system received it."""

    kind = Kind.EMAIL
    parser_classes = [MailParser]

    @extend_schema(
        operation_id="inbound_email", request={"message/rfc822": OpenApiTypes.BINARY}, responses=_ANSWERS,
        summary="Declare by mail",
    )  # fmt: skip
    def post(self, request: Request, **kwargs: str) -> Response:
        """Declares an incident; a later mail of the same thread is a line of it."""
        mail = read_mail(cast(dict[str, bytes], request.data).get("mail", b""), own_domain=own_domain())
        if not (mail.text or mail.subject):
            raise serializers.ValidationError({"": ["Send one mail (RFC 5322) with a subject or a text."]})
        return answer(self.done(lambda: receive_mail(self.source, mail, now=clock.now())))


class NothingView(SourceView):
    """Any other address here, which may hold a token: never logged."""

    schema = cast(Any, None)
    authentication_classes = []
    permission_classes = []

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Raises NotFound."""
        kinds = ", ".join(f"/api/v1/inbound/{kind}/" for kind in Kind.values)
        raise NotFound(f"There is nothing here. Sources send to {kinds}.")


VIEWS: tuple[type[SourceView], ...] = (AlertmanagerView, PagerDutyView, WebhookView, MailView)


@login_not_required
@csrf_exempt
def nothing(request: HttpRequest) -> HttpResponseBase:
    """Every other address here: one written without its last slash, or nothing at all."""
    match = resolve(f"{request.path_info.rstrip('/')}/")
    view = NothingView.as_view() if match.url_name == "inbound_nothing" else match.func
    response: HttpResponseBase = view(request, *match.args, **match.kwargs)
    return response


def _with_token(view: type[SourceView]) -> type[SourceView]:
    """The same at an address that holds the token, for senders that can't send a header."""
    return type(f"Token{view.__name__}", (view,), {"schema": None})


urls: list[URLPattern] = [
    *(path(f"{view.kind.value}/", view.as_view(), name=f"inbound_{view.kind.value}") for view in VIEWS),
    *(
        path(f"<str:token>/{view.kind.value}/", _with_token(view).as_view(), name=f"inbound_token_{view.kind.value}")
        for view in VIEWS
    ),
    re_path(r"", nothing, name="inbound_nothing"),
]
