"""The administrator's view: queue list, show, hold, release, delete; why; status; show plan."""

import json

import pytest
from harness import maildir
from harness.session import Session
from harness.waiting import wait_for
from kill_client import queue_id_of

CONTENT = b"From: ann@client.example.net\r\nSubject: wait\r\n\r\nsome text\r\n"
SENDER = "ann@client.example.net"
UNKNOWN_ID = "zzzzz"


@pytest.fixture
def holding(make_instance):
    """An instance that puts all new mail on hold."""
    return make_instance(smtp={"hold": True}).start()


def submit(instance, recipients=("alice@example.org",)):
    """Sends a message; its queue id."""
    with Session(instance.port) as session:
        code, text = session.deliver(SENDER, recipients, CONTENT)
    assert code == 250, text
    queue_id = queue_id_of(text.decode())
    assert queue_id, f"no queue id in {text!r}"
    return queue_id


def ids(instance):
    return [entry["id"] for entry in instance.queue()]


def wait_arrived(instance, user="alice", number=1):
    wait_for(lambda: maildir.count(instance.mailbox(user)) >= number, 20,
             lambda: f"{number} messages for {user}\n{instance.report()}")
    return maildir.read(instance.mailbox(user))


def test_held_mail_waits_and_is_listed(holding):
    first, second = submit(holding), submit(holding, ["bob@example.org", "carol@example.org"])
    assert ids(holding) == [first, second]
    entry = holding.queue()[1]
    assert entry["state"] == "held"
    assert SENDER in json.dumps(entry["sender"])
    assert [r["address"] for r in entry["recipients"]] == ["bob@example.org", "carol@example.org"]
    text = holding.run("queue", "list").stdout
    assert first in text and second in text and SENDER in text and "held" in text
    assert maildir.count(holding.mailbox("alice")) == 0


def test_show_tells_of_one_message(holding):
    queue_id = submit(holding)
    shown = holding.ask("queue", "show", queue_id)
    assert shown["id"] == queue_id and shown["state"] == "held"
    assert shown["recipients"][0]["address"] == "alice@example.org"
    text = holding.run("queue", "show", queue_id).stdout
    assert queue_id in text and "alice@example.org" in text


def test_released_mail_is_delivered(holding):
    queue_id = submit(holding)
    assert holding.run("queue", "release", queue_id).returncode == 0
    (message,) = wait_arrived(holding)
    assert message.content == CONTENT and message.queue_id == queue_id
    holding.wait_queue_empty()


def test_deleted_mail_is_gone(holding):
    keep, drop = submit(holding), submit(holding)
    assert holding.run("queue", "delete", drop).returncode == 0
    assert ids(holding) == [keep]
    assert holding.run("queue", "release", keep).returncode == 0
    (message,) = wait_arrived(holding)
    assert message.queue_id == keep
    holding.wait_queue_empty()
    assert maildir.count(holding.mailbox("alice")) == 1


def test_released_mail_can_be_held_again_only_while_it_is_in_the_queue(holding):
    queue_id = submit(holding)
    assert holding.run("queue", "hold", queue_id).returncode == 0  # held already: no harm
    assert ids(holding) == [queue_id]
    assert holding.run("queue", "release", queue_id).returncode == 0
    wait_arrived(holding)
    holding.wait_queue_empty()
    done = holding.run("queue", "hold", queue_id)
    assert done.returncode != 0 and queue_id in done.stderr


@pytest.mark.parametrize("command", ["show", "hold", "release", "delete"])
def test_an_unknown_id_is_an_error_that_names_it(holding, command):
    done = holding.run("queue", command, UNKNOWN_ID)
    assert done.returncode != 0
    assert UNKNOWN_ID in done.stderr and done.stdout == ""


@pytest.mark.parametrize("command", ["show", "hold", "release", "delete"])
def test_what_is_no_id_is_an_error(holding, command):
    done = holding.run("queue", command, "../../etc")
    assert done.returncode != 0 and "../../etc" in done.stderr


def test_many_held_messages_are_all_listed(holding):
    with Session(holding.port) as session:
        sent = [queue_id_of(session.deliver(SENDER, ["alice@example.org"], CONTENT)[1].decode())
                for _ in range(600)]
    assert ids(holding) == sent
    counts = holding.status()["queue"]
    assert counts["held"] == 600


def test_why_tells_the_story_of_a_message_by_its_id(instance):
    queue_id = submit(instance)
    wait_arrived(instance)
    wait_for(lambda: any(r["decision"] == "delivered" for r in story(instance, queue_id)), 20,
             lambda: f"the delivery in the records: {story(instance, queue_id)}")
    # Compartments report on their own: routing may be recorded before the acceptance is.
    decisions = [record["decision"] for record in story(instance, queue_id)]
    assert sorted(decisions) == ["accepted", "delivered", "routed"]
    assert decisions[-1] == "delivered"
    text = instance.run("why", queue_id).stdout
    assert "accepted" in text and "delivered" in text and "alice@example.org" in text


def story(instance, what):
    """The records that `why` gives, those of messages first; none where it knows nothing."""
    done = instance.run("why", what, "--json")
    if done.returncode != 0:
        return []
    answer = json.loads(done.stdout)
    return [record for message in answer["messages"] for record in message["records"]] + answer["others"]


def test_why_tells_of_a_refused_recipient_and_the_rule(instance):
    with Session(instance.port) as session:
        assert session.deliver(SENDER, ["nobody@example.org"], CONTENT)[0] == 550
    wait_for(lambda: story(instance, "nobody@example.org"), 20, "the refusal in the records")
    (record,) = [r for r in story(instance, "nobody@example.org") if r["decision"] == "refused"]
    assert record["recipient"] == "nobody@example.org" and record["sender"] in (SENDER, f"<{SENDER}>")
    assert "550" in json.dumps(record) and record["rule"]["name"]
    assert "nobody@example.org" in instance.run("why", "nobody@example.org").stdout


def test_why_of_something_unknown_says_so(instance):
    queue_id = submit(instance)
    wait_for(lambda: story(instance, queue_id), 20, "a history")
    done = instance.run("why", "never-seen@example.net")
    assert done.returncode != 0
    assert "never-seen@example.net" in done.stderr


def test_status_lists_every_compartment(instance):
    processes = instance.status()["processes"]
    names = {process["program"] for process in processes}
    assert names >= {"smtpd", "spool", "qmgr", "router", "users", "virtual", "log", "admin", "dns"}
    pids = {process.pid for process in instance.compartments()}
    assert {p["pid"] for p in processes if p["program"] != "master"} == pids
    assert all(p["state"] == "running" for p in processes)
    text = instance.run("status").stdout
    assert all(name in text for name in names)


def test_show_plan_needs_no_instance(make_instance):
    stopped = make_instance()
    rows = stopped.ask("show", "plan")
    assert {"master", "config", "smtpd", "spool"} <= {row["compartment"] for row in rows}
    assert "smtpd" in stopped.run("show", "plan").stdout


def test_commands_without_a_running_instance_say_so(make_instance):
    stopped = make_instance()
    for command in (["status"], ["queue", "list"], ["reload"], ["stop"]):
        done = stopped.run(*command)
        assert done.returncode != 0, command
        assert str(stopped.state) in done.stderr, (command, done.stderr)


def test_stop_stops(instance):
    assert instance.run("stop").returncode == 0
    assert instance.wait_ended() == 0
