"""The charter of the mandate: versions in force are frozen, signatures too."""


import django.contrib.postgres.fields
import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models

FROZEN = """
CREATE FUNCTION registry_charter_is_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state <> 'draft' AND (NEW.number, NEW.holder_id, NEW.authority, NEW.enforcement_points, NEW.text,
        NEW.text_sha256, NEW.created_by_id, NEW.created_at, NEW.in_force_from)
        IS DISTINCT FROM (OLD.number, OLD.holder_id, OLD.authority, OLD.enforcement_points, OLD.text,
        OLD.text_sha256, OLD.created_by_id, OLD.created_at, OLD.in_force_from) THEN
        RAISE EXCEPTION 'A charter that was put in force is not changed. Make the next version.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER charter_is_frozen BEFORE UPDATE ON registry_charter
    FOR EACH ROW EXECUTE FUNCTION registry_charter_is_frozen();
ALTER TABLE registry_charter ENABLE ALWAYS TRIGGER charter_is_frozen;
CREATE TRIGGER charter_never_deleted BEFORE DELETE ON registry_charter FOR EACH ROW
    EXECUTE FUNCTION refuse_change('A version of the charter is never deleted. Discard the draft instead.');
ALTER TABLE registry_charter ENABLE ALWAYS TRIGGER charter_never_deleted;
CREATE TRIGGER charter_never_truncated BEFORE TRUNCATE ON registry_charter FOR EACH STATEMENT
    EXECUTE FUNCTION refuse_change('Versions of the charter are never deleted.');
ALTER TABLE registry_charter ENABLE ALWAYS TRIGGER charter_never_truncated;
CREATE FUNCTION registry_charter_domain_of_draft() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM registry_charter c WHERE c.state <> 'draft'
               AND c.id IN (COALESCE(NEW.charter_id, OLD.charter_id), COALESCE(OLD.charter_id, NEW.charter_id))) THEN
        RAISE EXCEPTION 'A charter that was put in force is not changed. Make the next version.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN COALESCE(NEW, OLD);
END $$;
CREATE TRIGGER charter_domain_of_draft BEFORE INSERT OR UPDATE OR DELETE ON registry_charterdomain
    FOR EACH ROW EXECUTE FUNCTION registry_charter_domain_of_draft();
ALTER TABLE registry_charterdomain ENABLE ALWAYS TRIGGER charter_domain_of_draft;
CREATE TRIGGER charter_domain_never_truncated BEFORE TRUNCATE ON registry_charterdomain FOR EACH STATEMENT
    EXECUTE FUNCTION refuse_change('Versions of the charter are never deleted.');
ALTER TABLE registry_charterdomain ENABLE ALWAYS TRIGGER charter_domain_never_truncated;
"""

