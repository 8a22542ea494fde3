"""Runbooks: only known words, a version that is published holds what an incident needs, a review is somebody's answer."""

from django.conf import settings
from django.db import migrations, models

# A published version holds a step that contains and, before any that changes the system, one that freezes the
# evidence (Article 73(6) of Regulation (EU) 2024/1689). What was published stays; only a draft is given up.
VERSIONS = """
CREATE FUNCTION incidents_version_kept() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    contains smallint;
    freezes smallint;
    changes smallint;
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF OLD.state <> 'draft' THEN
            RAISE EXCEPTION 'A version that was published stays on record.' USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN OLD;
    END IF;
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'draft' THEN
            RAISE EXCEPTION 'A version begins as a draft.' USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF NEW.runbook_id <> OLD.runbook_id OR NEW.number <> OLD.number OR (OLD.state <> 'draft' AND
       (NEW.note, NEW.written_by_id, NEW.written_at, NEW.published_by_id, NEW.published_at) IS DISTINCT FROM
       (OLD.note, OLD.written_by_id, OLD.written_at, OLD.published_by_id, OLD.published_at)) THEN
        RAISE EXCEPTION 'A published runbook does not change. Write a new version.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.state = 'published' AND OLD.state = 'draft' THEN
        SELECT min(s."order") FILTER (WHERE s.does = 'containment' AND s.required),
            min(s."order") FILTER (WHERE s.does = 'evidence_freeze' AND s.required),
            min(s."order") FILTER (WHERE s.does = 'changes_system')
        INTO contains, freezes, changes FROM incidents_runbookstep s WHERE s.version_id = NEW.id;
        IF contains IS NULL OR freezes IS NULL THEN
            RAISE EXCEPTION 'A runbook has a required step that contains and one that freezes the evidence.'
                USING ERRCODE = 'restrict_violation';
        END IF;
        IF changes < freezes THEN
            RAISE EXCEPTION 'A runbook freezes the evidence before it changes the system (AI Act Art. 73(6)).'
                USING ERRCODE = 'restrict_violation';
        END IF;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER runbook_version_kept BEFORE INSERT OR UPDATE OR DELETE ON incidents_runbookversion
    FOR EACH ROW EXECUTE FUNCTION incidents_version_kept();
ALTER TABLE incidents_runbookversion ENABLE ALWAYS TRIGGER runbook_version_kept;
"""

# A step is neither changed in a published version nor moved out of one.
FROZEN = """
CREATE OR REPLACE FUNCTION incidents_runbook_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    found text;
BEGIN
    FOR found IN SELECT v.state FROM incidents_runbookversion v
        WHERE (TG_OP <> 'DELETE' AND v.id = NEW.version_id) OR (TG_OP <> 'INSERT' AND v.id = OLD.version_id) FOR SHARE
    LOOP
        IF found <> 'draft' THEN
            RAISE EXCEPTION 'A published runbook does not change. Write a new version.'
                USING ERRCODE = 'restrict_violation';
        END IF;
    END LOOP;
    RETURN COALESCE(NEW, OLD);
END $$;
"""
FROZEN_BEFORE = """
CREATE OR REPLACE FUNCTION incidents_runbook_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    found text;
BEGIN
    SELECT v.state INTO found FROM incidents_runbookversion v
    WHERE v.id = COALESCE(NEW.version_id, OLD.version_id) FOR SHARE;
    IF found <> 'draft' THEN
        RAISE EXCEPTION 'A published runbook does not change. Write a new version.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN COALESCE(NEW, OLD);
END $$;
"""

RUNBOOKS = """
CREATE FUNCTION incidents_runbook_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.key, NEW.scenario, NEW.system_id, NEW.operating_model, NEW.unit_id, NEW.created_at) IS DISTINCT FROM
       (OLD.key, OLD.scenario, OLD.system_id, OLD.operating_model, OLD.unit_id, OLD.created_at) THEN
        RAISE EXCEPTION 'What a runbook is for does not change. Write another one.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.retired_at IS NOT NULL AND NEW.retired_at IS DISTINCT FROM OLD.retired_at THEN
        RAISE EXCEPTION 'A runbook that was retired stays so. Write another one.' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.review_due IS DISTINCT FROM OLD.review_due
       AND (NEW.reviewed_by_id IS NULL OR NEW.reviewed_at IS NOT DISTINCT FROM OLD.reviewed_at) THEN
        RAISE EXCEPTION 'Only the answer of a person moves the date of the next review.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER runbook_kept BEFORE UPDATE ON incidents_runbook
    FOR EACH ROW EXECUTE FUNCTION incidents_runbook_kept();
ALTER TABLE incidents_runbook ENABLE ALWAYS TRIGGER runbook_kept;
"""

