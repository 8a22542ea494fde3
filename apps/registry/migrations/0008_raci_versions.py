"""Versions and drafts of the matrix; what is in force may not be wrong."""

import django.contrib.postgres.fields
import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
import uuid
from django.conf import settings
from django.db import migrations, models

SEED = """
INSERT INTO registry_raciversion (unit_id, system_id, number, applied_at, note, changes)
SELECT unit_id, system_id, 1, min(valid_from), 'As it stood when versions began', '{}'
FROM registry_raciassignment GROUP BY unit_id, system_id;
UPDATE registry_raciassignment r
SET version_id = v.id, ended_by_id = CASE WHEN r.valid_to IS NOT NULL THEN v.id END
FROM registry_raciversion v
WHERE v.unit_id IS NOT DISTINCT FROM r.unit_id AND v.system_id IS NOT DISTINCT FROM r.system_id;
"""

PEOPLE = """
ALTER TABLE registry_raciassignment
    ADD CONSTRAINT raci_person_active FOREIGN KEY (person_id, person_must_be_active)
        REFERENCES people_person (id, is_active),
    ADD CONSTRAINT raci_person_human FOREIGN KEY (person_id, person_must_be) REFERENCES people_person (id, kind);
"""

HISTORY = """
CREATE FUNCTION registry_raci_only_ends() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.valid_to IS NOT NULL OR NEW.valid_to IS NULL
       OR (NEW.id, NEW.domain_id, NEW.unit_id, NEW.system_id, NEW.letter, NEW.function_id, NEW.person_id,
           NEW.is_owner, NEW.valid_from, NEW.version_id)
          IS DISTINCT FROM (OLD.id, OLD.domain_id, OLD.unit_id, OLD.system_id, OLD.letter, OLD.function_id,
           OLD.person_id, OLD.is_owner, OLD.valid_from, OLD.version_id) THEN
        RAISE EXCEPTION 'A letter of the matrix is history: it can be ended once, not changed.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER raci_only_ends BEFORE UPDATE ON registry_raciassignment
    FOR EACH ROW EXECUTE FUNCTION registry_raci_only_ends();
ALTER TABLE registry_raciassignment ENABLE ALWAYS TRIGGER raci_only_ends;
CREATE TRIGGER raci_never_deleted BEFORE DELETE ON registry_raciassignment FOR EACH ROW
    EXECUTE FUNCTION refuse_change('A letter of the matrix is history: it is never deleted.');
ALTER TABLE registry_raciassignment ENABLE ALWAYS TRIGGER raci_never_deleted;
CREATE TRIGGER raci_never_truncated BEFORE TRUNCATE ON registry_raciassignment FOR EACH STATEMENT
    EXECUTE FUNCTION refuse_change('Letters of the matrix are history: they are never deleted.');
ALTER TABLE registry_raciassignment ENABLE ALWAYS TRIGGER raci_never_truncated;
CREATE TRIGGER raci_version_never_changed BEFORE UPDATE OR DELETE ON registry_raciversion FOR EACH ROW
    EXECUTE FUNCTION refuse_change('A version of the matrix is history: it is never changed.');
ALTER TABLE registry_raciversion ENABLE ALWAYS TRIGGER raci_version_never_changed;
CREATE TRIGGER raci_version_never_truncated BEFORE TRUNCATE ON registry_raciversion FOR EACH STATEMENT
    EXECUTE FUNCTION refuse_change('Versions of the matrix are history: they are never deleted.');
ALTER TABLE registry_raciversion ENABLE ALWAYS TRIGGER raci_version_never_truncated;
"""

# Checked at the end of the transaction, because a change ends the old letters and begins the new ones.
ROWS = """
CREATE FUNCTION registry_raci_row_is_whole() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    a integer;
    r integer;
    held integer;
BEGIN
    SELECT count(*) FILTER (WHERE letter = 'A'), count(*) FILTER (WHERE letter = 'R'), count(*)
    INTO a, r, held FROM registry_raciassignment x
    WHERE x.valid_to IS NULL AND x.domain_id = NEW.domain_id
      AND x.unit_id IS NOT DISTINCT FROM NEW.unit_id AND x.system_id IS NOT DISTINCT FROM NEW.system_id;
    IF held > 0 AND (a <> 1 OR r = 0) THEN
        RAISE EXCEPTION 'The row % has % A and % R. It needs exactly one A and at least one R.', NEW.domain_id, a, r
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF held = 0 AND NEW.unit_id IS NULL AND NEW.system_id IS NULL THEN
        RAISE EXCEPTION 'The row % of the organisation can''t be empty: units and systems inherit it.', NEW.domain_id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER raci_row_is_whole AFTER INSERT OR UPDATE ON registry_raciassignment
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION registry_raci_row_is_whole();
ALTER TABLE registry_raciassignment ENABLE ALWAYS TRIGGER raci_row_is_whole;
"""

