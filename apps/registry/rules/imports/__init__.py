"""Reading a file of systems: bytes in, checked rows out. Nothing here knows the database. No Django here."""

from apps.registry.rules.imports.contacts import ContactClass, classify_contacts
from apps.registry.rules.imports.files import read_rows
from apps.registry.rules.imports.own import COLUMNS as OWN_COLUMNS
from apps.registry.rules.imports.own import template_csv
from apps.registry.rules.imports.rows import CSV, FEDERAL, FileProblem, ImportRow, Parsed, Problem, Skipped

__all__ = [
    "CSV",
    "FEDERAL",
    "OWN_COLUMNS",
    "ContactClass",
    "FileProblem",
    "ImportRow",
    "Parsed",
    "Problem",
    "Skipped",
    "classify_contacts",
    "read_rows",
    "template_csv",
]
