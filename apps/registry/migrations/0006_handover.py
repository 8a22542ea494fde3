"""Hand-overs with two signatures, authority that ends with its term, and facts that name somebody."""

import uuid

import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models

# Both people are active while it runs: foreign keys, so that no deactivation in another transaction slips through.
# Checked at the end, because whoever leaves is deactivated and their hand-overs end in one transaction.
HANDOVER = """
ALTER TABLE registry_handover
    ADD CONSTRAINT handover_outgoing_active FOREIGN KEY (outgoing_id, people_must_be_active)
        REFERENCES people_person (id, is_active) DEFERRABLE INITIALLY DEFERRED,
    ADD CONSTRAINT handover_incoming_active FOREIGN KEY (incoming_id, people_must_be_active)
        REFERENCES people_person (id, is_active) DEFERRABLE INITIALLY DEFERRED,
    ADD CONSTRAINT handover_hash_is_of_pack
        CHECK (pack_sha256 = CASE WHEN pack = '' THEN '' ELSE encode(sha256(convert_to(pack, 'UTF8')), 'hex') END);
CREATE FUNCTION registry_handover_begins() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state <> 'open' THEN
        RAISE EXCEPTION 'A hand-over begins open.' USING ERRCODE = 'check_violation';
    END IF;
    IF NOT EXISTS (SELECT FROM registry_system s WHERE s.id = NEW.system_id AND s.owner_id = NEW.outgoing_id
                   AND s.owner_basis = 'accepted') THEN
        RAISE EXCEPTION 'A hand-over goes out from the owner who accepted.' USING ERRCODE = 'check_violation';
    END IF;
    IF NOT EXISTS (SELECT FROM registry_nomination n WHERE n.id = NEW.nomination_id AND n.system_id = NEW.system_id
                   AND n.nominee_id = NEW.incoming_id AND n.state = 'accepted') THEN
        RAISE EXCEPTION 'A hand-over goes to a nominee who said yes.' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER handover_begins BEFORE INSERT ON registry_handover
    FOR EACH ROW EXECUTE FUNCTION registry_handover_begins();
ALTER TABLE registry_handover ENABLE ALWAYS TRIGGER handover_begins;
CREATE FUNCTION registry_handover_moves() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.system_id, NEW.nomination_id, NEW.outgoing_id, NEW.incoming_id, NEW.opened_at, NEW.due_on)
       IS DISTINCT FROM
       (OLD.id, OLD.system_id, OLD.nomination_id, OLD.outgoing_id, OLD.incoming_id, OLD.opened_at, OLD.due_on) THEN
        RAISE EXCEPTION 'A hand-over keeps its system, its people and its dates.' USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.state IN ('complete', 'cancelled', 'left') THEN
        RAISE EXCEPTION 'A hand-over that ended does not change.' USING ERRCODE = 'restrict_violation';
    END IF;
    IF (NEW.pack, NEW.judgement, NEW.vendor_contacts) IS DISTINCT FROM (OLD.pack, OLD.judgement, OLD.vendor_contacts)
       AND EXISTS (SELECT FROM registry_handoversignature g WHERE g.handover_id = NEW.id) THEN
        RAISE EXCEPTION 'What was signed does not change.' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.state IN ('signed', 'complete') AND NOT EXISTS (
        SELECT FROM registry_handoversignature g WHERE g.handover_id = NEW.id AND g.side = 'outgoing') THEN
        RAISE EXCEPTION 'A hand-over is signed by the outgoing owner first.' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.state = 'complete' AND NOT EXISTS (
        SELECT FROM registry_handoversignature g WHERE g.handover_id = NEW.id AND g.side = 'incoming') THEN
        RAISE EXCEPTION 'A hand-over is complete with both signatures only.' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER handover_moves BEFORE UPDATE ON registry_handover
    FOR EACH ROW EXECUTE FUNCTION registry_handover_moves();
ALTER TABLE registry_handover ENABLE ALWAYS TRIGGER handover_moves;
ALTER TABLE registry_handover ENABLE ALWAYS TRIGGER pgtrigger_handover_states_915c8;
CREATE FUNCTION registry_handover_changes_hands() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state = 'complete' AND NOT EXISTS (
        SELECT FROM registry_ownershipterm t WHERE t.system_id = NEW.system_id AND t.person_id = NEW.incoming_id
        AND t.basis = 'accepted' AND lower(t.period) >= NEW.opened_at) THEN
        RAISE EXCEPTION 'With both signatures the successor answers: in the same transaction.'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER handover_changes_hands AFTER UPDATE OF state ON registry_handover
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION registry_handover_changes_hands();
ALTER TABLE registry_handover ENABLE ALWAYS TRIGGER handover_changes_hands;
CREATE TRIGGER handover_never_deleted BEFORE DELETE ON registry_handover FOR EACH ROW
    EXECUTE FUNCTION refuse_change('A hand-over is history: it is never deleted.');
ALTER TABLE registry_handover ENABLE ALWAYS TRIGGER handover_never_deleted;
CREATE TRIGGER handover_never_truncated BEFORE TRUNCATE ON registry_handover FOR EACH STATEMENT
    EXECUTE FUNCTION refuse_change('Hand-overs are history: they are never deleted.');
ALTER TABLE registry_handover ENABLE ALWAYS TRIGGER handover_never_truncated;
"""

