"""Start and stop: side by side, refused, as an ordinary user, with work in hand."""

import os
import re
import signal
import socket
import subprocess

import pytest
from harness import maildir, proc
from harness.instance import binary
from harness.session import Session, wire_form
from harness.waiting import wait_for

CONTENT = b"Subject: start\r\n\r\nsome text\r\n"
SENDER = "ann@client.example.net"


def deliver(instance, user="alice"):
    with Session(instance.port) as session:
        code, text = session.deliver(SENDER, [f"{user}@example.org"], CONTENT)
    assert code == 250, text


def wait_arrived(instance, user="alice", number=1):
    wait_for(lambda: maildir.count(instance.mailbox(user)) >= number, 20,
             lambda: f"{number} messages for {user}\n{instance.report()}")
    messages = maildir.read(instance.mailbox(user))
    assert [message.content for message in messages] == [CONTENT] * number


def test_two_instances_run_side_by_side(make_instance):
    one, two = make_instance().start(), make_instance().start()
    deliver(one, "alice")
    deliver(two, "bob")
    wait_arrived(one, "alice")
    wait_arrived(two, "bob")
    assert maildir.count(one.mailbox("bob")) == 0
    assert one.stop() == 0
    deliver(two, "bob")
    wait_arrived(two, "bob", 2)
    assert two.stop() == 0


def test_a_second_instance_with_the_same_state_is_refused(make_instance):
    one = make_instance().start()
    two = make_instance(state=one.state).launch()
    assert two.wait_ended(20) != 0
    assert str(one.state) in "".join(two.output)
    deliver(one)
    wait_arrived(one)


def test_a_port_that_is_taken_is_named(make_instance):
    instance = make_instance()
    with socket.socket() as other:
        other.bind(("127.0.0.1", instance.port))
        other.listen()
        instance.launch()
        assert instance.wait_ended(20) != 0
    said = "".join(instance.output)
    assert f"127.0.0.1:{instance.port}" in said and "in use" in said.lower()
    assert not re.search(r"\bready\b", said)


@pytest.mark.parametrize("broken, line, words", [
    ("setup = \"internet-site\"\nhostnaem = \"a.example\"\n", 2, ["hostnaem", "hostname"]),
    ("setup = \"internet-sight\"\n", 1, ["setup", "internet-site"]),
    ("setup = \"internet-site\n", 1, []),
], ids=["unknown key", "unknown value", "no TOML"])
def test_a_wrong_configuration_ends_with_2_and_names_the_line(make_instance, broken, line, words):
    instance = make_instance()
    instance.write_config(broken)
    instance.launch()
    assert instance.wait_ended(20) == 2
    said = "".join(instance.output)
    assert f"{instance.config}:{line}" in said
    assert all(word in said for word in words), said


def test_a_configuration_that_is_not_there_ends_with_2(make_instance):
    instance = make_instance()
    instance.config.unlink()
    instance.launch()
    assert instance.wait_ended(20) == 2
    assert str(instance.config) in "".join(instance.output)


@pytest.mark.root_only
def test_an_ordinary_user_can_run_it(make_instance):
    instance = make_instance(run_as="nobody").start()
    deliver(instance)
    wait_arrived(instance)
    statuses = {process.pid: proc.status(process.pid) for process in proc.tree(instance.process.pid)}
    uid = str(os.stat(instance.state).st_uid)
    assert instance.process.pid in statuses
    for status in statuses.values():
        name = status["Name"]
        assert status["Uid"].split() == [uid] * 4, name
        assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2", name
        assert int(status["CapPrm"], 16) == int(status["CapEff"], 16) == int(status["CapAmb"], 16) == 0, name
    assert instance.stop() == 0


def test_a_message_in_flight_at_sigterm_gets_its_answer(instance):
    session = Session(instance.port)
    assert [code for code, _ in session.begin(SENDER, ["alice@example.org"])] == [250, 250]
    assert session.docmd("DATA")[0] == 354
    session.send(CONTENT)
    instance.process.send_signal(signal.SIGTERM)
    wait_for(lambda: not accepts(instance.port), 20, "that new connections are refused")
    session.send(wire_form(b""))
    code, text = session.getreply()
    assert code == 250, text
    assert session.file.readline().startswith(b"421")
    session.close()
    assert instance.wait_ended() == 0
    instance.start()
    wait_arrived(instance)


def accepts(port):
    """Whether a new connection is made at all."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=0.5).close()
    except ConnectionRefusedError:
        return False
    return True


def test_compartments_end_by_themselves_at_a_stop(instance):
    deliver(instance)
    wait_arrived(instance)
    assert instance.stop() == 0
    ends = [record for record in instance.history() if record["decision"] == "ended"]
    assert {record["outcome"] for record in ends} == {"exit 0"}, ends


def test_without_standard_streams_no_descriptor_of_ours_takes_their_place(make_instance):
    instance = make_instance()
    instance.launcher = ["sh", "-c", 'exec 3>&1 >/dev/null 2>&- <&- && exec "$@" >&3 3>&-', "sh"]
    instance.start()
    deliver(instance)
    wait_arrived(instance)
    for process in instance.compartments():
        streams = proc.descriptors(process.pid)
        assert [streams.get(number) for number in (0, 1, 2)] == ["/dev/null"] * 3, process
    assert instance.stop() == 0


def test_an_idle_session_does_not_delay_the_end(instance):
    with Session(instance.port) as session:
        instance.process.send_signal(signal.SIGTERM)
        assert instance.wait_ended(20) == 0
        session.sock.settimeout(5)
        farewell = session.file.read()
        assert farewell == b"" or farewell.startswith(b"421"), farewell


def test_held_messages_outlive_a_restart(make_instance):
    instance = make_instance(smtp={"hold": True}).start()
    for _ in range(3):
        deliver(instance)
    listed = instance.queue()
    assert len(listed) == 3
    assert instance.stop() == 0
    instance.start()
    # In which order they were committed, by workers with ids of their own, a start does not know.
    assert {entry["id"] for entry in instance.queue()} == {entry["id"] for entry in listed}
    assert {entry["state"] for entry in instance.queue()} == {"held"}
    for entry in listed:
        assert instance.run("queue", "release", entry["id"]).returncode == 0
    wait_arrived(instance, number=3)


def test_queue_ids_do_not_repeat_after_a_restart(make_instance):
    instance = make_instance(smtp={"hold": True}).start()
    seen = set()
    for kill in (False, True, False):
        for _ in range(5):
            deliver(instance)
        now = [entry["id"] for entry in instance.queue()]
        assert len(set(now)) == len(now) == len(seen) + 5
        assert seen < set(now)
        seen = set(now)
        if kill:
            instance.kill_all()
        else:
            assert instance.stop() == 0
        instance.start()


def test_without_a_command_it_says_how_it_is_used():
    done = subprocess.run([binary()], capture_output=True, text=True, timeout=10, check=False)
    assert done.returncode == 2 and "--help" in done.stderr
    done = subprocess.run([binary(), "--help"], capture_output=True, text=True, timeout=10, check=False)
    assert done.returncode == 0 and "queue" in done.stdout


def test_a_compartment_that_cannot_begin_says_why(make_instance):
    instance = make_instance().start()
    instance.stop()
    (segment,) = instance.state.rglob("segment-0000")
    segment.unlink()
    segment.mkdir()
    instance.launch()
    assert instance.wait_ended(20) != 0
    assert any("spool: " in line and "segment-0000" in line for line in instance.output), instance.output
