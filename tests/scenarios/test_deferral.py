"""A delivery that fails for a time is told, listed and tried again, and arrives when nothing is in its way."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from harness import maildir, notices
from harness.session import Session
from harness.waiting import wait_for
from kill_client import queue_id_of

CONTENT = b"From: ann@client.example.net\r\nSubject: later\r\n\r\nsome text\r\n"
SENDER = "ann@client.example.net"
RETRIES = {"retry_min": "2s", "retry_max": "3s"}


@pytest.fixture
def obstructed(make_instance):
    """An instance in which a file stands where the folder of alice's mailbox should be."""
    instance = make_instance(queue=RETRIES).start()
    instance.mailbox("alice").write_text("in the way")
    return instance


def submit(instance, *recipients, sender=SENDER):
    with Session(instance.port) as session:
        code, text = session.deliver(sender, recipients, CONTENT)
    assert code == 250, text
    return queue_id_of(text.decode())


def records(instance, queue_id, decision):
    done = instance.run("why", queue_id, "--json")
    if done.returncode != 0:
        return []
    found = [record for message in json.loads(done.stdout)["messages"] for record in message["records"]]
    return [record for record in found if record["decision"] == decision]


def wait_deferred(instance, queue_id, times=1):
    """Waits for so many deferrals; the replies of the agent and, with the next attempt, qmgr's decisions."""
    wait_for(lambda: all(len(found) >= times for found in of_each(instance, queue_id)), 30,
             lambda: f"{times} deferrals of {queue_id}\n{instance.report()}")
    return of_each(instance, queue_id)


def of_each(instance, queue_id):
    found = records(instance, queue_id, "deferred")
    return ([record for record in found if record["by"] == "virtual"],
            [record for record in found if record["by"] == "qmgr"])


def delivered_to(instance, queue_id, number):
    """The recipients of so many deliveries; their records come a moment after the files."""
    wait_for(lambda: len(records(instance, queue_id, "delivered")) >= number, 30,
             lambda: f"{number} deliveries of {queue_id} in the records\n{instance.report()}")
    return sorted(record["recipient"] for record in records(instance, queue_id, "delivered"))


def make_way(instance):
    instance.mailbox("alice").unlink()


def wait_arrived(instance, user):
    wait_for(lambda: maildir.count(instance.mailbox(user)) >= 1, 30,
             lambda: f"a message for {user}\n{instance.report()}")
    (message,) = maildir.read(instance.mailbox(user))
    assert message.content == CONTENT
    return message


def test_why_tells_of_a_deferral_with_its_reply_and_the_next_attempt(obstructed):
    queue_id = submit(obstructed, "alice@example.org")
    (attempt, *_), (decision, *_) = wait_deferred(obstructed, queue_id)
    assert attempt["recipient"] == "alice@example.org"
    assert attempt["outcome"].startswith("451 4.3.0 ")
    assert "a file is where a folder should be" in attempt["outcome"]
    assert decision["outcome"] == attempt["outcome"]
    wait = _time(decision["next"]) - _time(attempt["facts"]["attempted"])
    assert timedelta(seconds=1) < wait <= timedelta(seconds=3.5)  # between the two, with their jitter
    text = obstructed.run("why", queue_id).stdout
    assert "451 4.3.0" in text and "alice@example.org" in text and "deferred" in text
    assert f"{_time(decision['next']):%H:%M:%S}" in text


def _time(text):
    return datetime.fromisoformat(text).astimezone(UTC)


def test_deferred_mail_is_listed_and_arrives_when_the_obstacle_is_gone(obstructed):
    queue_id = submit(obstructed, "alice@example.org")
    wait_deferred(obstructed, queue_id, times=2)  # it is tried again, and again in vain
    entry, = obstructed.queue()
    assert entry["id"] == queue_id
    assert entry["state"] in ("deferred", "active")  # an attempt may be under way at this moment
    shown = obstructed.ask("queue", "show", queue_id)
    assert "451" in json.dumps(shown)
    assert queue_id in obstructed.run("queue", "list").stdout
    make_way(obstructed)
    assert wait_arrived(obstructed, "alice").queue_id == queue_id
    obstructed.wait_queue_empty()
    assert delivered_to(obstructed, queue_id, 1) == ["alice@example.org"]


def test_a_deferral_of_one_recipient_delays_and_doubles_no_other(obstructed):
    queue_id = submit(obstructed, "alice@example.org", "bob@example.org")
    wait_arrived(obstructed, "bob")
    wait_deferred(obstructed, queue_id, times=2)
    make_way(obstructed)
    wait_arrived(obstructed, "alice")
    obstructed.wait_queue_empty()
    assert maildir.count(obstructed.mailbox("bob")) == 1
    assert delivered_to(obstructed, queue_id, 2) == ["alice@example.org", "bob@example.org"]


def test_a_deferral_outlives_a_restart(obstructed):
    queue_id = submit(obstructed, "alice@example.org")
    wait_deferred(obstructed, queue_id)
    obstructed.kill_all()
    obstructed.start()
    assert [entry["id"] for entry in obstructed.queue()] == [queue_id]
    make_way(obstructed)
    assert wait_arrived(obstructed, "alice").queue_id == queue_id
    obstructed.wait_queue_empty()


def test_mail_that_is_deferred_for_too_long_fails_for_good_and_its_sender_is_told(make_instance):
    instance = make_instance(queue={**RETRIES, "expire": "3s"}).start()
    instance.mailbox("alice").write_text("in the way")
    queue_id = submit(instance, "alice@example.org", sender="bob@example.org")
    wait_for(lambda: records(instance, queue_id, "failed"), 30, lambda: f"the failure\n{instance.report()}")
    (failure,) = records(instance, queue_id, "failed")
    assert failure["outcome"].startswith("554 5.4.7 ") and "451 4.3.0" in failure["outcome"]
    assert failure["rule"]["name"] == "queue.expire"
    (notice,) = notices.wait(instance, "bob")
    assert notice.failed == ["alice@example.org"] and notice.statuses == {"alice@example.org": "5.4.7"}
    instance.wait_queue_empty()
