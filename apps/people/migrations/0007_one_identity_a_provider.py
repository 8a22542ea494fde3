from django.db import migrations

# An identity provider knows a person by one subject. Its table is allauth's; the rule is ours.
FORWARDS = """
CREATE UNIQUE INDEX person_one_identity_a_provider ON socialaccount_socialaccount (user_id, provider);
"""
BACKWARDS = "DROP INDEX person_one_identity_a_provider;"


class Migration(migrations.Migration):
    dependencies = [
        ("people", "0006_role_grant_source"),
        ("socialaccount", "0006_alter_socialaccount_extra_data"),
    ]

    operations = [migrations.RunSQL(FORWARDS, BACKWARDS)]
