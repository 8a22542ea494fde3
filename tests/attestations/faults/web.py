"""The portal as a web server sees it, by the moved clock."""

import os
from importlib import import_module

from tests.attestations.faults.moved import install

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "govportal.settings")
install()
application = import_module("govportal.wsgi").application