SIGNED = """
CREATE FUNCTION registry_charter_signature() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NOT EXISTS (SELECT FROM registry_charter c WHERE c.id = NEW.charter_id AND c.state = 'in_force') THEN
            RAISE EXCEPTION 'Only the charter in force is signed.' USING ERRCODE = 'check_violation';
        END IF;
        IF NOT EXISTS (SELECT FROM people_seat s WHERE s.function_id = NEW.function_id AND s.holder_id = NEW.signer_id)
        THEN
            RAISE EXCEPTION 'Only who holds a seat signs for it.' USING ERRCODE = 'check_violation';
        END IF;
    ELSIF OLD.withdrawn_at IS NOT NULL OR NEW.withdrawn_at IS NULL
        OR (NEW.id, NEW.charter_id, NEW.function_id, NEW.signer_id, NEW.signer_name, NEW.signer_title, NEW.meaning,
            NEW.payload, NEW.payload_sha256, NEW.auth_method, NEW.auth_at, NEW.signed_at)
        IS DISTINCT FROM (OLD.id, OLD.charter_id, OLD.function_id, OLD.signer_id, OLD.signer_name, OLD.signer_title,
            OLD.meaning, OLD.payload, OLD.payload_sha256, OLD.auth_method, OLD.auth_at, OLD.signed_at) THEN
        RAISE EXCEPTION 'A signature is not changed. It can be withdrawn once.' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER charter_signature_rules BEFORE INSERT OR UPDATE ON registry_chartersignature
    FOR EACH ROW EXECUTE FUNCTION registry_charter_signature();
ALTER TABLE registry_chartersignature ENABLE ALWAYS TRIGGER charter_signature_rules;
CREATE TRIGGER charter_signature_never_deleted BEFORE DELETE ON registry_chartersignature FOR EACH ROW
    EXECUTE FUNCTION refuse_change('A signature is never deleted. Withdraw it instead.');
ALTER TABLE registry_chartersignature ENABLE ALWAYS TRIGGER charter_signature_never_deleted;
CREATE TRIGGER charter_signature_never_truncated BEFORE TRUNCATE ON registry_chartersignature FOR EACH STATEMENT
    EXECUTE FUNCTION refuse_change('Signatures are never deleted.');
ALTER TABLE registry_chartersignature ENABLE ALWAYS TRIGGER charter_signature_never_truncated;
"""

HELD = """
CREATE FUNCTION registry_charter_holds_mandate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM registry_charter c JOIN registry_mandate m ON m.holder_id <> c.holder_id
               WHERE c.state = 'in_force') THEN
        RAISE EXCEPTION 'The charter in force names another function than the one that holds the mandate.'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER charter_names_mandate AFTER INSERT OR UPDATE ON registry_charter
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION registry_charter_holds_mandate();
CREATE CONSTRAINT TRIGGER mandate_in_charter AFTER INSERT OR UPDATE ON registry_mandate
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION registry_charter_holds_mandate();
ALTER TABLE registry_charter ENABLE ALWAYS TRIGGER charter_names_mandate;
ALTER TABLE registry_mandate ENABLE ALWAYS TRIGGER mandate_in_charter;
"""

