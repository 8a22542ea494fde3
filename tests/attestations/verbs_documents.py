"""Documents, for the test that every verb leaves exactly the events that it should."""

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

from apps.attestations.actions import documents

# The sweep that calls a verb for each row, and what only makes bytes.
NO_VERBS = {"make_documents", "report_pdf"}


def _asked(w: Any) -> Callable[[], Any]:
    campaign = w.campaign()
    return lambda: documents.request_report(campaign, **w.by)


def _receipt(w: Any) -> Callable[[], Any]:
    from tests.architecture.test_one_event import signed

    signature = signed(w)()
    return lambda: documents.request_receipt(signature, **w.by)


def _made(w: Any) -> Callable[[], Any]:
    asked, _ = documents.request_report(w.campaign(), **w.by)

    def make() -> bool:
        with patch.object(documents, "report_pdf", return_value=b"%PDF-1.7"):
            return documents.make_document(asked.pk, now=w.by["now"])

    return make


VERBS: dict[str, tuple[Callable[[Any], Any], dict[str, int]]] = {
    "request_report": (_asked, {"document.requested": 1}),
    "request_receipt": (_receipt, {"document.requested": 1}),
    "make_document": (_made, {"document.made": 1}),
}
