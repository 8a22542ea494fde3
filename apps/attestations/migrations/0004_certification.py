"""Templates, states, passing on, reviews, exceptions, the roll-up: the tables of certification."""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.expressions
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('attestations', '0003_set_aside'),
        ('findings', '0002_finding_rules'),
        ('registry', '0010_raci_row_index'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='AttestationException',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('question', models.CharField(blank=True, max_length=40)),
                ('severity', models.CharField(max_length=8)),
                ('description', models.TextField()),
                ('control', models.TextField(blank=True)),
                ('plan', models.TextField()),
                ('declared_on', models.DateField()),
                ('first_due_on', models.DateField()),
                ('due_on', models.DateField()),
                ('state', models.CharField(choices=[('requested', 'Waiting for a decision'), ('approved', 'Plan approved'), ('refused', 'Plan refused'), ('risk_accepted', 'Risk accepted'), ('verified', 'Put right and verified'), ('superseded', 'Replaced by a new signature')], default='requested', max_length=13)),
                ('decided_at', models.DateTimeField(blank=True, null=True)),
                ('decision_note', models.CharField(blank=True, max_length=600)),
                ('accepted_until', models.DateField(blank=True, null=True)),
                ('carried_over_at', models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name='CampaignDocument',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('report', 'Report'), ('receipt', 'Receipt')], max_length=7)),
                ('state', models.CharField(choices=[('queued', 'Being made'), ('ready', 'Ready'), ('failed', 'Not made')], default='queued', max_length=6)),
                ('requested_at', models.DateTimeField()),
                ('made_at', models.DateTimeField(blank=True, null=True)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('sha256', models.CharField(blank=True, max_length=64)),
                ('source_sha256', models.CharField(max_length=64)),
                ('content', models.BinaryField(blank=True, null=True)),
                ('error', models.CharField(blank=True, max_length=300)),
            ],
        ),
        migrations.CreateModel(
            name='CampaignTemplate',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.SlugField(max_length=40, unique=True)),
                ('name', models.CharField(max_length=120)),
                ('cadence', models.CharField(choices=[('month', 'Every month'), ('quarter', 'Every quarter'), ('half_year', 'Every half-year'), ('year', 'Every year'), ('event', 'When something changes')], max_length=9)),
                ('scope', models.JSONField(blank=True, default=dict)),
                ('due_month', models.PositiveSmallIntegerField(blank=True, null=True)),
                ('opens_days_before', models.PositiveSmallIntegerField(blank=True, null=True)),
                ('closes_days_after', models.PositiveSmallIntegerField(blank=True, null=True)),
                ('sampling_percent', models.PositiveSmallIntegerField(default=5)),
                ('consequence', models.CharField(choices=[('readiness', 'Readiness falls'), ('permission', 'Readiness falls, and permission to run lapses where that is enforced')], default='readiness', max_length=10)),
                ('top_seats', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=20), size=None)),
                ('items_per_person', models.PositiveSmallIntegerField(default=25)),
                ('is_active', models.BooleanField(default=True)),
                ('created_by', models.CharField(max_length=200)),
                ('created_at', models.DateTimeField()),
            ],
            options={
                'ordering': ['pk'],
            },
        ),
        migrations.CreateModel(
            name='Delegation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('sections', django.contrib.postgres.fields.ArrayField(base_field=models.SlugField(max_length=40), blank=True, default=list, size=None)),
                ('reason', models.CharField(max_length=600)),
                ('until', models.DateField()),
                ('given_at', models.DateTimeField()),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name='EvidenceFile',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('question', models.CharField(max_length=40)),
                ('name', models.CharField(max_length=200)),
                ('content_type', models.CharField(max_length=100)),
                ('size', models.PositiveBigIntegerField()),
                ('sha256', models.CharField(max_length=64)),
                ('effective_on', models.DateField()),
                ('expires_on', models.DateField(blank=True, null=True)),
                ('recorded_at', models.DateTimeField()),
                ('scan', models.CharField(choices=[('pending', 'Waiting to be scanned'), ('clean', 'Scanned, nothing found'), ('infected', 'Infected: locked'), ('not_scanned', 'Not scanned: no scanner is set up'), ('failed', 'The scan failed')], default='pending', max_length=11)),
                ('scanned_at', models.DateTimeField(blank=True, null=True)),
                ('scan_note', models.CharField(blank=True, max_length=300)),
                ('removed_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'ordering': ('recorded_at', 'pk'),
            },
        ),
        migrations.CreateModel(
            name='Extension',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveSmallIntegerField()),
                ('from_day', models.DateField()),
                ('to_day', models.DateField()),
                ('reason', models.CharField(max_length=600)),
                ('requested_at', models.DateTimeField()),
                ('decided_at', models.DateTimeField(blank=True, null=True)),
                ('is_granted', models.BooleanField(blank=True, null=True)),
                ('note', models.CharField(blank=True, max_length=600)),
            ],
        ),
        migrations.CreateModel(
            name='QuestionSet',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.SlugField(max_length=40, unique=True)),
                ('name', models.CharField(max_length=120)),
                ('tiers', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=10), blank=True, default=list, size=None)),
                ('regulatory_classes', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=14), blank=True, default=list, size=None)),
                ('operating_models', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=16), blank=True, default=list, size=None)),
                ('position', models.PositiveSmallIntegerField(default=0)),
            ],
            options={
                'ordering': ['position', 'key'],
            },
        ),
        migrations.CreateModel(
            name='QuestionSetVersion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField()),
                ('sections', models.JSONField()),
                ('note', models.CharField(blank=True, max_length=600)),
                ('created_by', models.CharField(max_length=200)),
                ('created_at', models.DateTimeField()),
                ('published_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'ordering': ['question_set', '-number'],
            },
        ),
        migrations.CreateModel(
            name='Reassignment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('reason', models.CharField(max_length=600)),
                ('requested_at', models.DateTimeField()),
                ('answer_by', models.DateField()),
                ('state', models.CharField(choices=[('open', 'Waiting'), ('accepted', 'Accepted'), ('declined', 'Declined'), ('returned', 'Answered: it stays'), ('withdrawn', 'Withdrawn')], default='open', max_length=9)),
                ('answered_at', models.DateTimeField(blank=True, null=True)),
                ('answer', models.CharField(blank=True, max_length=600)),
                ('escalated_at', models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name='RetiredSystem',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('stage', models.CharField(max_length=12)),
            ],
        ),
        migrations.CreateModel(
            name='Review',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('acceptance', 'Acceptance'), ('sample', 'Sample')], max_length=10)),
                ('verdict', models.CharField(choices=[('accepted', 'Accepted'), ('changes', 'Changes requested')], max_length=8)),
                ('checks', models.JSONField(blank=True, default=dict)),
                ('note', models.TextField(blank=True)),
                ('reviewed_at', models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name='RollupNode',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('level', models.CharField(choices=[('unit', 'Unit'), ('ai_lead', 'Head of AI'), ('ciso', 'CISO'), ('top', 'Top')], max_length=7)),
                ('state', models.CharField(choices=[('not_ready', 'Not ready'), ('ready', 'Ready to sign'), ('signed_clean', 'Signed clean'), ('signed_qualified', 'Signed with exceptions'), ('declined', 'Declined')], default='not_ready', max_length=16)),
                ('ready_at', models.DateTimeField(blank=True, null=True)),
                ('signed_at', models.DateTimeField(blank=True, null=True)),
                ('reason', models.CharField(blank=True, max_length=600)),
                ('told_at', models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name='ScopeSnapshot',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveSmallIntegerField(default=1)),
                ('is_supplement', models.BooleanField(default=False)),
                ('facts', models.TextField()),
                ('sha256', models.CharField(max_length=64)),
                ('material', models.JSONField(default=dict)),
                ('delta', models.CharField(choices=[('new', 'New'), ('changed', 'Changed'), ('unchanged', 'Unchanged')], default='new', max_length=9)),
                ('changes', models.JSONField(blank=True, default=list)),
                ('taken_at', models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name='SectionView',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('section', models.SlugField(max_length=40)),
                ('viewed_at', models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name='Snooze',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('from_day', models.DateField()),
                ('until', models.DateField()),
                ('set_at', models.DateTimeField()),
            ],
        ),
        migrations.AlterModelOptions(
            name='campaign',
            options={'ordering': ['-opens_at', '-pk']},
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name='assignment',
            name='assignment_states',
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name='campaign',
            name='campaign_states',
        ),
        migrations.RemoveConstraint(
            model_name='answer',
            name='answer_known_value',
        ),
        migrations.RemoveConstraint(
            model_name='assignment',
            name='one_assignment_per_system',
        ),
        migrations.RemoveConstraint(
            model_name='assignment',
            name='assignment_known_state',
        ),
        migrations.RemoveConstraint(
            model_name='assignment',
            name='assignment_submission_dated',
        ),
        migrations.RemoveConstraint(
            model_name='campaign',
            name='campaign_known_period',
        ),
        migrations.RemoveConstraint(
            model_name='campaign',
            name='campaign_known_state',
        ),
        migrations.RemoveConstraint(
            model_name='campaign',
            name='campaign_closing_dated',
        ),
        migrations.RemoveConstraint(
            model_name='campaign',
            name='campaign_dates_in_order',
        ),
        migrations.RemoveConstraint(
            model_name='signature',
            name='signature_clean_without_exceptions',
        ),
        migrations.RemoveConstraint(
            model_name='signature',
            name='signature_known_basis',
        ),
        migrations.RemoveIndex(
            model_name='assignment',
            name='assignment_progress',
        ),
        migrations.RemoveIndex(
            model_name='assignment',
            name='assignment_open',
        ),
        migrations.AddField(
            model_name='answer',
            name='answered_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='answer',
            name='contradiction',
            field=models.CharField(blank=True, max_length=300),
        ),
        migrations.AddField(
            model_name='answer',
            name='control',
            field=models.TextField(blank=True),
        ),
        migrations.AddField(
            model_name='answer',
            name='day',
            field=models.CharField(blank=True, max_length=40),
        ),
        migrations.AddField(
            model_name='answer',
            name='explanation',
            field=models.TextField(blank=True),
        ),
        migrations.AddField(
            model_name='answer',
            name='fact',
            field=models.TextField(blank=True),
        ),
        migrations.AddField(
            model_name='answer',
            name='person',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='answer',
            name='plan_owner',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='answer',
            name='seconds',
            field=models.PositiveIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='answer',
            name='severity',
            field=models.CharField(blank=True, max_length=8),
        ),
        migrations.AddField(
            model_name='answer',
            name='text',
            field=models.TextField(blank=True),
        ),
        migrations.AddField(
            model_name='assignment',
            name='accepted_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='assignment',
            name='because',
            field=models.CharField(blank=True, choices=[('', 'First'), ('owner_changed', 'The owner changed'), ('reassigned', 'Passed on by agreement'), ('leaver', 'The owner left')], default='', max_length=13),
        ),
        migrations.AddField(
            model_name='assignment',
            name='delta',
            field=models.CharField(choices=[('new', 'New'), ('changed', 'Changed'), ('unchanged', 'Unchanged')], default='new', max_length=9),
        ),
        migrations.AddField(
            model_name='assignment',
            name='late_days',
            field=models.PositiveSmallIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='assignment',
            name='opened_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='assignment',
            name='predecessor',
            field=models.OneToOneField(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='successor', to='attestations.assignment'),
        ),
        migrations.AddField(
            model_name='assignment',
            name='reopened_until',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='assignment',
            name='result',
            field=models.CharField(blank=True, choices=[('', 'None yet'), ('clean', 'Clean'), ('qualified', 'With exceptions')], default='', max_length=9),
        ),
        migrations.AddField(
            model_name='assignment',
            name='round',
            field=models.PositiveSmallIntegerField(default=1),
        ),
        migrations.AddField(
            model_name='assignment',
            name='sampled',
            field=models.CharField(blank=True, choices=[('', 'Not sampled'), ('critical', 'Every critical system'), ('random', 'Drawn')], default='', max_length=8),
        ),
        migrations.AddField(
            model_name='assignment',
            name='stale_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='assignment',
            name='stale_because',
            field=models.JSONField(blank=True, default=list),
        ),
        migrations.AddField(
            model_name='campaign',
            name='cancel_reason',
            field=models.CharField(blank=True, max_length=600),
        ),
        migrations.AddField(
            model_name='campaign',
            name='cancelled_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='campaign',
            name='code',
            field=models.CharField(max_length=60, null=True, unique=True),
        ),
        migrations.AddField(
            model_name='campaign',
            name='is_event',
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name='campaign',
            name='manifest',
            field=models.TextField(blank=True),
        ),
        migrations.AddField(
            model_name='campaign',
            name='manifest_sha256',
            field=models.CharField(blank=True, max_length=64),
        ),
        migrations.AddField(
            model_name='campaign',
            name='rollup_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='campaign',
            name='sampling_commitment',
            field=models.CharField(blank=True, max_length=64),
        ),
        migrations.AddField(
            model_name='campaign',
            name='sampling_seed',
            field=models.CharField(blank=True, max_length=64),
        ),
        migrations.AddField(
            model_name='campaign',
            name='sealed_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='campaign',
            name='terms',
            field=models.JSONField(default=dict),
        ),
        migrations.AddField(
            model_name='campaign',
            name='title',
            field=models.CharField(default='', max_length=160),
        ),
        migrations.AddField(
            model_name='signature',
            name='batch',
            field=models.UUIDField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='signature',
            name='batch_size',
            field=models.PositiveIntegerField(default=1),
        ),
        migrations.AddField(
            model_name='signature',
            name='corrects',
            field=models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='corrected_by', to='attestations.signature'),
        ),
        migrations.AddField(
            model_name='signature',
            name='kind',
            field=models.CharField(choices=[('attestation', 'Attestation'), ('supplement', 'Correction'), ('acceptance', 'Acceptance'), ('sample', 'Sample re-performed'), ('rollup', 'Roll-up'), ('exception', 'Decision about an exception')], default='attestation', max_length=11),
        ),
        migrations.AddField(
            model_name='signature',
            name='round',
            field=models.PositiveSmallIntegerField(default=1),
        ),
        migrations.AddField(
            model_name='signature',
            name='seat',
            field=models.CharField(blank=True, max_length=20),
        ),
        migrations.AlterField(
            model_name='assignment',
            name='state',
            field=models.CharField(choices=[('pending', 'Not started'), ('in_progress', 'In progress'), ('submitted', 'Signed'), ('changes_requested', 'Changes requested'), ('accepted', 'Accepted'), ('sealed', 'Sealed'), ('reassigned', 'Passed on'), ('not_attested', 'Not attested')], default='pending', max_length=17),
        ),
        migrations.AlterField(
            model_name='campaign',
            name='opened_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name='campaign',
            name='opened_by',
            field=models.CharField(blank=True, max_length=200),
        ),
        migrations.AlterField(
            model_name='campaign',
            name='period',
            field=models.CharField(max_length=8),
        ),
        migrations.AlterField(
            model_name='campaign',
            name='question_set',
            field=models.JSONField(default=dict),
        ),
        migrations.AlterField(
            model_name='campaign',
            name='state',
            field=models.CharField(choices=[('draft', 'Draft'), ('scheduled', 'Scheduled'), ('snapshotting', 'Being opened'), ('open', 'Open'), ('grace', 'Past its due date'), ('rollup', 'Being rolled up'), ('pending_actions', 'Waiting for decisions'), ('closed', 'Closed'), ('sealed', 'Sealed'), ('cancelled', 'Cancelled')], default='draft', max_length=15),
        ),
        migrations.AlterField(
            model_name='signature',
            name='assigned_name',
            field=models.CharField(blank=True, max_length=200),
        ),
        migrations.AlterField(
            model_name='signature',
            name='assignment',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='signatures', to='attestations.assignment'),
        ),
        migrations.AlterField(
            model_name='signature',
            name='exceptions',
            field=models.PositiveIntegerField(),
        ),
        migrations.AlterField(
            model_name='signature',
            name='meaning',
            field=models.CharField(choices=[('certify', 'I certify the answers'), ('acknowledge', 'I acknowledge exceptions and what I do about them'), ('reviewed', 'I reviewed this'), ('approve', 'I approve the plan'), ('accept_risk', 'I accept the risk'), ('refuse', 'I refuse'), ('decline', 'I decline to sign')], max_length=12),
        ),
        migrations.AlterField(
            model_name='signature',
            name='signer_basis',
            field=models.CharField(blank=True, max_length=8),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='assignment',
            trigger=pgtrigger.compiler.Trigger(name='assignment_states', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE _is_valid_transition BOOLEAN;', func='SELECT CONCAT(OLD."state", \':\', NEW."state") = ANY(\'{pending:in_progress,pending:reassigned,pending:not_attested,in_progress:submitted,in_progress:reassigned,in_progress:not_attested,submitted:accepted,submitted:changes_requested,accepted:changes_requested,accepted:sealed,changes_requested:in_progress,changes_requested:reassigned,changes_requested:not_attested}\'::text[]) INTO _is_valid_transition; IF (_is_valid_transition IS FALSE AND OLD."state" IS DISTINCT FROM NEW."state") THEN RAISE EXCEPTION \'pgtrigger: Invalid transition of field "state" from "%" to "%" on table %\', OLD."state", NEW."state", TG_TABLE_NAME; ELSE RETURN NEW; END IF;', hash='02616944b0519877eb0c6f72eaef063cc44b82f7', operation='UPDATE', pgid='pgtrigger_assignment_states_90410', table='attestations_assignment', when='BEFORE')),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='campaign',
            trigger=pgtrigger.compiler.Trigger(name='campaign_states', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE _is_valid_transition BOOLEAN;', func='SELECT CONCAT(OLD."state", \':\', NEW."state") = ANY(\'{draft:scheduled,draft:snapshotting,draft:cancelled,scheduled:snapshotting,scheduled:cancelled,snapshotting:open,open:grace,open:cancelled,grace:rollup,rollup:pending_actions,pending_actions:closed,closed:sealed}\'::text[]) INTO _is_valid_transition; IF (_is_valid_transition IS FALSE AND OLD."state" IS DISTINCT FROM NEW."state") THEN RAISE EXCEPTION \'pgtrigger: Invalid transition of field "state" from "%" to "%" on table %\', OLD."state", NEW."state", TG_TABLE_NAME; ELSE RETURN NEW; END IF;', hash='bad2a3b1d846e9f0595ddf1ea4bb1f80b87e0308', operation='UPDATE', pgid='pgtrigger_campaign_states_3ef04', table='attestations_campaign', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='answer',
            constraint=models.CheckConstraint(condition=models.Q(('value__in', ['', 'yes', 'yes_with_exception', 'no', 'not_applicable', 'cannot_attest', 'given'])), name='answer_known_value'),
        ),
        migrations.AddConstraint(
            model_name='answer',
            constraint=models.CheckConstraint(condition=models.Q(('severity__in', ['', 'critical', 'high', 'medium', 'low'])), name='answer_known_severity'),
        ),
        migrations.AddField(
            model_name='attestationexception',
            name='approver',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='attestationexception',
            name='assignment',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='exceptions', to='attestations.assignment'),
        ),
        migrations.AddField(
            model_name='attestationexception',
            name='campaign',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='exceptions', to='attestations.campaign'),
        ),
        migrations.AddField(
            model_name='attestationexception',
            name='finding',
            field=models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='attestation_exception', to='findings.finding'),
        ),
        migrations.AddField(
            model_name='attestationexception',
            name='owner',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='exceptions_owned', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='attestationexception',
            name='signature',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='declares', to='attestations.signature'),
        ),
        migrations.AddField(
            model_name='signature',
            name='exception',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='signatures', to='attestations.attestationexception'),
        ),
        migrations.AddField(
            model_name='campaigndocument',
            name='campaign',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='documents', to='attestations.campaign'),
        ),
        migrations.AddField(
            model_name='campaigndocument',
            name='requested_by',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='campaigndocument',
            name='signature',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='documents', to='attestations.signature'),
        ),
        migrations.AddField(
            model_name='campaign',
            name='template',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='campaigns', to='attestations.campaigntemplate'),
        ),
        migrations.AddIndex(
            model_name='campaign',
            index=models.Index(models.F('state'), models.F('closes_at'), name='campaign_by_state'),
        ),
        migrations.AddField(
            model_name='delegation',
            name='assignment',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='delegations', to='attestations.assignment'),
        ),
        migrations.AddField(
            model_name='delegation',
            name='given_by',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='delegation',
            name='preparer',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='prepares', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='evidencefile',
            name='assignment',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='evidence', to='attestations.assignment'),
        ),
        migrations.AddField(
            model_name='evidencefile',
            name='removed_by',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='evidencefile',
            name='uploaded_by',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='extension',
            name='approver',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='extension',
            name='exception',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='extensions', to='attestations.attestationexception'),
        ),
        migrations.AddField(
            model_name='extension',
            name='owner',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='extension',
            name='requested_by',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='campaigntemplate',
            name='question_sets',
            field=models.ManyToManyField(related_name='templates', to='attestations.questionset'),
        ),
        migrations.AddField(
            model_name='questionsetversion',
            name='question_set',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='versions', to='attestations.questionset'),
        ),
        migrations.AddField(
            model_name='reassignment',
            name='answered_by',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='reassignment',
            name='asked',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='reassignments_to_answer', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='reassignment',
            name='assignment',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='reassignments', to='attestations.assignment'),
        ),
        migrations.AddField(
            model_name='reassignment',
            name='from_person',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='reassignment',
            name='nomination',
            field=models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='reassignment', to='registry.nomination'),
        ),
        migrations.AddField(
            model_name='reassignment',
            name='requested_by',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='reassignment',
            name='to_person',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='retiredsystem',
            name='campaign',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='retired', to='attestations.campaign'),
        ),
        migrations.AddField(
            model_name='retiredsystem',
            name='system',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='registry.system'),
        ),
        migrations.AddField(
            model_name='review',
            name='assignment',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='reviews', to='attestations.assignment'),
        ),
        migrations.AddField(
            model_name='review',
            name='reviewer',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='attestation_reviews', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='review',
            name='signature',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='reviews_of', to='attestations.signature'),
        ),
        migrations.AddField(
            model_name='review',
            name='signed',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='reviews_in', to='attestations.signature'),
        ),
        migrations.AddField(
            model_name='review',
            name='signer',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='rollupnode',
            name='campaign',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='nodes', to='attestations.campaign'),
        ),
        migrations.AddField(
            model_name='rollupnode',
            name='parent',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='children', to='attestations.rollupnode'),
        ),
        migrations.AddField(
            model_name='rollupnode',
            name='unit',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='registry.unit'),
        ),
        migrations.AddField(
            model_name='attestationexception',
            name='node',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='exceptions', to='attestations.rollupnode'),
        ),
        migrations.AddField(
            model_name='signature',
            name='node',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='signatures', to='attestations.rollupnode'),
        ),
        migrations.AddField(
            model_name='scopesnapshot',
            name='campaign',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='snapshots', to='attestations.campaign'),
        ),
        migrations.AddField(
            model_name='scopesnapshot',
            name='system',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='snapshots', to='registry.system'),
        ),
        migrations.AddField(
            model_name='retiredsystem',
            name='previous',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='attestations.scopesnapshot'),
        ),
        migrations.AddField(
            model_name='assignment',
            name='snapshot',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='assignments', to='attestations.scopesnapshot'),
        ),
        migrations.AddIndex(
            model_name='assignment',
            index=models.Index(models.F('campaign'), models.F('state'), models.F('due_on'), models.F('tier'), models.F('unit'), models.F('owner_basis'), models.F('result'), models.F('late_days'), name='assignment_progress'),
        ),
        migrations.AddIndex(
            model_name='assignment',
            index=models.Index(models.F('campaign'), models.F('due_on'), models.F('id'), condition=models.Q(('state__in', ['pending', 'in_progress', 'changes_requested'])), name='assignment_open'),
        ),
        migrations.AddIndex(
            model_name='assignment',
            index=models.Index(models.F('campaign'), models.F('unit'), models.F('id'), condition=models.Q(('state', 'submitted')), name='assignment_to_accept'),
        ),
        migrations.AddField(
            model_name='sectionview',
            name='assignment',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='views', to='attestations.assignment'),
        ),
        migrations.AddField(
            model_name='sectionview',
            name='person',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='snooze',
            name='campaign',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='snoozes', to='attestations.campaign'),
        ),
        migrations.AddField(
            model_name='snooze',
            name='person',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddConstraint(
            model_name='campaigndocument',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('kind', 'report'), ('signature', None)), models.Q(('kind', 'receipt'), ('signature__isnull', False)), _connector='OR'), name='document_of_one_thing'),
        ),
        migrations.AddConstraint(
            model_name='campaigndocument',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('content__isnull', False), ('made_at__isnull', False), ('state', 'ready'), models.Q(('sha256', ''), _negated=True)), models.Q(models.Q(('state', 'ready'), _negated=True), ('content', None), ('made_at', None), ('sha256', '')), _connector='OR'), name='document_made_dated'),
        ),
        migrations.AddConstraint(
            model_name='campaigndocument',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'failed'), _negated=True), fields=('kind', 'campaign', 'signature', 'source_sha256'), name='one_document_per_content', nulls_distinct=False),
        ),
        migrations.AddIndex(
            model_name='delegation',
            index=models.Index(models.F('preparer'), condition=models.Q(('ended_at', None)), name='delegation_running'),
        ),
        migrations.AddConstraint(
            model_name='delegation',
            constraint=models.UniqueConstraint(condition=models.Q(('ended_at', None)), fields=('assignment', 'preparer'), name='one_delegation_per_preparer', violation_error_message='This person prepares it already.'),
        ),
        migrations.AddConstraint(
            model_name='delegation',
            constraint=models.CheckConstraint(condition=models.Q(('preparer', models.F('given_by')), _negated=True), name='delegation_to_another'),
        ),
        migrations.AddConstraint(
            model_name='delegation',
            constraint=models.CheckConstraint(condition=models.Q(('reason', ''), _negated=True), name='delegation_has_reason', violation_error_message='Say why.'),
        ),
        migrations.AddIndex(
            model_name='evidencefile',
            index=models.Index(models.F('scan'), condition=models.Q(('scan', 'pending')), name='evidence_to_scan'),
        ),
        migrations.AddIndex(
            model_name='evidencefile',
            index=models.Index(models.F('expires_on'), condition=models.Q(('removed_at', None)), name='evidence_expiring'),
        ),
        migrations.AddConstraint(
            model_name='evidencefile',
            constraint=models.CheckConstraint(condition=models.Q(('sha256__regex', '^[0-9a-f]{64}$')), name='evidence_hash_is_sha256'),
        ),
        migrations.AddConstraint(
            model_name='evidencefile',
            constraint=models.CheckConstraint(condition=models.Q(('size__gt', 0)), name='evidence_not_empty'),
        ),
        migrations.AddConstraint(
            model_name='evidencefile',
            constraint=models.CheckConstraint(condition=models.Q(('name', ''), _negated=True), name='evidence_has_name'),
        ),
        migrations.AddConstraint(
            model_name='evidencefile',
            constraint=models.CheckConstraint(condition=models.Q(('expires_on', None), ('expires_on__gte', models.F('effective_on')), _connector='OR'), name='evidence_expires_later'),
        ),
        migrations.AddConstraint(
            model_name='evidencefile',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('removed_at', None), ('removed_by', None)), models.Q(('removed_at__isnull', False), ('removed_by__isnull', False)), _connector='OR'), name='evidence_removal_dated'),
        ),
        migrations.AddConstraint(
            model_name='evidencefile',
            constraint=models.UniqueConstraint(condition=models.Q(('removed_at', None)), fields=('assignment', 'question', 'sha256'), name='one_file_once_per_answer', violation_error_message='This file is attached here already.'),
        ),
        migrations.AddConstraint(
            model_name='extension',
            constraint=models.UniqueConstraint(fields=('exception', 'number'), name='one_extension_of_each_number'),
        ),
        migrations.AddConstraint(
            model_name='extension',
            constraint=models.UniqueConstraint(condition=models.Q(('is_granted', None)), fields=('exception',), name='one_open_extension', violation_error_message='A later day was asked for already.'),
        ),
        migrations.AddConstraint(
            model_name='extension',
            constraint=models.CheckConstraint(condition=models.Q(('to_day__gt', models.F('from_day'))), name='extension_is_later'),
        ),
        migrations.AddConstraint(
            model_name='extension',
            constraint=models.CheckConstraint(condition=models.Q(('reason', ''), _negated=True), name='extension_has_reason', violation_error_message='Say why.'),
        ),
        migrations.AddConstraint(
            model_name='extension',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('approver', None), ('decided_at', None), ('is_granted', None)), models.Q(('approver__isnull', False), ('decided_at__isnull', False), ('is_granted__isnull', False), models.Q(('approver', models.F('owner')), _negated=True), models.Q(('approver', models.F('requested_by')), _negated=True)), _connector='OR'), name='extension_by_another', violation_error_message="Who asked can't grant it."),
        ),
        migrations.AddConstraint(
            model_name='campaigntemplate',
            constraint=models.CheckConstraint(condition=models.Q(('cadence__in', ['month', 'quarter', 'half_year', 'year', 'event'])), name='template_known_cadence'),
        ),
        migrations.AddConstraint(
            model_name='campaigntemplate',
            constraint=models.CheckConstraint(condition=models.Q(('sampling_percent__gte', 5), ('sampling_percent__lte', 100)), name='template_samples_enough', violation_error_message='Sample at least 5 percent.'),
        ),
        migrations.AddConstraint(
            model_name='campaigntemplate',
            constraint=models.CheckConstraint(condition=models.Q(('consequence__in', ['readiness', 'permission'])), name='template_known_consequence'),
        ),
        migrations.AddConstraint(
            model_name='campaigntemplate',
            constraint=models.CheckConstraint(condition=models.Q(('top_seats__len__gte', 1)), name='template_top_is_signed'),
        ),
        migrations.AddConstraint(
            model_name='campaigntemplate',
            constraint=models.CheckConstraint(condition=models.Q(('items_per_person__gte', 1)), name='template_items_per_person'),
        ),
        migrations.AddConstraint(
            model_name='questionsetversion',
            constraint=models.UniqueConstraint(fields=('question_set', 'number'), name='one_version_of_each_number'),
        ),
        migrations.AddConstraint(
            model_name='questionsetversion',
            constraint=models.UniqueConstraint(condition=models.Q(('published_at', None)), fields=('question_set',), name='one_draft_per_question_set', violation_error_message='There is a draft of these questions already.'),
        ),
        migrations.AddIndex(
            model_name='reassignment',
            index=models.Index(models.F('asked'), condition=models.Q(('state', 'open')), name='reassignment_open'),
        ),
        migrations.AddConstraint(
            model_name='reassignment',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'open')), fields=('assignment',), name='one_open_reassignment', violation_error_message='Somebody was asked to take it over already.'),
        ),
        migrations.AddConstraint(
            model_name='reassignment',
            constraint=models.CheckConstraint(condition=models.Q(('reason', ''), _negated=True), name='reassignment_has_reason', violation_error_message='Say why.'),
        ),
        migrations.AddConstraint(
            model_name='reassignment',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('answered_at', None), ('state', 'open')), models.Q(models.Q(('state', 'open'), _negated=True), ('answered_at__isnull', False)), _connector='OR'), name='reassignment_answer_dated'),
        ),
        migrations.AddConstraint(
            model_name='reassignment',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state__in', ['declined', 'returned']), _negated=True), models.Q(('answer', ''), _negated=True), _connector='OR'), name='reassignment_answer_has_reason', violation_error_message='Say why.'),
        ),
        migrations.AddConstraint(
            model_name='reassignment',
            constraint=models.CheckConstraint(condition=models.Q(('to_person', None), models.Q(('to_person', models.F('from_person')), _negated=True), _connector='OR'), name='reassignment_to_another'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='reassignment',
            trigger=pgtrigger.compiler.Trigger(name='reassignment_states', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE _is_valid_transition BOOLEAN;', func='SELECT CONCAT(OLD."state", \':\', NEW."state") = ANY(\'{open:accepted,open:declined,open:returned,open:withdrawn}\'::text[]) INTO _is_valid_transition; IF (_is_valid_transition IS FALSE AND OLD."state" IS DISTINCT FROM NEW."state") THEN RAISE EXCEPTION \'pgtrigger: Invalid transition of field "state" from "%" to "%" on table %\', OLD."state", NEW."state", TG_TABLE_NAME; ELSE RETURN NEW; END IF;', hash='3f7f5ea6be5d8b1a1f56a64ec21a706d06d0291a', operation='UPDATE', pgid='pgtrigger_reassignment_states_1fec7', table='attestations_reassignment', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='review',
            constraint=models.UniqueConstraint(fields=('signature', 'kind'), name='one_review_per_signature'),
        ),
        migrations.AddConstraint(
            model_name='review',
            constraint=models.CheckConstraint(condition=models.Q(('reviewer', models.F('signer')), _negated=True), name='review_by_another', violation_error_message="Who signed can't accept it. Somebody else has to look."),
        ),
        migrations.AddConstraint(
            model_name='review',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['acceptance', 'sample'])), name='review_known_kind'),
        ),
        migrations.AddConstraint(
            model_name='review',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('signed__isnull', False), ('verdict', 'accepted')), models.Q(('verdict', 'changes'), models.Q(('note', ''), _negated=True)), _connector='OR'), name='review_says_why', violation_error_message='Say what has to change.'),
        ),
        migrations.AddConstraint(
            model_name='rollupnode',
            constraint=models.UniqueConstraint(fields=('campaign', 'level', 'unit'), name='one_node_per_place', nulls_distinct=False),
        ),
        migrations.AddConstraint(
            model_name='rollupnode',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('level', 'unit'), ('unit__isnull', False)), models.Q(('level__in', ['ai_lead', 'ciso', 'top']), ('unit', None)), _connector='OR'), name='node_known_level'),
        ),
        migrations.AddConstraint(
            model_name='rollupnode',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('level', 'top'), ('parent', None)), models.Q(models.Q(('level', 'top'), _negated=True), ('parent__isnull', False)), _connector='OR'), name='node_below_another'),
        ),
        migrations.AddConstraint(
            model_name='rollupnode',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('ready_at', None), ('signed_at', None), ('state', 'not_ready')), models.Q(('ready_at__isnull', False), ('signed_at', None), ('state', 'ready')), models.Q(('ready_at__isnull', False), ('signed_at__isnull', False), ('state__in', ['signed_clean', 'signed_qualified', 'declined'])), _connector='OR'), name='node_dated'),
        ),
        migrations.AddConstraint(
            model_name='rollupnode',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'declined'), _negated=True), models.Q(('reason', ''), _negated=True), _connector='OR'), name='node_declined_for_a_reason', violation_error_message='Say why you decline.'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='rollupnode',
            trigger=pgtrigger.compiler.Trigger(name='node_states', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE _is_valid_transition BOOLEAN;', func='SELECT CONCAT(OLD."state", \':\', NEW."state") = ANY(\'{not_ready:ready,ready:not_ready,ready:signed_clean,ready:signed_qualified,ready:declined}\'::text[]) INTO _is_valid_transition; IF (_is_valid_transition IS FALSE AND OLD."state" IS DISTINCT FROM NEW."state") THEN RAISE EXCEPTION \'pgtrigger: Invalid transition of field "state" from "%" to "%" on table %\', OLD."state", NEW."state", TG_TABLE_NAME; ELSE RETURN NEW; END IF;', hash='3ef47149c2f6468f46461be345b0815333f8d2a2', operation='UPDATE', pgid='pgtrigger_node_states_2011a', table='attestations_rollupnode', when='BEFORE')),
        ),
        migrations.AddIndex(
            model_name='attestationexception',
            index=models.Index(models.F('campaign'), models.F('state'), name='exception_by_state'),
        ),
        migrations.AddIndex(
            model_name='attestationexception',
            index=models.Index(models.F('assignment'), name='exception_of_assignment'),
        ),
        migrations.AddConstraint(
            model_name='attestationexception',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('assignment__isnull', False), ('node', None), models.Q(('question', ''), _negated=True)), models.Q(('assignment', None), ('node__isnull', False), ('question', '')), _connector='OR'), name='exception_of_one_thing'),
        ),
        migrations.AddConstraint(
            model_name='attestationexception',
            constraint=models.CheckConstraint(condition=models.Q(('severity__in', ['critical', 'high', 'medium', 'low'])), name='exception_known_severity'),
        ),
        migrations.AddConstraint(
            model_name='attestationexception',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('description', ''), _negated=True), models.Q(('plan', ''), _negated=True)), name='exception_has_plan', violation_error_message='Say what is wrong and what is done about it.'),
        ),
        migrations.AddConstraint(
            model_name='attestationexception',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['requested', 'superseded']), models.Q(('approver__isnull', False), ('decided_at__isnull', False)), _connector='OR'), name='exception_decision_dated'),
        ),
        migrations.AddConstraint(
            model_name='attestationexception',
            constraint=models.CheckConstraint(condition=models.Q(('approver', None), models.Q(('approver', models.F('owner')), _negated=True), _connector='OR'), name='exception_approved_by_another', violation_error_message="Who carries the plan out can't approve it."),
        ),
        migrations.AddConstraint(
            model_name='attestationexception',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'refused'), _negated=True), models.Q(('decision_note', ''), _negated=True), _connector='OR'), name='exception_refused_for_a_reason', violation_error_message='Say why the plan is refused.'),
        ),
        migrations.AddConstraint(
            model_name='attestationexception',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('accepted_until__isnull', False), ('state', 'risk_accepted')), models.Q(models.Q(('state', 'risk_accepted'), _negated=True), ('accepted_until', None)), _connector='OR'), name='exception_acceptance_ends'),
        ),
        migrations.AddConstraint(
            model_name='attestationexception',
            constraint=models.UniqueConstraint(condition=models.Q(('node', None)), fields=('signature', 'question'), name='one_exception_per_answer'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='attestationexception',
            trigger=pgtrigger.compiler.Trigger(name='exception_states', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE _is_valid_transition BOOLEAN;', func='SELECT CONCAT(OLD."state", \':\', NEW."state") = ANY(\'{requested:approved,requested:refused,requested:risk_accepted,requested:superseded,refused:requested,refused:superseded,approved:verified,approved:risk_accepted,approved:superseded,risk_accepted:requested,risk_accepted:verified,verified:requested}\'::text[]) INTO _is_valid_transition; IF (_is_valid_transition IS FALSE AND OLD."state" IS DISTINCT FROM NEW."state") THEN RAISE EXCEPTION \'pgtrigger: Invalid transition of field "state" from "%" to "%" on table %\', OLD."state", NEW."state", TG_TABLE_NAME; ELSE RETURN NEW; END IF;', hash='09e912ad22cdfc7f88cce99b3119c0b93ed7dabd', operation='UPDATE', pgid='pgtrigger_exception_states_0a8fc', table='attestations_attestationexception', when='BEFORE')),
        ),
        migrations.AddIndex(
            model_name='scopesnapshot',
            index=models.Index(models.F('system'), models.F('campaign'), name='snapshot_of_system'),
        ),
        migrations.AddConstraint(
            model_name='scopesnapshot',
            constraint=models.UniqueConstraint(fields=('campaign', 'system', 'number'), name='one_snapshot_of_each_number'),
        ),
        migrations.AddConstraint(
            model_name='scopesnapshot',
            constraint=models.UniqueConstraint(fields=('id', 'campaign', 'system'), name='snapshot_of_campaign_and_system'),
        ),
        migrations.AddConstraint(
            model_name='scopesnapshot',
            constraint=models.CheckConstraint(condition=models.Q(('sha256__regex', '^[0-9a-f]{64}$')), name='snapshot_hash_is_sha256'),
        ),
        migrations.AddConstraint(
            model_name='scopesnapshot',
            constraint=models.CheckConstraint(condition=models.Q(('delta__in', ['new', 'changed', 'unchanged'])), name='snapshot_known_delta'),
        ),
        migrations.AddConstraint(
            model_name='retiredsystem',
            constraint=models.UniqueConstraint(fields=('campaign', 'system'), name='one_retirement_per_campaign'),
        ),
        migrations.AddConstraint(
            model_name='sectionview',
            constraint=models.UniqueConstraint(fields=('assignment', 'section', 'person'), name='one_view_per_section'),
        ),
        migrations.AddConstraint(
            model_name='snooze',
            constraint=models.UniqueConstraint(fields=('campaign', 'person'), name='one_snooze', violation_error_message='Reminders can be put off once in a campaign.'),
        ),
        migrations.AddConstraint(
            model_name='snooze',
            constraint=models.CheckConstraint(condition=models.Q(('until__gte', models.F('from_day')), ('until__lte', django.db.models.expressions.CombinedExpression(models.F('from_day'), '+', models.Value(3)))), name='snooze_three_days', violation_error_message='Reminders can be put off for 3 days at most.'),
        ),
    ]
