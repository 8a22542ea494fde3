"""Reading incidents: who sees which, and the one that is asked for."""

from django.db.models import Exists, Q, QuerySet

from apps.access.queries import visible
from apps.incidents import rules
from apps.incidents.models import Incident, IncidentUserPermission
from apps.incidents.rules import Mode, Visibility
from apps.people.models import Person, Seat
from apps.people.queries import seats_of
from apps.registry.models import System

RELATED = ("system__unit", "lead", "owner", "declared_by", "merged_into", "exercise")


def visible_incidents(actor: Person) -> QuerySet[Incident]:
    """Every incident that a person may open: by taking part, or by role. The one start of every read.

    A restricted one is seen by those taking part, the mandate holder, administrators and auditors; a privileged one
    by those taking part and whoever holds the legal seat, by nobody else.
    """
    rows = visible(actor, Incident.objects.all(), grants=IncidentUserPermission)
    if not actor.is_active:
        return rows
    if "legal" in seats_of(actor):
        return Incident.objects.filter(Q(pk__in=rows.values("pk")) | Q(visibility=Visibility.PRIVILEGED.value))
    mine = IncidentUserPermission.objects.filter(user=actor).values("content_object")
    return rows.filter(~Q(visibility=Visibility.PRIVILEGED.value) | Q(pk__in=mine))


def hidden_incidents(actor: Person) -> QuerySet[Incident]:
    """Every restricted incident that is not among `visible_incidents`, as a part of somebody else's statement."""
    rows = visible(actor, Incident.objects.all(), grants=IncidentUserPermission)
    mine = IncidentUserPermission.objects.filter(user=actor).values("content_object")
    privileged = Q(visibility=Visibility.PRIVILEGED.value)
    seen = Q(pk__in=rows.values("pk")) & (~privileged | Q(pk__in=mine))
    hidden = Incident.objects.filter(restricted=True).exclude(seen)
    if not actor.is_active:
        return hidden
    return hidden.exclude(privileged, Exists(Seat.objects.filter(function="legal", holder=actor)))


def on_page(incidents: QuerySet[Incident]) -> QuerySet[Incident]:
    """With what a page about incidents shows of each."""
    return incidents.select_related(*RELATED)


def find_incident(actor: Person, code: str) -> Incident:
    """One visible incident by its code. Raises Incident.DoesNotExist for not there and for not yours alike."""
    return on_page(visible_incidents(actor)).get(code=code)


def live_incidents(actor: Person, *, modes: tuple[Mode, ...] = (Mode.REAL, Mode.DRILL)) -> QuerySet[Incident]:
    """What goes on now and the person may see, the newest first."""
    live = visible_incidents(actor).filter(state__in=[state.value for state in rules.LIVE])
    return on_page(live.filter(mode__in=[mode.value for mode in modes])).order_by("-declared_at", "-pk")


def takes_part(actor: Person, incident: Incident) -> bool:
    """Whether a person was called to an incident, leads it, or declared it. One query."""
    return IncidentUserPermission.objects.filter(user=actor, content_object=incident).exists()


def told_of(system: System) -> list[dict[str, str]]:
    """The real incidents of a system that are not over, as those hear of them who take it over or may.

    Of a restricted one only that there is one, and who leads; a privileged one is told of to nobody else.
    """
    rows = Incident.objects.filter(system=system, mode=Mode.REAL.value, state__in=[state.value for state in rules.OPEN])
    rows = rows.exclude(visibility=Visibility.PRIVILEGED.value)
    return [
        {
            "code": one.code,
            "title": "Restricted" if one.restricted else one.title,
            "state": one.get_state_display(),
            "lead": one.lead.display_name,
        }
        for one in rows.select_related("lead").order_by("declared_at", "pk")
    ]
