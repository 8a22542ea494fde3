"""The images were not built where this was written: what can be checked without building is checked here."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
PORTAL = ("migrate", "web", "worker", "beat")
# A tag with at least a minor version: 18.6-bookworm, 0.1.0.
PINNED = re.compile(r"[a-z0-9/-]+:\d+\.\d+[a-z0-9.-]*")
# Read by gunicorn's configuration and by manage.py, not by the settings.
READ_ELSEWHERE = {"WEB_CONCURRENCY", "DATABASE_OWNER_URL"}


def names_read() -> tuple[set[str], set[str]]:
    """The environment names that settings.py reads: all, and those without a default."""
    every, required = set(), set()
    for node in ast.walk(ast.parse((ROOT / "govportal" / "settings.py").read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id.startswith("env_"):
            name = ast.literal_eval(node.args[0])
            every.add(name)
            if node.func.id in {"env_str", "env_site"} and len(node.args) == 1 and not node.keywords:
                required.add(name)
    return every, required


def names_given(service: str) -> set[str]:
    return {name.removesuffix("_FILE") for name in SERVICES[service]["environment"]}


def stages() -> list[str]:
    return re.split(r"^(?=FROM )", DOCKERFILE, flags=re.MULTILINE)[1:]


def test_the_services_are_these() -> None:
    assert set(SERVICES) == {"proxy", "migrate", "web", "worker", "beat", "postgres", "redis"}


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_has_a_pinned_image_and_an_account(name: str) -> None:
    service = SERVICES[name]

    assert PINNED.fullmatch(service["image"])
    assert str(service["user"]).split(":")[0] not in {"0", "root"}
    assert service["cap_drop"] == ["ALL"]
    assert service["read_only"] is True
    assert "privileged" not in service


@pytest.mark.parametrize("name", sorted(set(SERVICES) - {"migrate"}))
def test_a_service_that_stays_has_a_health_check_and_starts_again(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"]
    assert SERVICES[name]["restart"] == "unless-stopped"


def test_nothing_starts_before_the_schema_is_there() -> None:
    for name in ("web", "worker", "beat"):
        assert SERVICES[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
        assert SERVICES[name]["depends_on"]["redis"] == {"condition": "service_healthy"}
    assert SERVICES["migrate"]["depends_on"]["postgres"] == {"condition": "service_healthy"}
    assert SERVICES["migrate"]["restart"] == "no"


def test_only_the_proxy_is_reached_from_outside() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["proxy"]
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    for name in ("postgres", "redis"):
        assert SERVICES[name]["networks"] == ["inside"]


def test_only_migrations_hold_the_owners_secret() -> None:
    holders = {name for name, service in SERVICES.items() if "database_owner_url" in service.get("secrets", [])}
    assert holders == {"migrate"}


@pytest.mark.parametrize("name", PORTAL)
def test_the_environment_is_what_the_settings_read(name: str) -> None:
    every, required = names_read()

    assert names_given(name) - READ_ELSEWHERE <= every
    assert required <= names_given(name)
    assert "DEMO" not in names_given(name)
    assert "DEBUG" not in names_given(name)


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_secrets_come_as_files_that_exist_in_the_list(name: str) -> None:
    service = SERVICES[name]
    secrets = set(service.get("secrets", []))

    assert secrets <= set(COMPOSE["secrets"])
    for key, value in service.get("environment", {}).items():
        if str(value).startswith("/run/secrets/"):
            assert key.endswith("_FILE")
            assert value.removeprefix("/run/secrets/") in secrets
        else:
            assert not re.search(r"PASSWORD|SECRET", key)


def test_the_example_environment_names_what_compose_asks_for() -> None:
    asked = set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "docker-compose.yml").read_text()))
    offered = set(re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert asked == offered


def test_every_secret_is_made_by_the_script() -> None:
    script = (ROOT / "deploy" / "make-secrets").read_text()
    assert [name for name in COMPOSE["secrets"] if not re.search(rf"\b{name}\b", script)] == []


def test_the_base_images_are_pinned() -> None:
    images = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert images
    assert all(PINNED.fullmatch(image) and "latest" not in image for image in images)


def test_what_compose_builds_runs_as_an_account_with_a_health_check() -> None:
    built = {service["build"]["target"] for service in SERVICES.values() if "build" in service}
    by_name = {name: stage for stage in stages() for name in re.findall(r"^FROM \S+ AS (\w+)", stage)}

    for target in built:
        last_user = re.findall(r"^USER (\w+)", by_name[target], re.MULTILINE)[-1]
        assert last_user not in {"root", "0"}
        assert "HEALTHCHECK" in by_name[target]


def test_packages_are_installed_by_hash_only() -> None:
    assert "--require-hashes -r /tmp/production.txt" in DOCKERFILE
    assert "npm ci" in DOCKERFILE
    assert len(re.findall(r"pip install", DOCKERFILE)) == 1


def test_the_image_can_make_pdfs() -> None:
    from apps.attestations.actions.pdf import PANGO

    installed = re.search(r"apt-get install --yes --no-install-recommends ([^\\\n]+)", DOCKERFILE)
    assert installed is not None
    assert installed[1].split() == PANGO.split()
    assert "weasyprint==" in (ROOT / "requirements" / "production.txt").read_text()


def test_evidence_lies_on_a_volume_of_its_own_that_only_the_portal_has() -> None:
    mounted = {name for name, service in SERVICES.items() if any("evidence:" in v for v in service.get("volumes", []))}
    assert mounted == set(PORTAL)
    for name in PORTAL:
        folder = SERVICES[name]["environment"]["EVIDENCE_DIR"]
        assert f"evidence:{folder}" in SERVICES[name]["volumes"]
        assert f"-m 0700 /var/lib/govportal {folder}" in DOCKERFILE


def test_the_image_holds_only_what_it_names() -> None:
    copied = set(re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE))
    sources = {source for line in copied for source in line.split()}
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}

    assert all(source in allowed or source.split("/")[0] in allowed for source in sources)
    assert all((ROOT / source).exists() for source in sources)


def test_the_two_ways_make_the_same_roles() -> None:
    from govportal.embedded.postgres_server import MEMBERSHIPS, ROLES

    script = (ROOT / "deploy" / "postgres" / "roles.sh").read_text()
    for role, attributes in ROLES.items():
        assert f"CREATE ROLE {role} {attributes.as_string(None)}" in script
    for membership in MEMBERSHIPS:
        assert membership.as_string(None) in script


def test_the_proxy_speaks_tls_for_the_domain() -> None:
    proxy = (ROOT / "deploy" / "Caddyfile").read_text()
    assert "{$DOMAIN} {" in proxy
    assert "reverse_proxy web:8000" in proxy
    assert {"80:8080", "443:8443"} <= set(SERVICES["proxy"]["ports"])
