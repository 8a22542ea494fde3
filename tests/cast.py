"""The fixed cast of people. Every test speaks of the same ones.

mara   holds the mandate (seat: platform) and administers
cleo   CISO; lea General Counsel; finance is vacant
ada    owner who has accepted; ben is her deputy, una her line manager
una    head of the unit Claims; nils head of nothing
eve    auditor; bo board role; dov employee who sees nothing of others
ivan   deactivated; robot a service account
"""

from datetime import UTC, datetime

PASSWORD = "correct horse battery"
# Before the months of all other events, so that the cast's rows never stand among those of a test.
BEGINNING = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
NAMES = {
    "mara": "Mara Lindt",
    "cleo": "Cleo Marchetti",
    "lea": "Lea Abelmann",
    "ada": "Ada Nwosu",
    "ben": "Ben Ortega",
    "una": "Una Brandt",
    "nils": "Nils Okafor",
    "eve": "Eve Petrova",
    "bo": "Bo Herrera",
    "dov": "Dov Watanabe",
    "ivan": "Ivan Kolar",
}


class Cast:
    """The cast as rows of the test's database: `cast.ada`, `cast.claims`."""

    def __init__(self) -> None:
        from apps.people.models import Person
        from apps.registry.models import Unit

        by_name = {person.email.split("@")[0]: person for person in Person.objects.all()}
        self.mara, self.cleo, self.lea = by_name["mara"], by_name["cleo"], by_name["lea"]
        self.ada, self.ben, self.una, self.nils = (
            by_name["ada"],
            by_name["ben"],
            by_name["una"],
            by_name["nils"],
        )
        self.eve, self.bo, self.dov = by_name["eve"], by_name["bo"], by_name["dov"]
        self.ivan, self.robot = by_name["ivan"], by_name["robot"]
        self.claims = Unit.objects.get(code="claims")
        self.devtools = Unit.objects.get(code="devtools")


def load() -> None:
    """Make the cast by the verbs that people use. Run once, for the template."""
    from apps.audit.rules import COMMAND
    from apps.people import actions as people
    from apps.people.models import Person
    from apps.people.rules import RoleName
    from apps.registry import actions as registry

    now = BEGINNING
    mara = registry.start_portal(
        email="mara@example.org", display_name=NAMES["mara"], function="platform", password=PASSWORD,
        actor=COMMAND, now=now,
    )  # fmt: skip

    def person(name: str, **fields: object) -> Person:
        return people.provision_person(
            email=f"{name}@example.org",
            display_name=NAMES[name],
            password=PASSWORD,
            actor=mara,
            now=now,
            **fields,
        )

    cleo, lea, una = (
        person("cleo", title="CISO"),
        person("lea", title="General Counsel"),
        person("una", title="Head of Claims"),
    )
    ben = person("ben", title="Claims engineer", phone="+49 30 5550 0143")
    person("ada", title="Director, Claims Automation", phone="+49 30 5550 0142", deputy=ben, line_manager=una)
    eve, bo = person("eve", title="Internal audit"), person("bo", title="Board member")
    for name in ("nils", "dov"):
        person(name)
    people.deactivate_person(person("ivan"), actor=mara, now=now)
    people.provision_person(
        email="robot@example.org", display_name="Deployment robot", kind="service", actor=mara, now=now
    )
    people.seat_person("ciso", cleo, actor=mara, now=now)
    people.seat_person("legal", lea, actor=mara, now=now)
    people.grant_role(eve, RoleName.AUDITOR, actor=mara, now=now)
    people.grant_role(bo, RoleName.BOARD, actor=mara, now=now)
    registry.create_unit(name="Claims", code="claims", head=una, actor=mara, now=now)
    registry.create_unit(name="Developer Tools", code="devtools", actor=mara, now=now)


if __name__ == "__main__":
    import django

    django.setup()
    load()
