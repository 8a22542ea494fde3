"""The API of blind spots: who holds the A of each domain, and where nobody does."""

from typing import Any

from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.access.api import TokenView
from apps.common import clock
from apps.common.api import StrictSerializer, asked
from apps.people.models import Person
from apps.portal.queries.blind_spot_actions import Closing, closing_most
from apps.portal.queries.blind_spots import Covered, PatternFound, Scene, pattern_found, scene, widest_hole
from apps.portal.queries.systems import HELD_BY
from apps.registry.models import GovernanceDomain, Unit
from apps.registry.queries.blind_spots import NOBODY


class BlindPersonOut(serializers.Serializer[Any]):
    """A person by public id."""

    id = serializers.UUIDField()
    name = serializers.CharField()


class BlindPlaceOut(serializers.Serializer[Any]):
    """A unit by its code."""

    code = serializers.CharField()
    name = serializers.CharField()


class BlindRowOut(serializers.Serializer[Any]):
    """A row of the map: a function, `owners`, `people` (by name, in no function) or `nobody`."""

    code = serializers.CharField()
    title = serializers.CharField()
    person = BlindPersonOut(allow_null=True, help_text="Who holds the seat; null for a vacant one and for other rows.")


class BlindHeldOut(serializers.Serializer[Any]):
    """A cell that is not zero."""

    row = serializers.CharField(help_text="Code of a row.")
    systems = serializers.IntegerField()


class BlindCauseOut(serializers.Serializer[Any]):
    """Why nobody: `owner` (nobody has accepted), `vacant:<function>`, `inactive` (the person) or `none` (no A)."""

    cause = serializers.CharField()
    systems = serializers.IntegerField()


class BlindDomainOut(serializers.Serializer[Any]):
    """A column: what the rows hold and what nobody does add up to `live`."""

    key = serializers.CharField()
    name = serializers.CharField()
    layer = serializers.CharField()
    nobody = serializers.IntegerField()
    held = BlindHeldOut(many=True)
    causes = BlindCauseOut(many=True)


class BlindCoverOut(serializers.Serializer[Any]):
    """A domain that the pattern usually misses, and who holds most of it."""

    domain = serializers.CharField()
    nobody = serializers.IntegerField()
    held = serializers.IntegerField()
    by = serializers.CharField(help_text="Empty where nobody holds any of it.")
    person = BlindPersonOut(allow_null=True)


class BlindPatternOut(serializers.Serializer[Any]):
    """Which of the six patterns this resembles; `name` is null where it resembles none."""

    name = serializers.CharField(allow_null=True)
    cosine = serializers.FloatField()
    sentence = serializers.CharField()
    covered = BlindCoverOut(many=True)
    missed = BlindCoverOut(many=True)


class BlindClosingOut(serializers.Serializer[Any]):
    """Something to do, and how many holes (a system in a domain) it closes."""

    holes = serializers.IntegerField()
    title = serializers.CharField()
    text = serializers.CharField()
    person = BlindPersonOut(allow_null=True, help_text="Who can do it.")


class BlindSpotsOut(serializers.Serializer[Any]):
    """Functions by domains, over the effective matrices of the live systems that you may see."""

    as_of = serializers.DateTimeField()
    unit = BlindPlaceOut(allow_null=True)
    live = serializers.IntegerField()
    holes = serializers.IntegerField()
    widest = serializers.CharField(allow_null=True, help_text="The widest hole in words; null where there is none.")
    rows = BlindRowOut(many=True)
    domains = BlindDomainOut(many=True)
    pattern = BlindPatternOut()
    closing = BlindClosingOut(many=True)


class BlindSpotsQuery(StrictSerializer):
    """Of what."""

    unit = serializers.CharField(required=False, max_length=300, help_text="A unit's code; units below are included.")


class BlindSpotsView(TokenView):
    """Where nobody looks."""

    @extend_schema(
        operation_id="blind_spots", parameters=[BlindSpotsQuery], responses=BlindSpotsOut, summary="Blind spots"
    )
    def get(self, request: Request) -> Response:
        """The map of what you may see. A unit that is not there is a 404."""
        wanted = asked(request, BlindSpotsQuery)
        unit = None
        if "unit" in wanted:
            unit = Unit.objects.filter(code=wanted["unit"]).values_list("pk", flat=True).first()
            if unit is None:
                raise Http404
        here = scene(self.person(), unit)
        return Response(_body(here, closing_most(here, self.person())))


def _body(here: Scene, closing: list[Closing]) -> dict[str, Any]:
    spots, widest = here.spots, widest_hole(here)
    seats = {seat.function_id: seat.holder for seat in spots.seats}
    return {
        "as_of": clock.now(),
        "unit": {"code": here.unit.code, "name": here.unit.name} if here.unit else None,
        "live": spots.live,
        "holes": spots.all_holes,
        "widest": f"{widest.domain} {widest.fact} {widest.rest}" if widest else None,
        "rows": [{"code": row, "title": HELD_BY[row], "person": _person(seats.get(row))} for row in spots.rows],
        "domains": [_domain(here, domain) for domain in spots.domains],
        "pattern": _pattern(pattern_found(here)),
        "closing": [
            {"holes": one.holes, "title": one.title, "text": one.text, "person": _person(one.person)} for one in closing
        ],
    }


def _domain(here: Scene, domain: GovernanceDomain) -> dict[str, Any]:
    spots = here.spots
    held = [{"row": row, "systems": n} for row in spots.rows if row != NOBODY and (n := spots.held(domain.key, row))]
    causes = [
        {"cause": count.cause, "systems": count.systems}
        for count in spots.counts
        if count.domain == domain.key and count.holder == NOBODY
    ]
    return {
        "key": domain.key,
        "name": domain.name,
        "layer": domain.layer,
        "nobody": spots.holes(domain.key),
        "held": held,
        "causes": causes,
    }


def _pattern(found: PatternFound) -> dict[str, Any]:
    return {
        "name": found.likeness.pattern.name if found.likeness else None,
        "cosine": round(found.likeness.cosine, 4) if found.likeness else 0.0,
        "sentence": found.sentence,
        "covered": [_cover(line) for line in found.covered],
        "missed": [_cover(line) for line in found.missed],
    }


def _cover(line: Covered) -> dict[str, Any]:
    return {
        "domain": line.domain,
        "nobody": line.nobody,
        "held": line.held,
        "by": line.by,
        "person": _person(line.person),
    }


def _person(person: Person | None) -> dict[str, Any] | None:
    return {"id": person.pk, "name": person.display_name} if person else None
