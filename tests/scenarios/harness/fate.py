"""What became of a message: sends one, and reads the decisions that were made on it."""

import json

from kill_client import queue_id_of

from harness.session import Session
from harness.waiting import wait_for

SENDER = "alice@example.org"
CONTENT = b"From: alice@example.org\r\nSubject: onward\r\n\r\nsome text\r\n"
# Attempts that follow each other quickly.
RETRIES = {"retry_min": "1s", "retry_max": "2s"}
# A next hop that does nothing is given up soon.
PATIENCE = {"connect_timeout": "2s", "reply_timeout": "2s", "data_timeout": "2s", "final_timeout": "2s"}


def submit(instance, *recipients, content=CONTENT, sender=SENDER, options=""):
    """Sends a message; its queue id."""
    with Session(instance.port) as session:
        code, text = session.deliver(sender, recipients, content, options)
    assert code == 250, (code, text)
    return queue_id_of(text.decode())


def all_records(instance, queue_id):
    """Everything that `why` tells of it, in order."""
    done = instance.run("why", queue_id, "--json")
    if done.returncode != 0:
        return []
    return [record for message in json.loads(done.stdout)["messages"] for record in message["records"]]


def records(instance, queue_id, decision, by=None):
    return [record for record in all_records(instance, queue_id)
            if record["decision"] == decision and by in (None, record["by"])]


def wait_records(instance, queue_id, decision, by="smtp", number=1, seconds=30):
    """Waits for so many records of this decision, and answers all that there are then."""
    def there():
        found = records(instance, queue_id, decision, by)
        return found if len(found) >= number else None

    return wait_for(there, seconds, lambda: f"{number} times `{decision}` by {by} of {queue_id}: "
                    f"{json.dumps(all_records(instance, queue_id), indent=1)}\n{instance.report()}", interval=0.05)


def wait_for_any(instance, queue_id, decisions, by="smtp", seconds=30):
    """Waits for the first record of one of these decisions."""
    def there():
        return next((record for record in all_records(instance, queue_id)
                     if record["decision"] in decisions and record["by"] == by), None)

    return wait_for(there, seconds, lambda: f"one of {decisions}\n{instance.report()}", interval=0.05)


def outcome_of(record):
    """What was met with, and where."""
    return record["outcome"], record.get("facts", {}).get("host", "")
