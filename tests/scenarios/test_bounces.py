"""Who sent what could not be delivered, or is late, is told of it once, and nobody is told in a circle."""

import os
import signal

import pytest
from harness import fate, maildir, notices, proc
from harness.next_hops import Sink
from harness.scripted_peer import HANG, ScriptedPeer
from harness.waiting import wait_for

UNKNOWN = {"RCPT": b"550 5.1.1 no such user\r\n"}
LATER = {"RCPT": b"450 4.2.1 try later\r\n"}
USERS = ("alice", "bob", "postmaster")


@pytest.fixture
def peer():
    with ScriptedPeer(UNKNOWN) as made:
        yield made


@pytest.fixture
def bouncing(make_instance, peer):
    """An instance whose next hop for peer.example does what the peer's replies say."""
    def make(queue=None, **tables):
        routes = {"peer.example": peer.next_hop, **tables.pop("routes", {})}
        return make_instance(users=USERS, routes=routes, queue={**fate.RETRIES, **(queue or {})},
                             smtp_client=fate.PATIENCE, **tables).start()
    return make


def bounced(instance, queue_id):
    """The records of notices about a message."""
    return fate.records(instance, queue_id, "bounced")


def end_of(instance, queue_id, number=1):
    """Waits until the message is gone and so many records of notices are there."""
    instance.wait_queue_empty()
    return fate.wait_records(instance, queue_id, "bounced", by=None, number=number)


def test_a_failure_is_told_to_the_sender(bouncing):
    instance = bouncing()
    queue_id = fate.submit(instance, "ann@peer.example")
    (notice,) = notices.wait(instance, "alice")
    assert notice.failed == ["ann@peer.example"] and notice.delayed == []
    assert notice.statuses == {"ann@peer.example": "5.1.1"}
    assert notice.message["To"].addresses[0].addr_spec == "alice@example.org"
    assert "550 5.1.1 no such user" in notice.text and "127.0.0.1" in notice.text
    assert "Subject: onward" in notice.returned and "Received: " in notice.returned
    assert b"some text" not in notice.delivered.content
    (record,) = end_of(instance, queue_id)
    assert record["facts"]["notice"] == notice.delivered.queue_id
    assert record["outcome"] == "the sender is told"


def test_many_failures_of_a_message_make_one_notice(bouncing):
    instance = bouncing()
    many = [f"r{number}@peer.example" for number in range(300)]
    fate.submit(instance, *many, "bob@example.org")
    (notice,) = notices.wait(instance, "alice")
    assert notice.failed == sorted(many)
    instance.wait_queue_empty()
    assert len(notices.read(instance, "alice")) == 1
    assert maildir.count(instance.mailbox("bob")) == 1


def test_failures_at_several_sites_make_one_notice(make_instance):
    with ScriptedPeer(UNKNOWN) as one, ScriptedPeer({"MAIL": b"554 5.7.1 not you\r\n"}) as other, Sink() as sink:
        routes = {"one.example": one.next_hop, "other.example": other.next_hop, "sink.example": sink.next_hop}
        instance = make_instance(routes=routes).start()
        fate.submit(instance, "a@one.example", "b@other.example", "c@sink.example")
        instance.wait_queue_empty()
        sink.wait(1, instance)
        told = [address for notice in notices.read(instance, "alice") for address in notice.failed]
        assert sorted(told) == ["a@one.example", "b@other.example"], "each one once"


def test_a_sender_elsewhere_is_told_by_the_same_way_as_all_mail(bouncing):
    with Sink() as sink:
        instance = bouncing(routes={"far.example": sink.next_hop})
        fate.submit(instance, "ann@peer.example", sender="Zoe@Far.Example")
        (message,) = sink.wait(1, instance)
        assert message.mail.split()[0] == "<>"
        assert [recipient.lower() for recipient in message.recipients] == ["<zoe@far.example>"]
        assert b"Final-Recipient: rfc822; ann@peer.example" in message.whole


