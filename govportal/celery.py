"""The Celery application and its static schedule: every entry is a sweep over database state."""

from celery import Celery
from celery.schedules import crontab

from govportal.environment import env_str, load_settings

load_settings()

# Every task notes its runs where it is a sweep of the schedule below.
app = Celery("govportal", task_cls="apps.audit.sweeps:Sweep")
app.conf.update(
    broker_url=env_str("REDIS_URL"),
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    worker_max_tasks_per_child=500,
    task_soft_time_limit=540,
    task_time_limit=600,
    # Longer than three times the time limit: a running task is never delivered a second time.
    broker_transport_options={
        "visibility_timeout": 1900,
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        "polling_interval": 1,
    },
    task_ignore_result=True,
    result_backend=None,
    broker_connection_max_retries=None,
    broker_connection_retry_on_startup=True,
    worker_cancel_long_running_tasks_on_connection_loss=True,
    task_publish_retry=False,
    accept_content=["json"],
    task_serializer="json",
    enable_utc=True,
    timezone="UTC",
    worker_hijack_root_logger=False,
    beat_schedule={
        "attestations.open_due": {"task": "attestations.open_due", "schedule": crontab(minute="*/5")},
        "attestations.remind_due": {"task": "attestations.remind_due", "schedule": crontab(minute="*/10")},
        "attestations.move_on_due": {"task": "attestations.move_on_due", "schedule": crontab(minute="*/10")},
        "attestations.add_supplements": {"task": "attestations.add_supplements", "schedule": crontab(minute="*/15")},
        "attestations.follow_owners": {"task": "attestations.follow_owners", "schedule": crontab(minute="*/5")},
        "attestations.follow_findings": {"task": "attestations.follow_findings", "schedule": crontab(minute="*/10")},
        "attestations.raise_events": {"task": "attestations.raise_events", "schedule": crontab(minute="*/15")},
        "attestations.ready_nodes": {"task": "attestations.ready_nodes", "schedule": crontab(minute="*/2")},
        "attestations.finish_due": {"task": "attestations.finish_due", "schedule": crontab(minute="*/5")},
        "attestations.ask_reviewers": {"task": "attestations.ask_reviewers", "schedule": crontab(minute=35)},
        "attestations.make_documents": {
            "task": "attestations.make_documents",
            "schedule": 15.0,
            "options": {"expires": 60},
        },
        "attestations.scan_evidence": {"task": "attestations.scan_evidence", "schedule": crontab()},
        "attestations.sweep_passing": {"task": "attestations.sweep_passing", "schedule": crontab(minute="*/10")},
        "findings.sweep": {"task": "findings.sweep", "schedule": crontab(minute=40, hour=1)},
        "findings.remind_overdue": {"task": "findings.remind_overdue", "schedule": crontab(minute=25)},
        "directory.offboard_due": {"task": "directory.offboard_due", "schedule": crontab(minute=5)},
        "directory.watch_cases": {"task": "directory.watch_cases", "schedule": crontab(minute=50)},
        "incidents.settle_cards": {"task": "incidents.settle_cards", "schedule": crontab(minute="2-59/5")},
        "incidents.escalate": {"task": "incidents.escalate", "schedule": 15.0, "options": {"expires": 60}},
        "incidents.classify_overdue": {"task": "incidents.classify_overdue", "schedule": crontab()},
        "incidents.preflight": {"task": "incidents.preflight", "schedule": crontab(minute=30, hour=1)},
        "incidents.export_cards": {"task": "incidents.export_cards", "schedule": crontab(minute=30, hour=2)},
        "incidents.recompute_cards": {"task": "incidents.recompute_cards", "schedule": crontab(minute=15, hour=1)},
        "incidents.start_due_drills": {
            "task": "incidents.start_due_drills",
            "schedule": crontab(),
            "options": {"expires": 60},
        },
        "incidents.watch_clocks": {"task": "incidents.watch_clocks", "schedule": crontab(), "options": {"expires": 60}},
        "notify.deliver_pending": {"task": "notify.deliver_pending", "schedule": 15.0},
        "notify.deliver_webhooks": {"task": "notify.deliver_webhooks", "schedule": 10.0, "options": {"expires": 60}},
        # Old ones say nothing: a worker that comes back takes up today's.
        "audit.heartbeat": {"task": "audit.heartbeat", "schedule": 60.0, "options": {"expires": 60}},
        "audit.prepare_partitions": {"task": "audit.prepare_partitions", "schedule": crontab(minute=7, hour=3)},
        "portal.ask_for_tests": {"task": "portal.ask_for_tests", "schedule": crontab(minute=45, hour=6)},
        "portal.watch": {
            "task": "portal.watch",
            "schedule": crontab(minute="3-59/10"),
            "options": {"expires": 600},
        },
        # Days begin and end at each quarter of an hour somewhere: time zones are offset by as little.
        "registry.follow_calendar": {"task": "registry.follow_calendar", "schedule": crontab(minute="*/15")},
        "registry.escalate_acceptances": {
            "task": "registry.escalate_acceptances",
            "schedule": crontab(minute=35),
        },
        "registry.escalate_handovers": {"task": "registry.escalate_handovers", "schedule": crontab(minute=25)},
        "registry.escalate_nominations": {
            "task": "registry.escalate_nominations",
            "schedule": crontab(minute=20),
        },
    },
)
app.autodiscover_tasks()
