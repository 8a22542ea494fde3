"""Response cards: an optional scenario has one only where a rule for it leads, and loses it with the rule.

The holder of the mandate who delegated and is here acts for an owner who is away, as the register says it too: whoever
stands in for the holder comes only while the holder is away.
"""

from importlib import import_module

from django.db import migrations

_before = import_module(".0003_response_cards", __package__)


def _changed(text: str, *changes: tuple[str, str]) -> str:
    """The function with these parts in place of those; each has to be there exactly once."""
    for old, new in changes:
        if text.count(old) != 1:
            raise ValueError(f"not there once: {old}")
        text = text.replace(old, new)
    return text.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")


_RESOLVE = _changed(
    _before.RESOLVE,
    (
        "SELECT m.holder_id AS person_id, COALESCE(st.acts_id, m.holder_id) AS acts_id,",
        "SELECT m.holder_id AS person_id,\n"
        "        COALESCE(CASE WHEN st.kind = 'away' THEN st.acts_id END, m.holder_id) AS acts_id,",
    ),
    (
        "SELECT DISTINCT ON (k.id, k.scenario) k.id, k.scenario, k.rule_id,",
        "SELECT DISTINCT ON (k.id, k.scenario) k.id, k.scenario, k.own, k.rule_id,",
    ),
    (
        "    LEFT JOIN people_person cp ON cp.id = c.person_id\n    LEFT JOIN stand cs ON cs.person_id = c.person_id),",
        "    LEFT JOIN people_person cp ON cp.id = c.person_id\n"
        "    LEFT JOIN stand cs ON cs.person_id = c.person_id\n"
        "    WHERE scen.domain IS NOT NULL OR scen.scenario = '' OR rule.own),",
    ),
)

_REFRESH = _changed(
    _before.REFRESH,
    (
        "    INSERT INTO incidents_responsecard AS c (",
        """    -- An optional scenario is answered by "not sure" again where no rule for it leads any more.
    IF EXISTS (SELECT FROM incidents_responsecard c WHERE c.scenario = ANY(p_scenarios)
               AND c.scenario NOT IN ('', 'data-access', 'harmful-decision', 'cost-spike')
               AND c.system_id = ANY(p_systems)) THEN
        DELETE FROM incidents_responsecard c
        WHERE c.system_id = ANY(p_systems) AND c.scenario = ANY(p_scenarios)
          AND c.scenario NOT IN ('', 'data-access', 'harmful-decision', 'cost-spike')
          AND NOT EXISTS (SELECT FROM incidents_resolve(p_systems, p_scenarios, p_now) r
                          WHERE r.system_id = c.system_id AND r.scenario = c.scenario);
    END IF;
    INSERT INTO incidents_responsecard AS c (""",
    ),
)


class Migration(migrations.Migration):
    dependencies = [("incidents", "0004_state_guards")]

    operations = [
        migrations.RunSQL(
            "\n".join([_RESOLVE, _REFRESH]),
            "\n".join([_changed(_before.RESOLVE), _changed(_before.REFRESH)]),
        ),
    ]