# What a pinned step says stays, as does the General Counsel's yes; and a step that is written as done already obeys
# what one that becomes done obeys.
STEPS = """
CREATE FUNCTION incidents_step_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF (NEW.expected_result, NEW.if_not, NEW.role, NEW.target_minutes) IS DISTINCT FROM
           (OLD.expected_result, OLD.if_not, OLD.role, OLD.target_minutes)
           OR (OLD.agreed_by_id IS NOT NULL AND (NEW.agreed_by_id, NEW.agreed_at) IS DISTINCT FROM
               (OLD.agreed_by_id, OLD.agreed_at)) THEN
            RAISE EXCEPTION 'A runbook is pinned when the incident is declared, and who agreed stays on record.'
                USING ERRCODE = 'restrict_violation';
        END IF;
    ELSIF NEW.state IN ('doing', 'done') AND NEW.does = 'changes_system' AND EXISTS (
        SELECT FROM incidents_incident i JOIN registry_system s ON s.id = i.system_id
        WHERE i.id = NEW.incident_id AND s.regulatory_class = 'high_risk' AND i.freeze_waiver = '')
       AND NOT EXISTS (SELECT FROM incidents_incidentstep f WHERE f.incident_id = NEW.incident_id
                       AND f.does = 'evidence_freeze' AND f.state = 'done') THEN
        RAISE EXCEPTION 'Freeze the evidence first: on a high-risk system nothing is changed before (AI Act Art. 73(6)).'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER incident_step_kept BEFORE INSERT OR UPDATE ON incidents_incidentstep
    FOR EACH ROW EXECUTE FUNCTION incidents_step_kept();
ALTER TABLE incidents_incidentstep ENABLE ALWAYS TRIGGER incident_step_kept;
"""

WAIVER = """
CREATE FUNCTION incidents_waiver_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.freeze_waiver, NEW.freeze_waived_by_id) IS DISTINCT FROM (OLD.freeze_waiver, OLD.freeze_waived_by_id) THEN
        IF OLD.freeze_waiver <> '' THEN
            RAISE EXCEPTION 'Who waived freezing the evidence, and why, stays on record.'
                USING ERRCODE = 'restrict_violation';
        END IF;
        IF NEW.freeze_waived_by_id = NEW.lead_id THEN
            RAISE EXCEPTION 'Somebody other than the lead waives freezing the evidence.'
                USING ERRCODE = 'restrict_violation';
        END IF;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER incident_waiver_kept BEFORE UPDATE OF freeze_waiver, freeze_waived_by_id ON incidents_incident
    FOR EACH ROW EXECUTE FUNCTION incidents_waiver_kept();
ALTER TABLE incidents_incident ENABLE ALWAYS TRIGGER incident_waiver_kept;
"""
UNDO = """
DROP FUNCTION incidents_version_kept() CASCADE;
DROP FUNCTION incidents_runbook_kept() CASCADE;
DROP FUNCTION incidents_step_kept() CASCADE;
DROP FUNCTION incidents_waiver_kept() CASCADE;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("incidents", "0005_cards_follow_rules"),
        ("registry", "0011_system_model"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterField(
            model_name="runbook",
            name="scenario",
            field=models.CharField(
                blank=True,
                choices=[
                    ("", "Not sure"),
                    ("data-access", "Data access"),
                    ("harmful-decision", "Harmful decision"),
                    ("cost-spike", "Cost spike"),
                    ("unsafe-action", "Unsafe action"),
                    ("quality-regression", "Quality regression"),
                    ("provider-outage", "Provider outage"),
                    ("complaint", "Complaint"),
                ],
                max_length=20,
            ),
        ),
        migrations.AddConstraint(
            model_name="incidentstep",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("phase__in", ["contain", "preserve", "assess", "tell", "recover"]),
                    ("does__in", ["", "containment", "evidence_freeze", "changes_system"]),
                ),
                name="incident_step_known_words",
            ),
        ),
        migrations.AddConstraint(
            model_name="incidentstep",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("does", "changes_system"), ("phase", "recover"), ("state", "done"), _negated=True),
                    models.Q(
                        ("started_by__isnull", False), models.Q(("started_by", models.F("done_by")), _negated=True)
                    ),
                    _connector="OR",
                ),
                name="incident_step_two_people",
                violation_error_message="One person starts it again, another looks and confirms.",
            ),
        ),
        migrations.AddConstraint(
            model_name="runbook",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "scenario__in",
                        [
                            "",
                            "data-access",
                            "harmful-decision",
                            "cost-spike",
                            "unsafe-action",
                            "quality-regression",
                            "provider-outage",
                            "complaint",
                        ],
                    )
                ),
                name="runbook_known_scenario",
            ),
        ),
        migrations.AddConstraint(
            model_name="runbook",
            constraint=models.CheckConstraint(
                condition=models.Q(("title", ""), _negated=True), name="runbook_has_title"
            ),
        ),
        migrations.AddConstraint(
            model_name="runbookstep",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("phase__in", ["contain", "preserve", "assess", "tell", "recover"]),
                    ("does__in", ["", "containment", "evidence_freeze", "changes_system"]),
                ),
                name="runbook_step_known_words",
            ),
        ),
        migrations.RunSQL("\n".join([VERSIONS, FROZEN, RUNBOOKS, STEPS, WAIVER]), "\n".join([FROZEN_BEFORE, UNDO])),
    ]
