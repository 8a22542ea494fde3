"""What has to hold after every fault, asked in bare SQL and of the mail server."""

import hashlib
from collections import Counter
from typing import Any

import psycopg
from django.conf import settings

from apps.attestations.models import Campaign
from apps.attestations.queries.verify_end import verify
from apps.notify.rules import message_id
from tests.attestations.faults.crew import MailServer
from tests.attestations.faults.moved import Clock
from tests.attestations.faults.owners import Owners

# Live systems that do not have exactly one present assignment in each campaign by the calendar.
WRONG = """
SELECT s.key, c.code, count(a.id) FROM registry_system s CROSS JOIN attestations_campaign c
LEFT JOIN attestations_assignment a ON a.system_id = s.id AND a.campaign_id = c.id AND a.state <> 'reassigned'
WHERE s.stage NOT IN ('proposed', 'retired') AND NOT c.is_event AND c.state NOT IN ('draft', 'scheduled')
GROUP BY s.key, c.code HAVING count(a.id) <> 1
UNION ALL
SELECT s.key, c.code, count(*) FROM attestations_assignment a JOIN attestations_campaign c ON c.id = a.campaign_id
JOIN registry_system s ON s.id = a.system_id
WHERE a.state <> 'reassigned' AND c.is_event GROUP BY s.key, c.code, a.snapshot_id HAVING count(*) <> 1
"""
# Everything that one table says against another. Each line has to count nothing.
AT_ODDS = {
    "campaigns without one opening": """
        SELECT count(*) FROM attestations_campaign c WHERE c.opened_at IS NOT NULL AND 1 <> (SELECT count(*)
            FROM audit_event e WHERE e.kind = 'campaign.opened' AND e.subject_id = c.code)""",
    "openings without a campaign": """
        SELECT count(*) FROM audit_event e WHERE e.kind = 'campaign.opened' AND NOT EXISTS (SELECT FROM
            attestations_campaign c WHERE c.code = e.subject_id AND c.opened_at IS NOT NULL)""",
    "grace periods": """
        SELECT count(*) FROM attestations_campaign c WHERE (SELECT count(*) FROM audit_event e
            WHERE e.kind = 'campaign.grace_began' AND e.subject_id = c.code)
            <> CASE WHEN c.state IN ('grace', 'rollup', 'pending_actions', 'closed', 'sealed') THEN 1 ELSE 0 END""",
    "roll-ups": """
        SELECT count(*) FROM attestations_campaign c WHERE (c.rollup_at IS NOT NULL)::int <> (SELECT count(*)
            FROM audit_event e WHERE e.kind = 'campaign.rollup_began' AND e.subject_id = c.code)""",
    "systems that the opening counted": """
        SELECT count(*) FROM attestations_campaign c JOIN audit_event e
            ON e.kind = 'campaign.opened' AND e.subject_id = c.code
        WHERE (e.body::json->'after'->>'systems')::int <> (SELECT count(*) FROM attestations_scopesnapshot n
            WHERE n.campaign_id = c.id AND NOT n.is_supplement)""",
    "mails that the opening counted": """
        SELECT count(*) FROM attestations_campaign c JOIN audit_event e
            ON e.kind = 'campaign.opened' AND e.subject_id = c.code
        WHERE (e.body::json->'after'->>'mails')::int <> (SELECT count(*) FROM notify_message m
            WHERE m.key LIKE 'campaign:' || c.code || ':%:opened')""",
    "facts without an assignment": """
        SELECT count(*) FROM attestations_scopesnapshot n WHERE 1 <> (SELECT count(*)
            FROM attestations_assignment a WHERE a.snapshot_id = n.id AND a.predecessor_id IS NULL)
            OR 1 <> (SELECT count(*) FROM attestations_assignment a WHERE a.snapshot_id = n.id
            AND a.state <> 'reassigned')""",
    "what passed on": """
        SELECT abs((SELECT count(*) FROM attestations_assignment WHERE predecessor_id IS NOT NULL)
            - (SELECT count(*) FROM audit_event WHERE kind = 'attestation.passed_on')) + (SELECT count(*)
            FROM attestations_assignment a WHERE (a.state = 'reassigned') <> EXISTS (SELECT FROM
            attestations_assignment b WHERE b.predecessor_id = a.id))""",
    "open ones of somebody else than the owner": """
        SELECT count(*) FROM attestations_assignment a JOIN registry_system s ON s.id = a.system_id
        WHERE a.state IN ('pending', 'in_progress', 'changes_requested') AND a.person_id <> s.owner_id""",
    "signatures": """
        SELECT count(*) FROM attestations_assignment a WHERE (SELECT count(*) FROM attestations_signature g
            WHERE g.assignment_id = a.id) <> (a.state IN ('submitted', 'accepted', 'sealed'))::int
            OR (SELECT count(*) FROM audit_event e WHERE e.kind = 'attestation.signed'
            AND e.body::json->'after'->>'assignment' = a.id::text)
            <> (a.state IN ('submitted', 'accepted', 'sealed'))::int""",
    "signed without an assignment": """
        SELECT count(*) FROM audit_event e WHERE e.kind = 'attestation.signed' AND NOT EXISTS (SELECT FROM
            attestations_signature g WHERE g.payload_sha256 = e.body::json->'after'->>'payload_sha256')""",
    # Each save is one version and one event: 1, 2, 3, without a gap, over everybody who had it.
    "versions of answers": """
        WITH said AS (SELECT a.snapshot_id, (e.body::json->'after'->>'version')::int AS version FROM audit_event e
            JOIN attestations_assignment a ON a.id = (e.body::json->'after'->>'assignment')::bigint
            WHERE e.kind = 'attestation.answered')
        SELECT count(*) FROM attestations_assignment a WHERE a.state <> 'reassigned'
            AND ARRAY(SELECT generate_series(1, a.version)) <> ARRAY(SELECT version FROM said
            WHERE said.snapshot_id = a.snapshot_id ORDER BY version)""",
    "answers of a version that is not": """
        SELECT count(*) FROM attestations_answer n JOIN attestations_assignment a ON a.id = n.assignment_id
        WHERE n.version > a.version OR n.version < 1""",
    "reminders": """
        SELECT abs((SELECT count(*) FROM notify_message WHERE key LIKE 'campaign-digest:%')
            - (SELECT COALESCE(sum(people), 0) FROM (SELECT DISTINCT ON (COALESCE(e.cause, e.id))
                (e.body::json->'after'->>'people')::int AS people FROM audit_event e
                WHERE e.kind = 'campaign.reminded' AND e.body::json->'after'->>'by' = 'schedule') AS runs))""",
    "leavers": """
        SELECT abs((SELECT count(*) FROM directory_offboardingcase)
            - (SELECT count(*) FROM audit_event WHERE kind = 'person.offboarded'))""",
    "links of the chain of signatures": """
        SELECT count(*) FROM (SELECT prev_hash, lag(payload_sha256, 1, repeat('0', 64)) OVER (ORDER BY id) AS before
            FROM attestations_signature) AS chain WHERE prev_hash <> before""",
    "people with two digests of a day": """
        SELECT count(*) FROM (SELECT split_part(key, ':', 2), split_part(key, ':', 3) FROM notify_message
            WHERE key LIKE 'campaign-digest:%' AND state <> 'withdrawn' GROUP BY 1, 2 HAVING count(*) > 1) AS twice""",
    "people with two openings of a campaign": """
        SELECT count(*) FROM (SELECT recipient_id, split_part(key, ':', 2) FROM notify_message
            WHERE key LIKE 'campaign:%:opened' GROUP BY 1, 2 HAVING count(*) > 1) AS twice""",
}
SIGNATURES = "SELECT row_to_json(g)::text FROM attestations_signature g ORDER BY id LIMIT %s"


