"""`queue list` says when mail is tried next, and why not before; `queue flush` has it tried at once."""

from datetime import datetime, timedelta

import pytest
from harness import fate
from harness.scripted_peer import ScriptedPeer

LATER = {"RCPT": b"450 4.2.1 try later\r\n"}
HOURS = {"retry_min": "2h", "retry_max": "4h"}


def flush(instance, *names):
    """What it says, and whether it found all."""
    done = instance.run("queue", "flush", *names)
    return done.stdout.strip(), done.stderr, done.returncode


def entry_of(instance, queue_id):
    return next(entry for entry in instance.queue() if entry["id"] == queue_id)


@pytest.fixture
def waiting(make_instance):
    """A next hop that is well now, an instance that waits for hours, and the message that waits."""
    with ScriptedPeer(LATER) as peer:
        instance = make_instance(routes={"peer.example": peer.next_hop}, queue=HOURS).start()
        queue_id = fate.submit(instance, "ann@peer.example")
        fate.wait_records(instance, queue_id, "deferred")
        peer.mend()
        yield peer, instance, queue_id


@pytest.mark.parametrize("name", ["id", "host", "site", "domain", "--all"])
def test_mail_that_waits_for_hours_is_tried_at_once(waiting, name):
    peer, instance, queue_id = waiting
    site = fate.records(instance, queue_id, "deferred", "smtp")[0]["facts"]["site"]
    names = {"id": queue_id, "host": "127.0.0.1", "site": site, "domain": "PEER.example"}
    assert flush(instance, names.get(name, name)) == ("recipients that are tried now: 1", "", 0)
    instance.wait_queue_empty()
    assert [message.recipients for message in peer.taken] == [["ann@peer.example"]]


def test_what_is_not_known_is_named_and_the_rest_is_tried(waiting):
    peer, instance, queue_id = waiting
    said, wrong, status = flush(instance, "nowhere.example", queue_id)
    assert said == "recipients that are tried now: 1" and status != 0
    assert "nowhere.example: no message, site or domain of this name" in wrong
    instance.wait_queue_empty()
    assert len(peer.taken) == 1


def test_held_mail_stays_where_it_is(waiting):
    peer, instance, queue_id = waiting
    assert instance.run("queue", "hold", queue_id).returncode == 0
    assert flush(instance, "--all")[0] == "recipients that are tried now: 0"
    assert entry_of(instance, queue_id)["state"] == "held" and not peer.taken


def test_a_site_that_is_down_opens_for_all_that_waits_there(make_instance):
    with ScriptedPeer() as peer:
        port = peer.port
    instance = make_instance(routes={"down.example": f"[127.0.0.1]:{port}"}, queue=HOURS).start()
    first = fate.submit(instance, "ann@down.example")
    fate.wait_records(instance, first, "deferred")
    others = [fate.submit(instance, f"ben{number}@down.example") for number in range(3)]
    fate.wait_records(instance, others[-1], "routed", by="qmgr")
    listed = entry_of(instance, others[-1])
    assert "is down: 451 4.4.1" in listed["because"] and str(port) in listed["because"]
    assert datetime.fromisoformat(listed["next"]) - datetime.fromisoformat(listed["arrived"]) > timedelta(hours=1)
    assert "is down: 451 4.4.1" in instance.run("queue", "list").stdout
    with ScriptedPeer(port=port) as peer:
        assert flush(instance, others[-1])[0] == "recipients that are tried now: 1"
        fate.wait_records(instance, others[-1], "delivered")
        for queue_id in others[:-1]:
            fate.wait_records(instance, queue_id, "delivered")
        # The first waits its own time out, with the site as it was then.
        assert flush(instance, "down.example")[0] == "recipients that are tried now: 1"
        instance.wait_queue_empty()
        assert len(peer.taken) == 4


def test_mail_that_waits_follows_a_route_that_is_changed(waiting):
    peer, instance, queue_id = waiting
    with ScriptedPeer() as other:
        instance.configure(routes={"peer.example": other.next_hop}, queue=HOURS)
        assert instance.run("reload").returncode == 0
        assert flush(instance, queue_id)[0] == "recipients that are tried now: 1"
        instance.wait_queue_empty()
        assert [message.recipients for message in other.taken] == [["ann@peer.example"]] and not peer.taken


def test_mail_for_a_site_that_is_down_follows_a_route_that_is_changed(make_instance):
    """Nobody has to flush: where the mail of one goes elsewhere, the others ask too."""
    with ScriptedPeer() as gone:
        lost = gone.next_hop
    instance = make_instance(routes={"down.example": lost}, queue=HOURS).start()
    first = fate.submit(instance, "ann@down.example")
    fate.wait_records(instance, first, "deferred")
    second = fate.submit(instance, "ben@down.example")
    fate.wait_records(instance, second, "routed", by="qmgr")
    with ScriptedPeer() as peer:
        instance.configure(routes={"down.example": peer.next_hop}, queue=HOURS)
        assert instance.run("reload").returncode == 0
        fate.wait_records(instance, second, "delivered")
        assert [message.recipients for message in peer.taken] == [["ben@down.example"]]
