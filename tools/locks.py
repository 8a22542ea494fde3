"""Look at the lock files without a network: whole, consistent, free of addresses, and what is installed."""

import json
import re
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

KINDS = {"production": (), "demo": ("embedded",), "development": ("embedded", "development")}
PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^ ;\\]+)\s*(?:;[^\\]*)?\\$", re.MULTILINE)
ADDRESS = re.compile(r"https?://|^--(index|extra-index|find-links)", re.MULTILINE)


def faults(root: Path) -> list[str]:
    """What is wrong with the lock files, one sentence each."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    texts = {kind: (root / "requirements" / f"{kind}.txt").read_text(encoding="utf-8") for kind in KINDS}
    pins = {kind: _pins(text) for kind, text in texts.items()}
    return [
        *(fault for kind in KINDS for fault in _whole(kind, texts[kind], pins[kind])),
        *(fault for kind in KINDS for fault in _satisfies(kind, project, pins[kind])),
        *_agree(pins),
        *_installed(pins["development"]),
        *_fonts(root),
    ]


def _pins(text: str) -> dict[str, str]:
    return {str(canonicalize_name(name)): version for name, version in PIN.findall(text)}


def _whole(kind: str, text: str, pins: dict[str, str]) -> list[str]:
    found = [
        f"requirements/{kind}.txt: no hash for {entry.split()[0]}."
        for entry in re.split(r"\n(?=[A-Za-z0-9])", text)
        if "==" in entry and "--hash=sha256:" not in entry
    ]
    if ADDRESS.search(text):
        found.append(f"requirements/{kind}.txt names an address.")
    if len(pins) != len(re.findall(r"^[A-Za-z0-9]", text, re.MULTILINE)):
        found.append(f"requirements/{kind}.txt holds something that is not a pinned package.")
    return found


def _satisfies(kind: str, project: dict[str, Any], pins: dict[str, str]) -> list[str]:
    wanted = [*project["dependencies"]]
    for extra in KINDS[kind]:
        wanted += project["optional-dependencies"][extra]
    found = []
    for requirement in map(Requirement, wanted):
        version = pins.get(str(canonicalize_name(requirement.name)))
        if version is None or version not in requirement.specifier:
            found.append(
                f"requirements/{kind}.txt has {version or 'no version'} where pyproject.toml wants {requirement}."
            )
    return found


def _agree(pins: dict[str, dict[str, str]]) -> list[str]:
    """The larger sets hold the smaller ones, in the same versions."""
    return [
        f"{name} is {version} in {small}.txt and {pins[large].get(name, 'missing')} in {large}.txt."
        for small, large in (("production", "demo"), ("demo", "development"))
        for name, version in pins[small].items()
        if pins[large].get(name) != version
    ]


def _installed(pins: dict[str, str]) -> list[str]:
    found = []
    for name, version in pins.items():
        try:
            present = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue  # for another platform
        if present != version:
            found.append(f"{name} {present} is installed, and development.txt names {version}.")
    return found


def _fonts(root: Path) -> list[str]:
    wanted = json.loads((root / "package.json").read_text(encoding="utf-8"))["dependencies"]
    text = (root / "package-lock.json").read_text(encoding="utf-8")
    packages = json.loads(text)["packages"]
    found = [
        f"package-lock.json does not hold {name} {version} with its hash."
        for name, version in wanted.items()
        if packages.get(f"node_modules/{name}", {}).get("version") != version
        or "integrity" not in packages[f"node_modules/{name}"]
    ]
    if '"resolved"' in text:
        found.append("package-lock.json names the addresses its packages came from.")
    return found