# Nothing changes hands from one owner who accepted to another without both signatures, whoever writes it. Who was
# deactivated can't sign: then an interim owner stands in between, or nobody uses the system.
TERMS = """
CREATE FUNCTION registry_term_by_handover() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before record;
BEGIN
    IF EXISTS (SELECT FROM registry_handover h JOIN registry_system s ON s.id = h.system_id
               WHERE h.system_id = NEW.system_id AND h.state IN ('open', 'signed') AND s.owner_id <> h.outgoing_id) THEN
        RAISE EXCEPTION 'A hand-over runs: until both have signed, nothing changes hands.'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.basis <> 'accepted' THEN
        RETURN NULL;
    END IF;
    SELECT t.person_id, t.basis INTO before FROM registry_ownershipterm t
    WHERE t.system_id = NEW.system_id AND t.id <> NEW.id AND upper(t.period) <= lower(NEW.period)
    ORDER BY t.period DESC LIMIT 1;
    IF before.basis = 'accepted' AND before.person_id <> NEW.person_id
       AND EXISTS (SELECT FROM people_person p WHERE p.id = before.person_id AND p.is_active) AND NOT EXISTS (
        SELECT FROM registry_handover h WHERE h.system_id = NEW.system_id AND h.state = 'complete'
        AND h.outgoing_id = before.person_id AND h.incoming_id = NEW.person_id) THEN
        RAISE EXCEPTION 'From one owner who accepted to another a system goes by a hand-over that both signed.'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER term_by_handover AFTER INSERT ON registry_ownershipterm
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION registry_term_by_handover();
ALTER TABLE registry_ownershipterm ENABLE ALWAYS TRIGGER term_by_handover;
"""

SIGNATURE = """
ALTER TABLE registry_handoversignature ADD CONSTRAINT handover_signature_hash
    CHECK (payload_sha256 = encode(sha256(convert_to(payload, 'UTF8')), 'hex'));
CREATE FUNCTION registry_handover_signed_by() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    found record;
BEGIN
    SELECT h.state, h.pack, h.outgoing_id, h.incoming_id INTO found FROM registry_handover h
    WHERE h.id = NEW.handover_id FOR SHARE;
    IF NEW.signer_id <> (CASE NEW.side WHEN 'outgoing' THEN found.outgoing_id ELSE found.incoming_id END) THEN
        RAISE EXCEPTION 'Each side signs for itself.' USING ERRCODE = 'check_violation';
    END IF;
    IF found.pack = '' OR found.state <> (CASE NEW.side WHEN 'outgoing' THEN 'open' ELSE 'signed' END) THEN
        RAISE EXCEPTION 'The outgoing owner signs the frozen pack first, then the successor.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER handover_signed_by BEFORE INSERT ON registry_handoversignature
    FOR EACH ROW EXECUTE FUNCTION registry_handover_signed_by();
ALTER TABLE registry_handoversignature ENABLE ALWAYS TRIGGER handover_signed_by;
CREATE FUNCTION registry_handover_signature_counts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM registry_handover h WHERE h.id = NEW.handover_id
               AND h.state = CASE NEW.side WHEN 'outgoing' THEN 'open' ELSE 'signed' END) THEN
        RAISE EXCEPTION 'A signature moves the hand-over on in the same transaction.'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER handover_signature_counts AFTER INSERT ON registry_handoversignature
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION registry_handover_signature_counts();
ALTER TABLE registry_handoversignature ENABLE ALWAYS TRIGGER handover_signature_counts;
CREATE TRIGGER handover_signature_append_only BEFORE UPDATE OR DELETE ON registry_handoversignature FOR EACH ROW
    EXECUTE FUNCTION refuse_change('A signature is for ever: it is not changed or removed.');
ALTER TABLE registry_handoversignature ENABLE ALWAYS TRIGGER handover_signature_append_only;
CREATE TRIGGER handover_signature_never_truncated BEFORE TRUNCATE ON registry_handoversignature FOR EACH STATEMENT
    EXECUTE FUNCTION refuse_change('Signatures are for ever: they are never removed.');
ALTER TABLE registry_handoversignature ENABLE ALWAYS TRIGGER handover_signature_never_truncated;
REVOKE UPDATE, DELETE, TRUNCATE ON registry_handoversignature FROM govportal_app;
"""

