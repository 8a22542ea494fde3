"""Question sets: a draft, its publication, and the questions of a campaign as they are frozen at its opening."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Prefetch

from apps.access.queries import require
from apps.access.rules import Permission
from apps.attestations.models import CampaignTemplate, QuestionSet, QuestionSetVersion
from apps.attestations.rules.question_sets import problems_of_sections, with_defaults
from apps.audit.actions import record
from apps.audit.rules import Kind, Subject, canonical, digest
from apps.common.errors import Refused
from apps.people.models import Person


def questions_subject(question_set: QuestionSet) -> Subject:
    """The question set in the trail."""
    return Subject("question_set", question_set.key, question_set.name)


def frozen_questions(template: CampaignTemplate) -> dict[str, Any]:
    """The newest published version of each of the template's question sets, as a campaign keeps it.

    Raises Refused where one of them has no published version.
    """
    versions = QuestionSetVersion.objects.filter(published_at__isnull=False).order_by("-number")
    sets = template.question_sets.order_by("position", "key").prefetch_related(
        Prefetch("versions", queryset=versions, to_attr="published")
    )
    parts = [_part(question_set) for question_set in sets]
    if not parts:
        raise Refused(f"{template.name} asks no questions. Choose question sets first.")
    return {"version": ", ".join(f"{part['key']} {part['version']}" for part in parts), "sets": parts}


def _part(question_set: Any) -> dict[str, Any]:
    if not question_set.published:
        raise Refused(f"The questions of {question_set.name} are a draft. Publish them first.")
    newest = question_set.published[0]
    return {
        "key": question_set.key,
        "name": question_set.name,
        "version": newest.number,
        "when": {
            "tier": question_set.tiers,
            "regulatory_class": question_set.regulatory_classes,
            "operating_model": question_set.operating_models,
        },
        "sections": newest.sections,
    }


@transaction.atomic
def draft_version(question_set: QuestionSet, *, actor: Person, now: datetime) -> QuestionSetVersion:
    """A draft of the next version, with the words of the newest. Raises Refused where there is a draft already."""
    require(actor, Permission.CAMPAIGN_RUN)
    question_set = QuestionSet.objects.select_for_update(no_key=True).get(pk=question_set.pk)
    newest = question_set.versions.order_by("-number").first()
    if newest is not None and newest.published_at is None:
        raise Refused(f"There is a draft of {question_set.name} already.")
    draft = QuestionSetVersion.objects.create(
        question_set=question_set,
        number=newest.number + 1 if newest else 1,
        sections=newest.sections if newest else [],
        created_by=actor.audit_name,
        created_at=now,
    )
    _note(Kind.QUESTIONS_DRAFTED, draft, actor, now, {"of": newest.number if newest else None})
    return draft


@transaction.atomic
def change_draft(
    draft: QuestionSetVersion, *, sections: Any, note: str, actor: Person, now: datetime
) -> QuestionSetVersion:
    """Put other questions into a draft. Raises Refused with every fault by section, question and field, and once
    it is published."""
    require(actor, Permission.CAMPAIGN_RUN)
    draft = _locked(draft)
    refuse_faulty(draft.question_set, sections)
    before = _hash(draft.sections)
    draft.sections, draft.note = with_defaults(sections), note.strip()[:600]
    draft.save(update_fields=["sections", "note"])
    _note(Kind.QUESTIONS_DRAFTED, draft, actor, now, {"before": before})
    return draft


@transaction.atomic
def publish_version(draft: QuestionSetVersion, *, actor: Person, now: datetime) -> QuestionSetVersion:
    """Make a draft the version that campaigns ask from now on; those that are open keep theirs. It never changes again.

    Raises Refused where it is published already, has a fault, or says nothing else than the version before.
    """
    require(actor, Permission.CAMPAIGN_RUN)
    draft = _locked(draft)
    refuse_faulty(draft.question_set, draft.sections)
    before = draft.question_set.versions.filter(published_at__isnull=False).order_by("-number").first()
    if before is not None and before.sections == draft.sections:
        raise Refused("This draft says the same as the version in force. Change it first.")
    draft.published_at = now
    draft.save(update_fields=["published_at"])
    _note(Kind.QUESTIONS_PUBLISHED, draft, actor, now, {"after_version": before.number if before else None})
    return draft


def _locked(draft: QuestionSetVersion) -> QuestionSetVersion:
    draft = (
        QuestionSetVersion.objects.select_for_update(no_key=True, of=("self",))
        .select_related("question_set")
        .get(pk=draft.pk)
    )
    if draft.published_at is not None:
        raise Refused(f"Version {draft.number} of {draft.question_set.name} is published. Make a new version.")
    return draft


class Faulty(Refused):
    """Questions that can't be asked as they are written: every fault, with where it is and what to do."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(" ".join(problems))
        self.problems = list(problems)


def refuse_faulty(question_set: QuestionSet, sections: Any) -> None:
    """Raises Faulty with every fault of these questions, also where another set has the same key or address."""
    taken = _taken(question_set)
    if problems := problems_of_sections(sections, taken_keys=taken[0], taken_slugs=taken[1]):
        raise Faulty(problems)


def _taken(question_set: QuestionSet) -> tuple[set[str], set[str]]:
    """Keys and addresses of the newest version of all other sets: a system can be asked several at once."""
    keys: set[str] = set()
    slugs: set[str] = set()
    others = QuestionSetVersion.objects.exclude(question_set=question_set).order_by("question_set_id", "-number")
    for sections in others.distinct("question_set_id").values_list("sections", flat=True):
        slugs |= {section["slug"] for section in sections}
        keys |= {question["key"] for section in sections for question in section["questions"]}
    return keys, slugs


def _hash(sections: Any) -> str:
    return digest(canonical({"sections": sections}))


def _note(kind: Kind, version: QuestionSetVersion, actor: Person, now: datetime, more: dict[str, Any]) -> None:
    facts = {"version": version.number, "sections_sha256": _hash(version.sections), **more}
    record(kind, actor=actor, subject=questions_subject(version.question_set), now=now, after=facts)
