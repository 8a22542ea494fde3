"""What holds for the rows as they are now."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# The table goes with the last step; going back makes it again for 0005 to fill.
DROP_ASIDE = "DROP TABLE attestations_facts_aside"
MAKE_ASIDE = """
CREATE TABLE attestations_facts_aside (
    assignment_id bigint NOT NULL CONSTRAINT attestations_facts_aside_pkey PRIMARY KEY
        REFERENCES attestations_assignment (id) DEFERRABLE INITIALLY DEFERRED,
    facts text NOT NULL,
    sha256 varchar(64) NOT NULL);
GRANT SELECT, INSERT ON attestations_facts_aside TO govportal_app;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("attestations", "0005_carry_over"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]
    operations = [
        migrations.RunSQL(DROP_ASIDE, MAKE_ASIDE),
        migrations.AlterField("campaign", "template", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="campaigns", to="attestations.campaigntemplate")),
        migrations.AlterField("campaign", "code", models.CharField(max_length=60, unique=True)),
        migrations.AlterField("campaign", "title", models.CharField(max_length=160)),
        migrations.AlterField("assignment", "snapshot", models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="assignments", to="attestations.scopesnapshot")),
        migrations.AlterField("assignment", "opened_at", models.DateTimeField()),
        migrations.AlterField("answer", "answered_by", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL)),
        migrations.AddConstraint(
            model_name='campaign',
            constraint=models.UniqueConstraint(fields=('template', 'period'), name='one_campaign_per_period'),
        ),
        migrations.AddConstraint(
            model_name='campaign',
            constraint=models.CheckConstraint(condition=models.Q(('period__regex', '^\\d{4}(Q[1-4]|H[12]|-(0[1-9]|1[0-2]))?$')), name='campaign_known_period'),
        ),
        migrations.AddConstraint(
            model_name='campaign',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['draft', 'scheduled', 'snapshotting', 'open', 'grace', 'rollup', 'pending_actions', 'closed', 'sealed', 'cancelled'])), name='campaign_known_state'),
        ),
        migrations.AddConstraint(
            model_name='campaign',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['draft', 'scheduled', 'cancelled']), models.Q(('cancelled_at', None), ('opened_at__isnull', False), models.Q(('opened_by', ''), _negated=True), models.Q(('question_set', {}), _negated=True)), _connector='OR'), name='campaign_opening_dated'),
        ),
        migrations.AddConstraint(
            model_name='campaign',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('rollup_at__isnull', False), ('state__in', ['rollup', 'pending_actions', 'closed', 'sealed'])), models.Q(models.Q(('state__in', ['rollup', 'pending_actions', 'closed', 'sealed']), _negated=True), ('rollup_at', None)), _connector='OR'), name='campaign_rollup_dated'),
        ),
        migrations.AddConstraint(
            model_name='campaign',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('closed_at__isnull', False), ('state__in', ['closed', 'sealed'])), models.Q(models.Q(('state__in', ['closed', 'sealed']), _negated=True), ('closed_at', None)), _connector='OR'), name='campaign_closing_dated'),
        ),
        migrations.AddConstraint(
            model_name='campaign',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('manifest_sha256__regex', '^[0-9a-f]{64}$'), ('sealed_at__isnull', False), ('state', 'sealed')), models.Q(models.Q(('state', 'sealed'), _negated=True), ('manifest', ''), ('manifest_sha256', ''), ('sealed_at', None)), _connector='OR'), name='campaign_sealing_dated'),
        ),
        migrations.AddConstraint(
            model_name='campaign',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('cancelled_at__isnull', False), ('state', 'cancelled'), models.Q(('cancel_reason', ''), _negated=True)), models.Q(models.Q(('state', 'cancelled'), _negated=True), ('cancel_reason', ''), ('cancelled_at', None)), _connector='OR'), name='campaign_cancelled_with_reason', violation_error_message='Say why the campaign is cancelled.'),
        ),
        migrations.AddConstraint(
            model_name='campaign',
            constraint=models.CheckConstraint(condition=models.Q(('due_critical_on__lte', models.F('due_high_on')), ('due_high_on__lte', models.F('due_on')), ('opens_at__lt', models.F('closes_at')), models.Q(('opened_at', None), ('opened_at__lt', models.F('closes_at')), _connector='OR')), name='campaign_dates_in_order'),
        ),
        migrations.AddConstraint(
            model_name='signature',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('assignment__isnull', False), ('exception', None), ('kind__in', ['attestation', 'supplement']), ('node', None)), models.Q(('assignment', None), ('exception', None), ('kind', 'rollup'), ('node__isnull', False)), models.Q(('assignment', None), ('exception__isnull', False), ('kind', 'exception'), ('node', None)), models.Q(('assignment', None), ('exception', None), ('kind__in', ['acceptance', 'sample']), ('node', None)), _connector='OR'), name='signature_under_one_thing'),
        ),
        migrations.AddConstraint(
            model_name='signature',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('kind__in', ['attestation', 'supplement']), ('meaning__in', ['certify', 'acknowledge'])), models.Q(('kind', 'rollup'), ('meaning__in', ['certify', 'acknowledge', 'decline'])), models.Q(('kind', 'exception'), ('meaning__in', ['approve', 'accept_risk', 'refuse'])), models.Q(('kind__in', ['acceptance', 'sample']), ('meaning', 'reviewed')), _connector='OR'), name='signature_meaning_fits'),
        ),
        migrations.AddConstraint(
            model_name='signature',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('meaning__in', ['certify', 'acknowledge']), _negated=True), models.Q(('exceptions', 0), ('meaning', 'certify')), models.Q(('exceptions__gt', 0), ('meaning', 'acknowledge')), _connector='OR'), name='signature_clean_without_exceptions'),
        ),
        migrations.AddConstraint(
            model_name='signature',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('kind__in', ['attestation', 'supplement']), ('signer_basis__in', ['accepted', 'interim']), models.Q(('assigned_name', ''), _negated=True)), models.Q(models.Q(('kind__in', ['attestation', 'supplement']), _negated=True), ('assigned_name', ''), ('signer_basis', '')), _connector='OR'), name='signature_known_basis'),
        ),
        migrations.AddConstraint(
            model_name='signature',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('corrects__isnull', False), ('kind', 'supplement')), models.Q(models.Q(('kind', 'supplement'), _negated=True), ('corrects', None)), _connector='OR'), name='signature_corrects_another'),
        ),
        migrations.AddConstraint(
            model_name='signature',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('batch', None), ('batch_size', 1)), models.Q(('batch__isnull', False), ('batch_size__gt', 1)), _connector='OR'), name='signature_batch_counted'),
        ),
        migrations.AddConstraint(
            model_name='signature',
            constraint=models.UniqueConstraint(condition=models.Q(('assignment__isnull', False)), fields=('assignment', 'kind', 'round'), name='one_signature_per_round'),
        ),
        migrations.AddConstraint(
            model_name='signature',
            constraint=models.UniqueConstraint(condition=models.Q(('node__isnull', False)), fields=('node', 'seat'), name='one_signature_per_seat'),
        ),
        migrations.AddConstraint(
            model_name='assignment',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'reassigned'), _negated=True), fields=('campaign', 'system', 'snapshot'), name='one_assignment_per_system'),
        ),
        migrations.AddConstraint(
            model_name='assignment',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['pending', 'in_progress', 'submitted', 'changes_requested', 'accepted', 'sealed', 'reassigned', 'not_attested'])), name='assignment_known_state'),
        ),
        migrations.AddConstraint(
            model_name='assignment',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('late_days__isnull', False), ('result__in', ['clean', 'qualified']), ('state__in', ['submitted', 'accepted', 'sealed']), ('submitted_at__isnull', False)), models.Q(models.Q(('state__in', ['submitted', 'accepted', 'sealed']), _negated=True), ('late_days', None), ('result', ''), ('submitted_at', None)), _connector='OR'), name='assignment_submission_dated'),
        ),
        migrations.AddConstraint(
            model_name='assignment',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('accepted_at__isnull', False), ('state__in', ['accepted', 'sealed'])), models.Q(models.Q(('state__in', ['accepted', 'sealed']), _negated=True), ('accepted_at', None)), _connector='OR'), name='assignment_acceptance_dated'),
        ),
        migrations.AddConstraint(
            model_name='assignment',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('because', ''), ('predecessor', None)), models.Q(('predecessor__isnull', False), models.Q(('because', ''), _negated=True)), _connector='OR'), name='assignment_follows_for_a_reason'),
        ),
        migrations.AddConstraint(
            model_name='assignment',
            constraint=models.CheckConstraint(condition=models.Q(('round__gte', 1)), name='assignment_round'),
        ),
    ]