# The shared locks: a term that is being closed, or a person who is being deactivated, is waited for and then seen.
AUTHORITY = """
CREATE FUNCTION registry_authority_granted() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    runs boolean;
    may_grant boolean;
BEGIN
    SELECT upper_inf(t.period) INTO runs FROM registry_ownershipterm t WHERE t.id = NEW.term_id FOR SHARE;
    IF runs IS NOT TRUE OR NEW.ended_at IS NOT NULL THEN
        RAISE EXCEPTION 'Authority is granted to the person who answers today.' USING ERRCODE = 'check_violation';
    END IF;
    SELECT p.is_active AND p.kind = 'human' INTO may_grant FROM people_person p
    WHERE p.id = NEW.granted_by_id FOR SHARE;
    IF may_grant IS NOT TRUE THEN
        RAISE EXCEPTION 'Authority is granted by an active person.' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER authority_granted BEFORE INSERT ON registry_authority
    FOR EACH ROW EXECUTE FUNCTION registry_authority_granted();
ALTER TABLE registry_authority ENABLE ALWAYS TRIGGER authority_granted;
CREATE FUNCTION registry_authority_only_ends() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.ended_at IS NOT NULL OR NEW.ended_at IS NULL
       OR (NEW.id, NEW.term_id, NEW.may_stop, NEW.may_revoke, NEW.spend_cap, NEW.currency, NEW.granted_by_id,
           NEW.granted_at, NEW.note)
          IS DISTINCT FROM
          (OLD.id, OLD.term_id, OLD.may_stop, OLD.may_revoke, OLD.spend_cap, OLD.currency, OLD.granted_by_id,
           OLD.granted_at, OLD.note) THEN
        RAISE EXCEPTION 'Authority is history: it ends once and does not change. Grant another.'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER authority_only_ends BEFORE UPDATE ON registry_authority
    FOR EACH ROW EXECUTE FUNCTION registry_authority_only_ends();
ALTER TABLE registry_authority ENABLE ALWAYS TRIGGER authority_only_ends;
CREATE FUNCTION registry_authority_ends_with_term() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE registry_authority SET ended_at = greatest(upper(NEW.period), granted_at)
    WHERE term_id = NEW.id AND ended_at IS NULL;
    RETURN NULL;
END $$;
CREATE TRIGGER authority_ends_with_term AFTER UPDATE OF period ON registry_ownershipterm FOR EACH ROW
    WHEN (upper_inf(OLD.period) AND NOT upper_inf(NEW.period)) EXECUTE FUNCTION registry_authority_ends_with_term();
ALTER TABLE registry_ownershipterm ENABLE ALWAYS TRIGGER authority_ends_with_term;
CREATE TRIGGER authority_never_deleted BEFORE DELETE ON registry_authority FOR EACH ROW
    EXECUTE FUNCTION refuse_change('Authority is history: it is never deleted.');
ALTER TABLE registry_authority ENABLE ALWAYS TRIGGER authority_never_deleted;
CREATE TRIGGER authority_never_truncated BEFORE TRUNCATE ON registry_authority FOR EACH STATEMENT
    EXECUTE FUNCTION refuse_change('Authority is history: it is never deleted.');
ALTER TABLE registry_authority ENABLE ALWAYS TRIGGER authority_never_truncated;
CREATE TRIGGER offer_append_only BEFORE UPDATE OR DELETE ON registry_authorityoffer FOR EACH ROW
    EXECUTE FUNCTION refuse_change('What was offered with a nomination does not change.');
ALTER TABLE registry_authorityoffer ENABLE ALWAYS TRIGGER offer_append_only;
"""