def test_mail_that_is_late_is_told_once_and_delivered(bouncing, peer):
    peer.replies = LATER
    instance = bouncing({"delay_warning": "2s"})
    queue_id = fate.submit(instance, "ann@peer.example", "ben@peer.example")
    (warning,) = notices.wait(instance, "alice")
    assert warning.delayed == ["ann@peer.example", "ben@peer.example"] and warning.failed == []
    assert "450 4.2.1 try later" in warning.text
    before = len(fate.records(instance, queue_id, "deferred", by="smtp"))
    fate.wait_records(instance, queue_id, "deferred", number=before + 2)
    assert len(notices.read(instance, "alice")) == 1
    (record,) = bounced(instance, queue_id)
    assert record["rule"]["name"] == "delay warning"
    peer.mend()
    instance.wait_queue_empty()
    assert len(notices.read(instance, "alice")) == 1
    assert sorted(peer.taken[0].recipients) == ["ann@peer.example", "ben@peer.example"] and len(peer.taken) == 1


def test_a_warning_is_not_repeated_by_a_restart(bouncing, peer):
    peer.replies = LATER
    instance = bouncing({"delay_warning": "1s"})
    queue_id = fate.submit(instance, "ann@peer.example")
    notices.wait(instance, "alice")
    fate.wait_records(instance, queue_id, "bounced", by=None)
    instance.stop()
    instance.start()
    before = len(fate.records(instance, queue_id, "deferred", by="smtp"))
    fate.wait_records(instance, queue_id, "deferred", number=before + 2)
    assert len(notices.read(instance, "alice")) == 1


def test_lists_and_the_null_sender_are_not_told_of_delays(bouncing, peer):
    peer.replies = LATER
    instance = bouncing({"delay_warning": "1s"})
    listed = fate.submit(instance, "ann@peer.example", content=b"List-Id: <l.example>\r\n" + fate.CONTENT)
    null = fate.submit(instance, "ann@peer.example", sender="")
    person = fate.submit(instance, "ann@peer.example", sender="bob@example.org")
    notices.wait(instance, "bob")
    before = {queue_id: len(fate.records(instance, queue_id, "deferred", by="smtp")) for queue_id in (listed, null)}
    for queue_id, number in before.items():
        fate.wait_records(instance, queue_id, "deferred", number=number + 1)
    assert "nobody" not in str(fate.records(instance, person, "bounced"))
    assert not notices.read(instance, "alice") and not notices.read(instance, "postmaster")


def test_mail_that_is_too_old_comes_back_with_the_last_reply(bouncing, peer):
    peer.replies = LATER
    instance = bouncing({"expire": "2s"})
    queue_id = fate.submit(instance, "ann@peer.example")
    (notice,) = notices.wait(instance, "alice")
    assert notice.failed == ["ann@peer.example"]
    assert notice.statuses == {"ann@peer.example": "5.4.7"}
    assert "450 4.2.1 try later" in notice.text
    end_of(instance, queue_id)
    (failure,) = fate.records(instance, queue_id, "failed")
    assert failure["rule"]["name"] == "queue.expire"


def test_mail_for_a_host_that_is_down_comes_back_when_it_is_too_old(make_instance):
    with ScriptedPeer() as peer:
        next_hop = peer.next_hop  # and nobody listens there any more
    instance = make_instance(routes={"down.example": next_hop}, queue={"retry_min": "1m", "expire": "2s"}).start()
    first, second = (fate.submit(instance, f"{name}@down.example") for name in ("ann", "ben"))
    told = notices.wait(instance, "alice", 2)
    assert sorted(notice.failed for notice in told) == [["ann@down.example"], ["ben@down.example"]]
    assert all("cannot connect: Connection refused" in notice.text for notice in told)
    for queue_id in (first, second):
        end_of(instance, queue_id)


def test_what_nobody_sent_is_told_to_the_postmaster(bouncing):
    instance = bouncing()
    queue_id = fate.submit(instance, "ann@peer.example", sender="")
    (notice,) = notices.wait(instance, "postmaster")
    assert notice.failed == ["ann@peer.example"]
    (record,) = end_of(instance, queue_id)
    assert record["outcome"] == "the postmaster is told"