UNDO = """
DROP FUNCTION registry_charter_holds_mandate() CASCADE;
DROP TRIGGER charter_signature_never_truncated ON registry_chartersignature;
DROP TRIGGER charter_signature_never_deleted ON registry_chartersignature;
DROP FUNCTION registry_charter_signature() CASCADE;
DROP TRIGGER charter_domain_never_truncated ON registry_charterdomain;
DROP FUNCTION registry_charter_domain_of_draft() CASCADE;
DROP TRIGGER charter_never_truncated ON registry_charter;
DROP TRIGGER charter_never_deleted ON registry_charter;
DROP FUNCTION registry_charter_is_frozen() CASCADE;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('people', '0006_role_grant_source'),
        ('registry', '0006_handover'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Charter',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField(unique=True)),
                ('state', models.CharField(choices=[('draft', 'Draft'), ('in_force', 'In force'), ('superseded', 'Superseded'), ('discarded', 'Discarded')], default='draft', max_length=10)),
                ('authority', models.TextField(blank=True, max_length=4000, verbose_name='authority')),
                ('enforcement_points', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=200), blank=True, default=list, size=None)),
                ('created_at', models.DateTimeField()),
                ('in_force_from', models.DateTimeField(blank=True, null=True)),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('text', models.TextField(blank=True)),
                ('text_sha256', models.CharField(blank=True, max_length=64)),
                ('created_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('holder', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='charters', to='people.function')),
            ],
            options={
                'ordering': ['-number'],
            },
        ),
        migrations.CreateModel(
            name='CharterDomain',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('may_enforce', models.BooleanField()),
                ('charter', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='covered', to='registry.charter')),
                ('domain', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='registry.governancedomain')),
            ],
            options={
                'ordering': ['domain__position'],
            },
        ),
        migrations.CreateModel(
            name='CharterSignature',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('signer_name', models.CharField(max_length=200)),
                ('signer_title', models.CharField(blank=True, max_length=200)),
                ('meaning', models.CharField(max_length=600)),
                ('payload', models.TextField()),
                ('payload_sha256', models.CharField(max_length=64, unique=True)),
                ('auth_method', models.CharField(max_length=40)),
                ('auth_at', models.DateTimeField()),
                ('signed_at', models.DateTimeField()),
                ('withdrawn_at', models.DateTimeField(blank=True, null=True)),
                ('withdrawn_reason', models.CharField(blank=True, max_length=600)),
                ('charter', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='signatures', to='registry.charter')),
                ('function', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='people.function')),
                ('signer', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='charter_signatures', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['signed_at'],
            },
        ),
        migrations.AddConstraint(
            model_name='charter',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'in_force')), fields=('state',), name='one_charter_in_force'),
        ),
        migrations.AddConstraint(
            model_name='charter',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'draft')), fields=('state',), name='one_charter_draft', violation_error_message='There is a draft of the charter already.'),
        ),
        migrations.AddConstraint(
            model_name='charter',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['draft', 'in_force', 'superseded', 'discarded'])), name='charter_known_state'),
        ),
        migrations.AddConstraint(
            model_name='charter',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('in_force_from', None), ('state__in', ['draft', 'discarded'])), models.Q(('in_force_from__isnull', False), ('state__in', ['in_force', 'superseded'])), _connector='OR'), name='charter_force_dated'),
        ),
        migrations.AddConstraint(
            model_name='charter',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('ended_at', None), ('state__in', ['draft', 'in_force'])), models.Q(('ended_at__isnull', False), ('state__in', ['superseded', 'discarded'])), _connector='OR'), name='charter_end_dated'),
        ),
        migrations.AddConstraint(
            model_name='charter',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['draft', 'discarded']), models.Q(models.Q(('text', ''), _negated=True), models.Q(('authority', ''), _negated=True)), _connector='OR'), name='charter_in_force_says_something', violation_error_message='Say what the holder may decide before the charter comes into force.'),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name='charter',
            trigger=pgtrigger.compiler.Trigger(name='charter_states', sql=pgtrigger.compiler.UpsertTriggerSql(declare='DECLARE _is_valid_transition BOOLEAN;', func='SELECT CONCAT(OLD."state", \':\', NEW."state") = ANY(\'{draft:in_force,draft:discarded,in_force:superseded}\'::text[]) INTO _is_valid_transition; IF (_is_valid_transition IS FALSE AND OLD."state" IS DISTINCT FROM NEW."state") THEN RAISE EXCEPTION \'pgtrigger: Invalid transition of field "state" from "%" to "%" on table %\', OLD."state", NEW."state", TG_TABLE_NAME; ELSE RETURN NEW; END IF;', hash='4e0746ef92c4e507cfb6c50e2219eaeae69bb40a', operation='UPDATE', pgid='pgtrigger_charter_states_66bad', table='registry_charter', when='BEFORE')),
        ),
        migrations.AddConstraint(
            model_name='charterdomain',
            constraint=models.UniqueConstraint(fields=('charter', 'domain'), name='charter_domain_once'),
        ),
        migrations.AddConstraint(
            model_name='chartersignature',
            constraint=models.UniqueConstraint(condition=models.Q(('withdrawn_at', None)), fields=('charter', 'function'), name='charter_signed_once', violation_error_message='This seat has signed the charter already.'),
        ),
        migrations.AddConstraint(
            model_name='chartersignature',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('withdrawn_at', None), ('withdrawn_reason', '')), models.Q(('withdrawn_at__isnull', False), models.Q(('withdrawn_reason', ''), _negated=True)), _connector='OR'), name='charter_withdrawal_has_reason', violation_error_message='Say why you withdraw your signature.'),
        ),
        migrations.RunSQL([FROZEN, SIGNED, HELD], UNDO),
    ]