UNDO = """
DROP TRIGGER term_by_handover ON registry_ownershipterm;
DROP TRIGGER authority_ends_with_term ON registry_ownershipterm;
DROP FUNCTION registry_handover_begins(), registry_handover_moves(), registry_handover_changes_hands(),
    registry_term_by_handover(), registry_handover_signed_by(), registry_handover_signature_counts(),
    registry_authority_granted(), registry_authority_only_ends(), registry_authority_ends_with_term() CASCADE;
ALTER TABLE registry_handover DROP CONSTRAINT handover_outgoing_active, DROP CONSTRAINT handover_incoming_active;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("registry", "0005_covering_indexes"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Handover",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                (
                    "people_must_be_active",
                    models.GeneratedField(
                        db_persist=True,
                        expression=models.Case(
                            models.When(models.Q(("state__in", ("open", "signed"))), then=models.Value(True))
                        ),
                        output_field=models.BooleanField(null=True),
                    ),
                ),
                ("opened_at", models.DateTimeField()),
                ("due_on", models.DateField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("open", "Waiting for the outgoing owner"),
                            ("signed", "Waiting for the successor"),
                            ("complete", "Complete"),
                            ("cancelled", "Cancelled"),
                            ("left", "The outgoing owner left"),
                        ],
                        default="open",
                        max_length=9,
                    ),
                ),
                ("vendor_contacts", models.TextField(blank=True, max_length=4000)),
                ("judgement", models.TextField(blank=True, max_length=10000)),
                ("pack", models.TextField(blank=True)),
                ("pack_sha256", models.CharField(blank=True, max_length=64)),
                ("escalated_at", models.DateTimeField(blank=True, null=True)),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                ("end_reason", models.CharField(blank=True, max_length=600)),
                (
                    "ended_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "incoming",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="takes_over",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "nomination",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="handover", to="registry.nomination"
                    ),
                ),
                (
                    "outgoing",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="hands_over",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "system",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="handovers", to="registry.system"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="HandoverSignature",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "side",
                    models.CharField(choices=[("outgoing", "Outgoing owner"), ("incoming", "Successor")], max_length=8),
                ),
                ("signer_name", models.CharField(max_length=200)),
                ("signer_title", models.CharField(blank=True, max_length=200)),
                ("statement", models.TextField()),
                ("payload", models.TextField()),
                ("payload_sha256", models.CharField(max_length=64)),
                ("auth_method", models.CharField(max_length=60)),
                ("auth_at", models.DateTimeField()),
                ("signed_at", models.DateTimeField()),
                (
                    "handover",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="signatures", to="registry.handover"
                    ),
                ),
                (
                    "signer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "ordering": ("signed_at", "pk"),
            },
        ),
        migrations.CreateModel(
            name="OwnershipFact",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("code_owner", "Code owner"),
                            ("backstage_owner", "Backstage owner"),
                            ("deployer", "Deployer of the identity"),
                        ],
                        max_length=15,
                    ),
                ),
                ("value", models.CharField(max_length=1000)),
                ("source", models.CharField(max_length=300)),
                ("seen_at", models.DateTimeField()),
                ("recorded_at", models.DateTimeField()),
                (
                    "reading",
                    models.CharField(
                        choices=[
                            ("person", "One person"),
                            ("several", "Several"),
                            ("team", "A team"),
                            ("mailbox", "A mailbox"),
                            ("service", "A service account"),
                            ("unknown", "Nobody known here"),
                        ],
                        max_length=8,
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "system",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="ownership_facts",
                        to="registry.system",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Authority",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("may_stop", models.BooleanField(default=False, verbose_name="stop the system")),
                ("may_revoke", models.BooleanField(default=False, verbose_name="revoke its permissions")),
                ("spend_cap", models.DecimalField(blank=True, decimal_places=2, max_digits=14, null=True)),
                ("currency", models.CharField(blank=True, max_length=3)),
                ("granted_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                ("note", models.CharField(blank=True, max_length=600)),
                (
                    "granted_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "term",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="authorities",
                        to="registry.ownershipterm",
                    ),
                ),
            ],
            options={
                "ordering": ("-granted_at", "-pk"),
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("ended_at", None)),
                        fields=("term",),
                        name="one_authority_in_force",
                        violation_error_message="This authority was changed at the same moment. Look again.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("currency", ""), ("spend_cap", None)),
                            models.Q(
                                ("currency__regex", "^[A-Z]{3}$"), ("spend_cap__gte", 0), ("spend_cap__isnull", False)
                            ),
                            _connector="OR",
                        ),
                        name="authority_spend_is_whole",
                        violation_error_message="Give an amount of zero or more and its currency, or neither.",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="AuthorityOffer",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("may_stop", models.BooleanField(default=False, verbose_name="stop the system")),
                ("may_revoke", models.BooleanField(default=False, verbose_name="revoke its permissions")),
                ("spend_cap", models.DecimalField(blank=True, decimal_places=2, max_digits=14, null=True)),
                ("currency", models.CharField(blank=True, max_length=3)),
                ("offered_at", models.DateTimeField()),
                (
                    "nomination",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="offer", to="registry.nomination"
                    ),
                ),
                (
                    "offered_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("currency", ""), ("spend_cap", None)),
                            models.Q(
                                ("currency__regex", "^[A-Z]{3}$"), ("spend_cap__gte", 0), ("spend_cap__isnull", False)
                            ),
                            _connector="OR",
                        ),
                        name="offer_spend_is_whole",
                        violation_error_message="Give an amount of zero or more and its currency, or neither.",
                    )
                ],
            },
        ),
        migrations.AddIndex(
            model_name="handover",
            index=models.Index(
                models.F("outgoing"), condition=models.Q(("state__in", ("open", "signed"))), name="handover_from"
            ),
        ),
        migrations.AddIndex(
            model_name="handover",
            index=models.Index(
                models.F("incoming"), condition=models.Q(("state__in", ("open", "signed"))), name="handover_to"
            ),
        ),
        migrations.AddIndex(
            model_name="handover",
            index=models.Index(models.F("system"), models.F("outgoing"), models.F("incoming"), name="handover_of"),
        ),
        migrations.AddConstraint(
            model_name="handover",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state__in", ("open", "signed"))),
                fields=("system",),
                name="one_running_handover",
                violation_error_message="A hand-over of this system runs already.",
            ),
        ),
        migrations.AddConstraint(
            model_name="handover",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["open", "signed", "complete", "cancelled", "left"])),
                name="handover_known_state",
            ),
        ),
        migrations.AddConstraint(
            model_name="handover",
            constraint=models.CheckConstraint(
                condition=models.Q(("outgoing", models.F("incoming")), _negated=True), name="handover_to_another"
            ),
        ),
        migrations.AddConstraint(
            model_name="handover",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("ended_at", None), ("state__in", ("open", "signed"))),
                    models.Q(models.Q(("state__in", ("open", "signed")), _negated=True), ("ended_at__isnull", False)),
                    _connector="OR",
                ),
                name="handover_end_dated",
            ),
        ),
        migrations.AddConstraint(
            model_name="handover",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state__in", ["signed", "complete"]), _negated=True),
                    models.Q(models.Q(("pack", ""), _negated=True), models.Q(("judgement", ""), _negated=True)),
                    _connector="OR",
                ),
                name="handover_signed_has_pack",
                violation_error_message="Write your judgement before you sign.",
            ),
        ),
        migrations.AddConstraint(
            model_name="handover",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "cancelled"), _negated=True),
                    models.Q(("end_reason", ""), _negated=True),
                    _connector="OR",
                ),
                name="handover_cancel_has_reason",
                violation_error_message="Say why the hand-over is cancelled.",
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="handover",
            trigger=pgtrigger.compiler.Trigger(
                name="handover_states",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    declare="DECLARE _is_valid_transition BOOLEAN;",
                    func='SELECT CONCAT(OLD."state", \':\', NEW."state") = ANY(\'{open:signed,open:cancelled,open:left,signed:complete,signed:cancelled,signed:left}\'::text[]) INTO _is_valid_transition; IF (_is_valid_transition IS FALSE AND OLD."state" IS DISTINCT FROM NEW."state") THEN RAISE EXCEPTION \'pgtrigger: Invalid transition of field "state" from "%" to "%" on table %\', OLD."state", NEW."state", TG_TABLE_NAME; ELSE RETURN NEW; END IF;',
                    hash="114176cc41262b173ec179a2dde7688d98bd7707",
                    operation="UPDATE",
                    pgid="pgtrigger_handover_states_915c8",
                    table="registry_handover",
                    when="BEFORE",
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="handoversignature",
            constraint=models.UniqueConstraint(
                fields=("handover", "side"),
                name="handover_signed_once_a_side",
                violation_error_message="This side has signed already.",
            ),
        ),
        migrations.AddConstraint(
            model_name="handoversignature",
            constraint=models.CheckConstraint(
                condition=models.Q(("side__in", ["outgoing", "incoming"])), name="handover_known_side"
            ),
        ),
        migrations.AddConstraint(
            model_name="ownershipfact",
            constraint=models.UniqueConstraint(fields=("system", "kind"), name="ownership_fact_once_a_kind"),
        ),
        migrations.AddConstraint(
            model_name="ownershipfact",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["code_owner", "backstage_owner", "deployer"])),
                name="ownership_fact_known_kind",
            ),
        ),
        migrations.AddConstraint(
            model_name="ownershipfact",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("person__isnull", False), ("reading", "person")),
                    models.Q(models.Q(("reading", "person"), _negated=True), ("person", None)),
                    _connector="OR",
                ),
                name="ownership_fact_person_is_read",
            ),
        ),
        migrations.RunSQL([HANDOVER, TERMS, SIGNATURE, AUTHORITY], UNDO),
    ]
