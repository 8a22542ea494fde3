"""Campaigns, assignments, frozen facts, answers, signatures."""

import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("registry", "0002_registry_rules"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Assignment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "owner_basis",
                    models.CharField(choices=[("accepted", "Accepted"), ("interim", "Interim")], max_length=8),
                ),
                ("tier", models.CharField(max_length=10)),
                ("due_on", models.DateField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("pending", "Not started"),
                            ("in_progress", "In progress"),
                            ("submitted", "Signed"),
                            ("not_attested", "Not attested"),
                        ],
                        default="pending",
                        max_length=12,
                    ),
                ),
                ("first_viewed_at", models.DateTimeField(blank=True, null=True)),
                ("submitted_at", models.DateTimeField(blank=True, null=True)),
                ("version", models.PositiveIntegerField(default=0)),
                (
                    "person",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="attestations",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "system",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="attestations",
                        to="registry.system",
                    ),
                ),
                (
                    "unit",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="registry.unit",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Signature",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("signer_name", models.CharField(max_length=200)),
                ("signer_title", models.CharField(blank=True, max_length=200)),
                ("signer_function", models.CharField(blank=True, max_length=400)),
                (
                    "signer_basis",
                    models.CharField(choices=[("accepted", "Accepted"), ("interim", "Interim")], max_length=8),
                ),
                ("assigned_name", models.CharField(max_length=200)),
                (
                    "meaning",
                    models.CharField(
                        choices=[
                            ("certify", "I certify the answers"),
                            ("acknowledge", "I acknowledge exceptions and what I do about them"),
                        ],
                        max_length=12,
                    ),
                ),
                ("statement", models.TextField()),
                ("exceptions", models.PositiveSmallIntegerField()),
                ("payload", models.TextField()),
                ("payload_sha256", models.CharField(max_length=64, unique=True)),
                ("prev_hash", models.CharField(max_length=64, unique=True)),
                ("auth_method", models.CharField(max_length=40)),
                ("auth_at", models.DateTimeField()),
                ("signed_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="ScopeSnapshot",
            fields=[
                (
                    "assignment",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="snapshot",
                        serialize=False,
                        to="attestations.assignment",
                    ),
                ),
                ("facts", models.TextField()),
                ("sha256", models.CharField(max_length=64)),
            ],
        ),
        migrations.CreateModel(
            name="Answer",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("question", models.CharField(max_length=40)),
                ("value", models.CharField(blank=True, max_length=20)),
                ("comment", models.TextField(blank=True)),
                ("plan", models.TextField(blank=True)),
                ("plan_date", models.CharField(blank=True, max_length=40)),
                ("saved_at", models.DateTimeField()),
                ("version", models.PositiveIntegerField()),
                (
                    "assignment",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="answers",
                        to="attestations.assignment",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Campaign",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("period", models.CharField(max_length=6, unique=True)),
                (
                    "state",
                    models.CharField(choices=[("open", "Open"), ("closed", "Closed")], default="open", max_length=6),
                ),
                ("opens_at", models.DateTimeField()),
                ("opened_at", models.DateTimeField()),
                ("opened_by", models.CharField(max_length=200)),
                ("due_critical_on", models.DateField()),
                ("due_high_on", models.DateField()),
                ("due_on", models.DateField()),
                ("closes_at", models.DateTimeField()),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
                ("scope_hash", models.CharField(blank=True, max_length=64)),
                ("question_set", models.JSONField()),
                ("reminded_on", models.DateField(blank=True, null=True)),
            ],
            options={
                "ordering": ["-period"],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("period__regex", "^\\d{4}Q[1-4]$")), name="campaign_known_period"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["open", "closed"])), name="campaign_known_state"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("closed_at", None), ("state", "open")),
                            models.Q(("closed_at__isnull", False), ("state", "closed")),
                            _connector="OR",
                        ),
                        name="campaign_closing_dated",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("due_critical_on__lte", models.F("due_high_on")),
                            ("due_high_on__lte", models.F("due_on")),
                            ("opened_at__lt", models.F("closes_at")),
                            ("opens_at__lt", models.F("closes_at")),
                        ),
                        name="campaign_dates_in_order",
                    ),
                ],
            },
        ),
        migrations.AddField(
            model_name="assignment",
            name="campaign",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="assignments",
                to="attestations.campaign",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="campaign",
            trigger=pgtrigger.compiler.Trigger(
                name="campaign_states",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    declare="DECLARE _is_valid_transition BOOLEAN;",
                    func='SELECT CONCAT(OLD."state", \':\', NEW."state") = ANY(\'{open:closed}\'::text[]) INTO _is_valid_transition; IF (_is_valid_transition IS FALSE AND OLD."state" IS DISTINCT FROM NEW."state") THEN RAISE EXCEPTION \'pgtrigger: Invalid transition of field "state" from "%" to "%" on table %\', OLD."state", NEW."state", TG_TABLE_NAME; ELSE RETURN NEW; END IF;',
                    hash="0bf4cddfcbfc6f5307616b5f1716c8dfda1828d2",
                    operation="UPDATE",
                    pgid="pgtrigger_campaign_states_3ef04",
                    table="attestations_campaign",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddField(
            model_name="signature",
            name="assignment",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.PROTECT, related_name="signature", to="attestations.assignment"
            ),
        ),
        migrations.AddField(
            model_name="signature",
            name="signer",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="signatures", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddConstraint(
            model_name="scopesnapshot",
            constraint=models.CheckConstraint(
                condition=models.Q(("sha256__regex", "^[0-9a-f]{64}$")), name="snapshot_hash_is_sha256"
            ),
        ),
        migrations.AddConstraint(
            model_name="answer",
            constraint=models.UniqueConstraint(fields=("assignment", "question"), name="one_answer_per_question"),
        ),
        migrations.AddConstraint(
            model_name="answer",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("value__in", ["", "yes", "yes_with_exception", "no", "not_applicable", "cannot_attest"])
                ),
                name="answer_known_value",
            ),
        ),
        migrations.AddIndex(
            model_name="assignment",
            index=models.Index(
                models.F("campaign"),
                models.F("state"),
                models.F("due_on"),
                models.F("tier"),
                models.F("unit"),
                models.F("owner_basis"),
                name="assignment_progress",
            ),
        ),
        migrations.AddIndex(
            model_name="assignment",
            index=models.Index(models.F("system"), models.F("campaign"), name="assignment_of_system"),
        ),
        migrations.AddIndex(
            model_name="assignment",
            index=models.Index(
                models.F("campaign"),
                models.F("due_on"),
                models.F("id"),
                condition=models.Q(("state__in", ["pending", "in_progress"])),
                name="assignment_open",
            ),
        ),
        migrations.AddConstraint(
            model_name="assignment",
            constraint=models.UniqueConstraint(fields=("campaign", "system"), name="one_assignment_per_system"),
        ),
        migrations.AddConstraint(
            model_name="assignment",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["pending", "in_progress", "submitted", "not_attested"])),
                name="assignment_known_state",
            ),
        ),
        migrations.AddConstraint(
            model_name="assignment",
            constraint=models.CheckConstraint(
                condition=models.Q(("owner_basis__in", ["accepted", "interim"])), name="assignment_known_basis"
            ),
        ),
        migrations.AddConstraint(
            model_name="assignment",
            constraint=models.CheckConstraint(
                condition=models.Q(("tier__in", ["critical", "high", "medium", "low", "unknown"])),
                name="assignment_known_tier",
            ),
        ),
        migrations.AddConstraint(
            model_name="assignment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "submitted"), ("submitted_at__isnull", False)),
                    models.Q(models.Q(("state", "submitted"), _negated=True), ("submitted_at", None)),
                    _connector="OR",
                ),
                name="assignment_submission_dated",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="assignment",
            trigger=pgtrigger.compiler.Trigger(
                name="assignment_states",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    declare="DECLARE _is_valid_transition BOOLEAN;",
                    func='SELECT CONCAT(OLD."state", \':\', NEW."state") = ANY(\'{pending:in_progress,in_progress:submitted,pending:not_attested,in_progress:not_attested}\'::text[]) INTO _is_valid_transition; IF (_is_valid_transition IS FALSE AND OLD."state" IS DISTINCT FROM NEW."state") THEN RAISE EXCEPTION \'pgtrigger: Invalid transition of field "state" from "%" to "%" on table %\', OLD."state", NEW."state", TG_TABLE_NAME; ELSE RETURN NEW; END IF;',
                    hash="6c44dc992d567b39f4bc37f368e717847cdb7621",
                    operation="UPDATE",
                    pgid="pgtrigger_assignment_states_90410",
                    table="attestations_assignment",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="signature",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("exceptions", 0), ("meaning", "certify")),
                    models.Q(("exceptions__gt", 0), ("meaning", "acknowledge")),
                    _connector="OR",
                ),
                name="signature_clean_without_exceptions",
            ),
        ),
        migrations.AddConstraint(
            model_name="signature",
            constraint=models.CheckConstraint(
                condition=models.Q(("signer_basis__in", ["accepted", "interim"])), name="signature_known_basis"
            ),
        ),
        migrations.AddConstraint(
            model_name="signature",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("signer_name", ""), _negated=True),
                    models.Q(("statement", ""), _negated=True),
                    models.Q(("auth_method", ""), _negated=True),
                ),
                name="signature_complete",
            ),
        ),
        migrations.AddConstraint(
            model_name="signature",
            constraint=models.CheckConstraint(
                condition=models.Q(("auth_at__lte", models.F("signed_at"))), name="signature_after_auth"
            ),
        ),
    ]