def test_a_notice_that_fails_is_told_to_the_postmaster_and_to_nobody_else(bouncing, peer):
    """The sender's address is at the next hop that refuses everybody."""
    instance = bouncing()
    queue_id = fate.submit(instance, "ann@peer.example", sender="zoe@peer.example")
    (notice,) = notices.wait(instance, "postmaster")
    assert notice.failed == ["zoe@peer.example"]
    assert "Auto-Submitted: auto-replied" in notice.returned, "what is returned is the header of the first notice"
    (record,) = end_of(instance, queue_id)
    (second,) = end_of(instance, record["facts"]["notice"])
    assert second["outcome"] == "the postmaster is told"
    assert sum(line.startswith("MAIL FROM:<>") for line in peer.said) == 1
    assert maildir.count(instance.mailbox("alice")) == maildir.count(instance.mailbox("bob")) == 0


def test_a_notice_to_the_postmaster_that_fails_is_dropped_and_recorded(bouncing):
    instance = bouncing({"expire": "2s"})
    instance.mailbox("postmaster").write_text("in the way")
    queue_id = fate.submit(instance, "ann@peer.example", sender="")
    (record,) = end_of(instance, queue_id)
    (dropped,) = end_of(instance, record["facts"]["notice"])
    assert dropped["outcome"] == "a notice to the postmaster failed: it is dropped"
    assert dropped["rule"]["name"] == "nobody to tell"
    assert sum(record["decision"] == "bounced" for record in instance.history()) == 2


def compartment(instance, name):
    (found,) = [process for process in instance.compartments() if process.name == name]
    return found


def stand_still(instance, name):
    """Stops a compartment, so that what it is to do next is owed."""
    process = compartment(instance, name)
    os.kill(process.pid, signal.SIGSTOP)
    wait_for(lambda: proc.frozen(process), 10, f"{name} to stand still")
    return process


def owing(instance):
    return [entry["id"] for entry in instance.queue() if entry["state"] == "owing"]


@pytest.mark.parametrize("victims", [["bounce"], ["spool"], ["qmgr"], ["bounce", "spool", "qmgr"]], ids="+".join)
def test_what_is_owed_when_a_compartment_is_killed_is_told_once(bouncing, victims):
    instance = bouncing()
    bounce = stand_still(instance, "bounce")
    queue_id = fate.submit(instance, "ann@peer.example", "ben@peer.example")
    wait_for(lambda: owing(instance) == [queue_id], 20, lambda: f"an owing message\n{instance.report()}", interval=0.1)
    for victim in victims:
        os.kill(compartment(instance, victim).pid, signal.SIGKILL)
    if proc.alive(bounce):
        os.kill(bounce.pid, signal.SIGCONT)
    (notice,) = notices.wait(instance, "alice")
    assert notice.failed == ["ann@peer.example", "ben@peer.example"]
    instance.wait_queue_empty()
    assert len(notices.read(instance, "alice")) == 1
    assert "bounced" in {record["decision"] for record in instance.history(killed=True)}


def test_what_is_owed_when_everything_is_killed_is_told_once_at_the_next_start(bouncing):
    instance = bouncing()
    stand_still(instance, "bounce")
    queue_id = fate.submit(instance, "ann@peer.example")
    wait_for(lambda: owing(instance) == [queue_id], 20, lambda: f"an owing message\n{instance.report()}", interval=0.1)
    instance.kill_all()
    instance.start()
    (notice,) = notices.wait(instance, "alice")
    assert notice.failed == ["ann@peer.example"]
    instance.wait_queue_empty()
    assert len(notices.read(instance, "alice")) == 1


def test_killing_the_client_in_the_middle_of_a_delivery_loses_nothing(bouncing, peer):
    peer.replies = {"content": HANG}
    instance = bouncing(smtp={})
    queue_id = fate.submit(instance, "ann@peer.example")
    wait_for(lambda: any(meeting.messages for meeting in peer.meetings), 20, "the content to arrive")
    peer.mend()
    os.kill(compartment(instance, "smtp").pid, signal.SIGKILL)
    instance.wait_queue_empty()
    assert [message.recipients for message in peer.taken] == [["ann@peer.example"]]
    assert fate.records(instance, queue_id, "delivered")
    assert not notices.read(instance, "alice")