UNDO = """
DROP FUNCTION registry_raci_row_is_whole() CASCADE;
DROP TRIGGER raci_version_never_truncated ON registry_raciversion;
DROP TRIGGER raci_version_never_changed ON registry_raciversion;
DROP TRIGGER raci_never_truncated ON registry_raciassignment;
DROP TRIGGER raci_never_deleted ON registry_raciassignment;
DROP FUNCTION registry_raci_only_ends() CASCADE;
ALTER TABLE registry_raciassignment DROP CONSTRAINT raci_person_human, DROP CONSTRAINT raci_person_active;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('people', '0006_role_grant_source'),
        ('registry', '0007_charter'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='RaciDraft',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('note', models.CharField(blank=True, max_length=600)),
                ('state', models.CharField(choices=[('draft', 'Draft'), ('sent', 'Waiting for acceptance'), ('in_force', 'In force'), ('declined', 'Declined'), ('discarded', 'Discarded')], default='draft', max_length=9)),
                ('revision', models.PositiveIntegerField(default=0)),
                ('created_at', models.DateTimeField()),
                ('updated_at', models.DateTimeField()),
                ('sent_at', models.DateTimeField(blank=True, null=True)),
                ('closed_at', models.DateTimeField(blank=True, null=True)),
                ('author', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='raci_drafts', to=settings.AUTH_USER_MODEL)),
                ('system', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='raci_drafts', to='registry.system')),
                ('unit', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='raci_drafts', to='registry.unit')),
            ],
        ),
        migrations.CreateModel(
            name='RaciAcceptance',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('domains', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=60), size=None)),
                ('state', models.CharField(choices=[('open', 'Waiting'), ('accepted', 'Accepted'), ('declined', 'Declined'), ('closed', 'Not needed any more')], default='open', max_length=8)),
                ('asked_at', models.DateTimeField()),
                ('due_on', models.DateField()),
                ('answered_at', models.DateTimeField(blank=True, null=True)),
                ('reason', models.CharField(blank=True, max_length=600)),
                ('escalated_at', models.DateTimeField(blank=True, null=True)),
                ('person', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='raci_acceptances', to=settings.AUTH_USER_MODEL)),
                ('draft', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='acceptances', to='registry.racidraft')),
            ],
        ),
        migrations.CreateModel(
            name='RaciDraftRow',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('inherits', models.BooleanField(default=False)),
                ('cells', models.JSONField(default=dict)),
                ('domain', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='registry.governancedomain')),
                ('draft', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='rows', to='registry.racidraft')),
            ],
            options={
                'ordering': ['domain__position'],
            },
        ),
        migrations.CreateModel(
            name='RaciVersion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField()),
                ('applied_at', models.DateTimeField()),
                ('note', models.CharField(blank=True, max_length=600)),
                ('changes', models.JSONField(default=dict)),
                ('applied_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('system', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='raci_versions', to='registry.system')),
                ('unit', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='raci_versions', to='registry.unit')),
            ],
            options={
                'ordering': ['-number'],
            },
        ),
        migrations.AddField(
            model_name='racidraft',
            name='based_on',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='registry.raciversion'),
        ),
        migrations.AddField(
            model_name='raciassignment',
            name='ended_by',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='ended', to='registry.raciversion'),
        ),
        migrations.AddField(
            model_name='raciassignment',
            name='version',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='letters', to='registry.raciversion'),
        ),
        migrations.RunSQL([SEED, "SET CONSTRAINTS ALL IMMEDIATE"], migrations.RunSQL.noop),
        migrations.AlterField(
            model_name='raciassignment',
            name='version',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='letters', to='registry.raciversion'),
        ),
        migrations.AddConstraint(
            model_name='raciassignment',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('ended_by', None), ('valid_to', None)), models.Q(('ended_by__isnull', False), ('valid_to__isnull', False)), _connector='OR'), name='raci_ends_with_a_version'),
        ),
        migrations.AddConstraint(
            model_name='raciassignment',
            constraint=models.CheckConstraint(condition=models.Q(('domain', 'operate-monitor'), ('is_owner', False), ('letter', 'A'), _negated=True), name='raci_owner_operates', violation_error_message='Who answers for the system is accountable for operating it.'),
        ),
        migrations.AddConstraint(
            model_name='raciassignment',
            constraint=models.CheckConstraint(condition=models.Q(('domain', 'independent-review'), ('is_owner', True), ('letter__in', ['A', 'R']), _negated=True), name='raci_owner_does_not_review', violation_error_message='The owner neither reviews their own system nor answers for the review.'),
        ),
        migrations.AddIndex(
            model_name='raciacceptance',
            index=models.Index(models.F('person'), condition=models.Q(('state', 'open')), name='raci_acceptance_open'),
        ),
        migrations.AddConstraint(
            model_name='raciacceptance',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'open')), fields=('draft', 'person'), name='raci_acceptance_asked_once'),
        ),
        migrations.AddConstraint(
            model_name='raciacceptance',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('answered_at', None), ('state', 'open')), models.Q(models.Q(('state', 'open'), _negated=True), ('answered_at__isnull', False)), _connector='OR'), name='raci_acceptance_answer_dated'),
        ),
        migrations.AddConstraint(
            model_name='raciacceptance',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'declined'), _negated=True), models.Q(('reason', ''), _negated=True), _connector='OR'), name='raci_acceptance_decline_has_reason', violation_error_message='Say why you decline.'),
        ),
        migrations.AddConstraint(
            model_name='raciacceptance',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['open', 'accepted', 'declined', 'closed'])), name='raci_acceptance_known_state'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='raciacceptance',
            trigger=pgtrigger.compiler.Trigger(name='raci_acceptance_states', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE _is_valid_transition BOOLEAN;', func='SELECT CONCAT(OLD."state", \':\', NEW."state") = ANY(\'{open:accepted,open:declined,open:closed}\'::text[]) INTO _is_valid_transition; IF (_is_valid_transition IS FALSE AND OLD."state" IS DISTINCT FROM NEW."state") THEN RAISE EXCEPTION \'pgtrigger: Invalid transition of field "state" from "%" to "%" on table %\', OLD."state", NEW."state", TG_TABLE_NAME; ELSE RETURN NEW; END IF;', hash='86c37cc3e5f868dc43bf85bed13f6208f81026d6', operation='UPDATE', pgid='pgtrigger_raci_acceptance_states_941d7', table='registry_raciacceptance', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='racidraftrow',
            constraint=models.UniqueConstraint(fields=('draft', 'domain'), name='raci_draft_row_once'),
        ),
        migrations.AddConstraint(
            model_name='racidraftrow',
            constraint=models.CheckConstraint(condition=models.Q(('inherits', False), ('cells', {}), _connector='OR'), name='raci_draft_row_inherits_nothing'),
        ),
        migrations.AddConstraint(
            model_name='raciversion',
            constraint=models.UniqueConstraint(fields=('unit', 'system', 'number'), name='raci_version_number_once', nulls_distinct=False),
        ),
        migrations.AddConstraint(
            model_name='raciversion',
            constraint=models.CheckConstraint(condition=models.Q(('unit', None), ('system', None), _connector='OR'), name='raci_version_one_scope'),
        ),
        migrations.AddIndex(
            model_name='racidraft',
            index=models.Index(models.F('author'), condition=models.Q(('state', 'draft')), name='raci_draft_of_author'),
        ),
        migrations.AddConstraint(
            model_name='racidraft',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'draft')), fields=('author', 'unit', 'system'), name='one_raci_draft_of_an_author', nulls_distinct=False, violation_error_message='You have a draft here already.'),
        ),
        migrations.AddConstraint(
            model_name='racidraft',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'sent')), fields=('unit', 'system'), name='one_raci_draft_sent', nulls_distinct=False, violation_error_message='Another change of this matrix waits for acceptance. Wait, or withdraw it.'),
        ),
        migrations.AddConstraint(
            model_name='racidraft',
            constraint=models.CheckConstraint(condition=models.Q(('unit', None), ('system', None), _connector='OR'), name='raci_draft_one_scope'),
        ),
        migrations.AddConstraint(
            model_name='racidraft',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['draft', 'sent', 'in_force', 'declined', 'discarded'])), name='raci_draft_known_state'),
        ),
        migrations.AddConstraint(
            model_name='racidraft',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'sent'), _negated=True), ('sent_at__isnull', False), _connector='OR'), name='raci_draft_sent_dated'),
        ),
        migrations.AddConstraint(
            model_name='racidraft',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('closed_at', None), ('state__in', ('draft', 'sent'))), models.Q(models.Q(('state__in', ('draft', 'sent')), _negated=True), ('closed_at__isnull', False)), _connector='OR'), name='raci_draft_closing_dated'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='racidraft',
            trigger=pgtrigger.compiler.Trigger(name='raci_draft_states', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE _is_valid_transition BOOLEAN;', func='SELECT CONCAT(OLD."state", \':\', NEW."state") = ANY(\'{draft:sent,draft:in_force,draft:discarded,sent:in_force,sent:declined,sent:draft}\'::text[]) INTO _is_valid_transition; IF (_is_valid_transition IS FALSE AND OLD."state" IS DISTINCT FROM NEW."state") THEN RAISE EXCEPTION \'pgtrigger: Invalid transition of field "state" from "%" to "%" on table %\', OLD."state", NEW."state", TG_TABLE_NAME; ELSE RETURN NEW; END IF;', hash='620931bf40a692e494607ce0558d3b2f7b2bc789', operation='UPDATE', pgid='pgtrigger_raci_draft_states_f6ce5', table='registry_racidraft', when='BEFORE')),
        ),
        migrations.AddField(
            model_name='raciassignment',
            name='person_must_be',
            field=models.GeneratedField(db_persist=True, expression=models.Value('human'), output_field=models.CharField(max_length=10)),
        ),
        migrations.AddField(
            model_name='raciassignment',
            name='person_must_be_active',
            field=models.GeneratedField(db_persist=True, expression=models.Case(models.When(models.Q(('person__isnull', False), ('valid_to', None)), then=models.Value(True))), output_field=models.BooleanField(null=True)),
        ),
        migrations.RunSQL([PEOPLE, HISTORY, ROWS], UNDO),
    ]
