"""What the API reads: JSON of a bounded size and depth."""

from typing import IO, Any

from django.conf import settings
from rest_framework import status
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import JSONParser


class TooLarge(APIException):
    """A body that is not read."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = "The body is too large. Send less at once."


class BoundedJsonParser(JSONParser):
    """JSON of the size and the depth that a person's form would have too."""

    def parse(self, stream: IO[Any], media_type: str | None = None, parser_context: Any = None) -> Any:
        """The parsed body. Raises TooLarge before reading, ParseError for what is no JSON or nested without end."""
        # Django's own limit guards forms only: this one reads the stream past it.
        sent = (parser_context or {})["request"].META.get("CONTENT_LENGTH") or "0"
        if not sent.isdigit() or int(sent) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            raise TooLarge
        try:
            return super().parse(stream, media_type, parser_context)
        except RecursionError as error:
            raise ParseError("JSON parse error - nested too deeply") from error
