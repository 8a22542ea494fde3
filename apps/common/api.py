"""What every endpoint of the API shares: strict input, cursors, the shape of an error."""

from collections.abc import Mapping
from typing import Any, TypeVar

from drf_spectacular.openapi import AutoSchema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request
from rest_framework.views import APIView

from apps.common.problems import PROBLEM_TYPE

LARGEST_PAGE = 200


class StrictSerializer(serializers.Serializer[Any]):
    """Input in which a name that is not asked for is an error, not silence: a typing slip never widens a list."""

    def to_internal_value(self, data: Any) -> Any:
        """The checked values. Raises ValidationError, also for names that nobody knows."""
        if isinstance(data, Mapping):
            unknown = sorted(set(data) - {field.field_name for field in self._writable_fields})
            if unknown:
                raise serializers.ValidationError({name: ["This field is not known here."] for name in unknown})
        return super().to_internal_value(data)


class ProblemSerializer(serializers.Serializer[Any]):
    """An error by RFC 9457. `errors` names what is wrong with single fields."""

    type = serializers.CharField(help_text="What kind of problem this is; about:blank says no more than the status.")
    title = serializers.CharField(help_text="The kind in words; the same for each problem of this type.")
    status = serializers.IntegerField()
    detail = serializers.CharField(help_text="What went wrong this time, and what to do.")
    instance = serializers.CharField(required=False, help_text="This occurrence; also in X-Request-ID and the logs.")

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """With `errors`, which as an attribute would hide the serializer's own."""
        messages = serializers.ListField(child=serializers.CharField())
        return super().get_fields() | {
            "errors": serializers.DictField(child=messages, required=False, help_text="Messages by field.")
        }


class HouseSchema(AutoSchema):
    """Each operation says that its errors are problem details."""

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        """The operation with its errors."""
        operation: dict[str, Any] | None = super().get_operation(*args, **kwargs)
        if operation is not None:
            problem = self.resolve_serializer(ProblemSerializer, "response")
            operation["responses"]["default"] = {
                "description": "Problem details (RFC 9457)",
                "content": {PROBLEM_TYPE: {"schema": problem.ref}},
            }
        return operation


class IdCursor(CursorPagination):
    """Pages in the order of registration: a row that is added or removed moves no other row."""

    ordering = "id"
    page_size = 50
    page_size_query_param = "limit"
    max_page_size = LARGEST_PAGE

    def decode_cursor(self, request: Request) -> Cursor | None:
        """The position, which is an id. Raises NotFound for any other text."""
        cursor: Cursor | None = super().decode_cursor(request)
        position = None if cursor is None or cursor.position is None else str(cursor.position)
        if position is not None and not (position.isascii() and position.isdigit() and len(position) < 19):
            raise NotFound(self.invalid_cursor_message)
        return cursor


class PageQuery(StrictSerializer):
    """What every list takes."""

    cursor = serializers.CharField(required=False, help_text="From `next` or `previous` of another page.")
    limit = serializers.IntegerField(required=False, min_value=1, max_value=LARGEST_PAGE, help_text="Rows on a page.")


Q = TypeVar("Q", bound=serializers.Serializer[Any])


def asked(request: Request, query: type[Q]) -> dict[str, Any]:
    """The query string, checked. Raises ValidationError with a message for each parameter."""
    form = query(data=request.query_params.dict())
    form.is_valid(raise_exception=True)
    return dict(form.validated_data)


class ApiView(APIView):
    """An endpoint: a token lets in, the verbs and queries of the house decide."""

    schema = HouseSchema()
