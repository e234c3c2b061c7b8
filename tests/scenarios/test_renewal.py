"""Workers: as many as there are cores, and replaced by fresh ones without anybody noticing."""

import os
import socket

import kill_client
import pytest
from harness import proc
from harness.session import Session
from harness.waiting import wait_for

CONTENT = b"Subject: renewal\r\n\r\nstill here\r\n"
RETIRE_SESSIONS = 5


def workers(instance):
    return {process for process in instance.compartments() if process.name == "smtpd"}


def test_there_is_a_worker_for_each_core(instance):
    assert len(workers(instance)) == len(os.sched_getaffinity(0))


def test_there_are_as_many_workers_as_configured(make_instance):
    assert len(workers(make_instance(smtp={"workers": 3}).start())) == 3


def deliver_well(session):
    code, text = session.deliver("old@client.example.net", ["alice@example.org"], CONTENT)
    assert code == 250, text


def test_a_worker_that_has_served_enough_sessions_is_replaced_and_nobody_is_refused_or_cut(make_instance):
    instance = make_instance(smtp={"workers": 1, "retire_sessions": RETIRE_SESSIONS}).start()
    (first,) = workers(instance)
    with Session(instance.port) as old:
        for turn in range(8 * RETIRE_SESSIONS):  # every one of them is greeted, whatever goes on
            with socket.create_connection(("127.0.0.1", instance.port), timeout=20) as client:
                assert client.recv(500).startswith(b"220 "), f"connection {turn}"
                client.sendall(b"QUIT\r\n")
        wait_for(lambda: workers(instance) - {first}, 30, lambda: f"a successor\n{instance.report()}")
        assert proc.alive(first), "the first worker has a session still"
        deliver_well(old)
    instance.wait_gone([first], seconds=30)
    restarts = [p["restarts"] for p in instance.status()["processes"] if p["program"] == "smtpd"]
    assert all(count == 0 for count in restarts), "a renewal is no restart"
    with Session(instance.port) as fresh:
        deliver_well(fresh)
    instance.wait_queue_empty()


def test_renewals_under_load_cost_no_message_and_no_session(make_instance):
    instance = make_instance(smtp={"workers": 2, "retire_sessions": 20}).start()
    before = workers(instance)
    client = kill_client.NumberedClient(instance.port, instance.directory / "client.jsonl", instance.users,
                                        sessions=10, total=600, per_session=3)
    attempts = client.start().join(120)
    bad = [attempt for attempt in attempts if attempt.result != kill_client.ACKNOWLEDGED]
    assert not bad, f"{len(bad)} attempts ended otherwise: {bad[:5]}"
    wait_for(lambda: not workers(instance) & before, 30, lambda: f"renewed workers\n{instance.report()}")
    instance.wait_queue_empty()


@pytest.mark.release_only
def test_a_worker_is_replaced_after_its_time(make_instance):
    instance = make_instance(smtp={"workers": 1, "retire_time": "10s"}).start()
    first = workers(instance)
    with Session(instance.port) as old:
        wait_for(lambda: workers(instance) - first, 60, lambda: f"a successor\n{instance.report()}")
        deliver_well(old)
    instance.wait_gone(first, seconds=30)
