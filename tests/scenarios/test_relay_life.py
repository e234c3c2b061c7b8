"""Reload, restart and renewal while mail is handed on: nothing is lost, and nothing comes twice."""

import os
import signal
import threading
from datetime import datetime

from harness import fate
from harness.next_hops import Sink
from harness.scripted_peer import ScriptedPeer
from harness.session import Session
from harness.waiting import wait_for

LATER = {"RCPT": b"450 4.2.1 try later\r\n"}


def send(instance, numbers):
    with Session(instance.port) as session:
        for number in numbers:
            code, text = session.deliver(fate.SENDER, [f"r{number}@sink.example"], fate.CONTENT)
            assert code == 250, text


def recipients(sink):
    return sorted(int(message.recipients[0].split("@")[0][2:]) for message in sink.messages())


def smtp_generation(instance):
    return max((process["generation"] for process in instance.status()["processes"]
                if process["program"] == "smtp" and process["state"] == "running"), default=0)


def test_reloads_while_mail_is_handed_on_lose_and_double_nothing(make_instance):
    with Sink() as sink:
        instance = make_instance(routes={"sink.example": sink.next_hop}).start()
        for turn in range(4):
            before = smtp_generation(instance)
            send(instance, range(turn * 60, turn * 60 + 60))
            instance.process.send_signal(signal.SIGHUP)
            wait_for(lambda: smtp_generation(instance) > before, 20, lambda: f"a renewal\n{instance.report()}")
        instance.wait_queue_empty()
        assert recipients(sink) == list(range(240))
        assert all(process["restarts"] == 0 for process in instance.status()["processes"])


def test_a_reload_in_the_middle_of_a_delivery_lets_it_end(make_instance):
    """The old agent waits for the verdict; the new one takes what comes meanwhile."""
    go_on = threading.Event()

    def verdict(message):
        if message.recipients[0].startswith("slow"):
            assert go_on.wait(20)
        return b"250 2.0.0 taken\r\n"

    with ScriptedPeer({"content": verdict}) as peer:
        instance = make_instance(routes={"peer.example": peer.next_hop}).start()
        slow = fate.submit(instance, "slow@peer.example")
        wait_for(lambda: any(meeting.messages for meeting in peer.meetings), 20, "the content to arrive")
        before = smtp_generation(instance)
        instance.process.send_signal(signal.SIGHUP)
        wait_for(lambda: smtp_generation(instance) > before, 20, lambda: f"a renewal\n{instance.report()}")
        quick = fate.submit(instance, "quick@peer.example")
        fate.wait_records(instance, quick, "delivered")
        go_on.set()
        fate.wait_records(instance, slow, "delivered")
        assert sorted(message.recipients[0] for message in peer.taken) == ["quick@peer.example", "slow@peer.example"]


def test_a_reload_changes_where_mail_goes(make_instance):
    with Sink() as one, Sink() as other:
        instance = make_instance(routes={"sink.example": one.next_hop}).start()
        send(instance, [1])
        one.wait(1, instance)
        instance.configure(routes={"sink.example": other.next_hop})
        assert instance.run("reload").returncode == 0
        send(instance, [2])
        other.wait(1, instance)
        assert recipients(one) == [1] and recipients(other) == [2]


def test_a_restart_keeps_what_waits_and_when_it_is_tried(make_instance):
    with ScriptedPeer(LATER) as peer:
        instance = make_instance(routes={"peer.example": peer.next_hop},
                                 queue={"retry_min": "5s", "retry_max": "5s"}).start()
        queue_id = fate.submit(instance, "ann@peer.example")
        (before,) = fate.wait_records(instance, queue_id, "deferred")
        peer.mend()
        for stop in (instance.stop, instance.kill_all):
            stop()
            instance.start()
            (entry,) = wait_for(instance.queue, 20, "the message to be there")
            assert entry["id"] == queue_id and entry["recipients"][0]["last"]["reply"].startswith("450 4.2.1 ")
        instance.wait_queue_empty()
        assert [message.recipients for message in peer.taken] == [["ann@peer.example"]]
        assert len(peer.meetings) == 2
        due = datetime.fromisoformat(before["facts"]["attempted"]).timestamp() + 5
        assert due - 0.1 <= peer.meetings[1].began < due + 5


def test_a_restart_while_mail_is_handed_on_loses_and_doubles_nothing(make_instance):
    with Sink() as sink:
        instance = make_instance(routes={"sink.example": sink.next_hop}).start()
        send(instance, range(100))
        instance.stop()
        instance.start()
        send(instance, range(100, 120))
        instance.wait_queue_empty()
        assert recipients(sink) == list(range(120))


def test_killing_the_client_doubles_only_what_it_had_in_hand(make_instance):
    with Sink() as sink:
        instance = make_instance(routes={"sink.example": sink.next_hop},
                                 smtp_client={"site_concurrency": 5}).start()
        for turn in range(4):
            send(instance, range(turn * 50, turn * 50 + 50))
            for process in instance.compartments():
                if process.name == "smtp":
                    os.kill(process.pid, signal.SIGKILL)
        instance.wait_queue_empty()
        arrived = recipients(sink)
        assert sorted(set(arrived)) == list(range(200)), "nothing is lost"
        assert len(arrived) - 200 <= 4 * 5, "what was in hand when it was killed"


def test_the_network_comes_back_and_what_waited_is_delivered_at_once(make_instance):
    """A host that was down: one attempt finds out that it is up, and releases all that waits for it."""
    sink = Sink()
    instance = make_instance(routes={"sink.example": sink.next_hop},
                             queue={"retry_min": "2s", "retry_max": "3s"}).start()
    send(instance, range(30))
    first = instance.queue()[0]["id"]
    fate.wait_records(instance, first, "deferred")
    assert len(instance.queue()) == 30
    with sink:
        instance.wait_queue_empty(20)
        assert recipients(sink) == list(range(30))