class Watch:
    """Looks after every fault whether everything still holds, and that no signature changed since the last look."""

    def __init__(self, owner: psycopg.Connection[Any], mail: MailServer, clock: Clock) -> None:
        self.owner, self.mail, self.clock = owner, mail, clock
        self._known, self._hash, self.looks = 0, self._hashed(0), 0

    def _hashed(self, first: int) -> str:
        rows = self.owner.execute(SIGNATURES, [first]).fetchall()
        assert len(rows) == first
        return hashlib.sha256("\n".join(row[0] for row in rows).encode()).hexdigest()

    def look(self, people: Owners) -> None:
        """Raises AssertionError with what is not as it should be."""
        wrong = self.owner.execute(WRONG).fetchall()
        assert not wrong, wrong
        found = {name: self.one(sql) for name, sql in AT_ODDS.items()}
        odd = {name: count for name, count in found.items() if count}
        assert not odd, odd
        lost = people.lost(self.owner)
        assert not lost, lost
        self.signatures(people)
        self.mails()
        for campaign in Campaign.objects.select_related("template").exclude(state="draft"):
            faults = [str(fault) for fault in verify(campaign, at=self.clock.now()).faults]
            assert not faults, faults
        self.looks += 1

    def one(self, sql: str, *params: Any) -> Any:
        """The one value of a query."""
        row = self.owner.execute(sql, params or None).fetchone()
        assert row is not None
        return row[0]

    def signatures(self, people: Owners) -> None:
        """None changed, and all are there that somebody was told of."""
        assert self._hashed(self._known) == self._hash
        self._known = self.one("SELECT count(*) FROM attestations_signature")
        self._hash = self._hashed(self._known)
        told = set(people.signed.values())
        there = {row[0] for row in self.owner.execute("SELECT payload_sha256 FROM attestations_signature").fetchall()}
        assert told <= there

    def mails(self) -> Counter[str]:
        """What the outbox says against what the mail server took: never twice, and nothing that nobody wrote."""
        # Mails may leave meanwhile: what the server had before the look at the outbox, and after it.
        before = dict(self.mail.ids)
        rows = self.owner.execute("SELECT key, state FROM notify_message").fetchall()
        after = Counter(self.mail.ids)
        states: Counter[str] = Counter()
        steps: Counter[str] = Counter()
        for key, state in rows:
            mail = message_id(key, settings.SITE_URL)
            assert fits(state, before.pop(mail, 0), after[mail]), (key, state, after[mail])
            states[state] += 1
            steps[step_of(key)] += after[mail]
        assert not before, before
        twice = {step: count for step, count in steps.items() if count > 1}
        assert not twice, twice
        return states


def fits(state: str, before: int, after: int) -> bool:
    """Whether the mail server may have got a mail of this state so often: never twice, and none that only waits."""
    if state == "sent":
        return after == 1
    return after <= 1 if state in {"claimed", "uncertain"} else before == 0 and after <= 1


def step_of(key: str) -> str:
    """Person and step of a mail; what was taken back and said anew is the same step."""
    return ":".join(key.split(":")[:3]) if key.startswith("campaign-digest:") else key
