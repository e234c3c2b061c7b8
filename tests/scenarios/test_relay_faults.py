"""Next hops that hang, close, or talk nonsense at every place: mail waits with the reason, and arrives once."""

import itertools
import socket
import threading
from dataclasses import dataclass

import pytest
from harness import fate
from harness.instance import Instance
from harness.next_hops import Sink
from harness.scripted_peer import CLOSE, HANG, STAGES, ScriptedPeer
from harness.waiting import TimedOut, wait_for

CODES = {"greeting": b"220", "DATA": b"354", "QUIT": b"221"}
WAITING_FOR = {
    "greeting": "the greeting", "EHLO": "the reply to EHLO", "MAIL": "the reply to MAIL",
    "RCPT": "the reply to RCPT", "DATA": "the reply to DATA", "content": "the reply to the end of the content",
}
CLOSING = b"421 4.3.2 we close\r\n"
NEVER = threading.Event()


def slowly(code):
    """A reply of which an octet comes now and then."""
    for octet in code + b" " + b"slow " * 50 + b"\r\n":
        NEVER.wait(0.3)
        yield bytes([octet])


def endless_line(code):
    yield code + b" "
    while True:
        yield b"x" * 4096


def endless_lines(code):
    while True:
        yield (code + b"-and more\r\n") * 500


# What is answered at a stage, given the code of a good reply there, and what the reason must say. %s is what
# the client waited for.
FAULTS = {
    "hangs": (lambda code: HANG, "timed out waiting for %s"),
    "closes": (lambda code: CLOSE, "lost connection"),
    "garbage": (lambda code: b"\xff\x00 what is this\r\n", "while %s was awaited"),
    "garbled code": (lambda code: b"999 no such code\r\n", "while %s was awaited"),
    "an octet a time": (slowly, "timed out waiting for %s"),
    "endless line": (endless_line, "while %s was awaited"),
    "endless reply": (endless_lines, "while %s was awaited"),
    "421": (lambda code: CLOSING, "421 4.3.2 we close"),
    "421 and closes": (lambda code: itertools.chain([CLOSING], _closing()), "421 4.3.2 we close"),
}
CASES = list(itertools.product(STAGES, FAULTS))


def _closing():
    yield b""
    raise OSError("closes now")


@dataclass
class Case:
    """A peer with its fault, and the message that it got."""

    peer: ScriptedPeer
    queue_id: str = ""


def replies_of(stage, fault):
    make, _ = FAULTS[fault]
    return {stage: lambda _: make(CODES.get(stage, b"250"))}


@pytest.fixture(scope="module")
def matrix():
    """All faults at once: every message has been tried in vain, then all peers were mended."""
    cases = {case: Case(ScriptedPeer(replies_of(*case))) for case in CASES}
    routes = {f"n{number}.example": case.peer.next_hop for number, case in enumerate(cases.values())}
    instance = Instance(routes=routes, queue=fate.RETRIES, smtp_client={**fate.PATIENCE, "idle_time": "1s"})
    try:
        instance.start()
        for number, case in enumerate(cases.values()):
            case.queue_id = fate.submit(instance, f"ann@n{number}.example")
        told = {case.queue_id for (stage, _), case in cases.items() if stage != "QUIT"}
        settle(lambda: told <= of_smtp(instance, "deferred").keys())
        listed = {entry["id"]: entry for entry in instance.queue()}
        for case in cases.values():
            case.peer.mend()
        settle(lambda: not instance.queue())
        everybody = {case.queue_id for case in cases.values()}
        settle(lambda: everybody <= of_smtp(instance, "delivered").keys())
        yield instance, cases, listed
    finally:
        for case in cases.values():
            case.peer.__exit__()
        instance.remove()


def settle(condition):
    """What does not come to be is told by the test that it belongs to."""
    try:
        wait_for(condition, 30, "the matrix to settle", interval=0.1)
    except TimedOut:
        pass


def of_smtp(instance, decision):
    """The records by smtp of this decision, by queue id."""
    found = {}
    for record in instance.history():
        if record["by"] == "smtp" and record["decision"] == decision:
            found.setdefault(record["id"], []).append(record)
    return found


@pytest.mark.parametrize(("stage", "fault"), [case for case in CASES if case[0] != "QUIT"],
                         ids=lambda value: value.replace(" ", "-"))
def test_mail_waits_with_the_reason_and_arrives_once(matrix, stage, fault):
    instance, cases, listed = matrix
    case = cases[stage, fault]
    _, reason = FAULTS[fault]
    deferred = of_smtp(instance, "deferred").get(case.queue_id, [])
    assert deferred, f"never deferred\n{instance.report()}"
    outcome, host = fate.outcome_of(deferred[0])
    expected = reason % WAITING_FOR[stage] if "%s" in reason else reason
    assert expected in outcome
    if fault.startswith("421"):
        assert host == "[127.0.0.1]", "the server's own word"
    else:
        assert f"[127.0.0.1]:{case.peer.port}: " in outcome and outcome.startswith("451 4.")
    entry = listed[case.queue_id]
    assert entry["state"] in ("deferred", "active", "ready")
    assert case.queue_id not in {entry["id"] for entry in instance.queue()}
    assert len(of_smtp(instance, "delivered").get(case.queue_id, [])) == 1
    (message,) = case.peer.taken
    assert message.content.endswith(fate.CONTENT)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_after_the_delivery_changes_nothing(matrix, fault):
    instance, cases, _ = matrix
    case = cases["QUIT", fault]
    assert case.queue_id not in of_smtp(instance, "deferred")
    assert len(of_smtp(instance, "delivered").get(case.queue_id, [])) == 1
    (message,) = case.peer.taken
    assert message.content.endswith(fate.CONTENT)
    assert "QUIT" in case.peer.said


def test_the_server_is_as_healthy_as_before(matrix):
    instance, _, _ = matrix
    assert all(process["restarts"] == 0 for process in instance.status()["processes"])
    assert instance.run("status").returncode == 0


def one_peer(make_instance, replies, **smtp_client):
    peer = ScriptedPeer(replies)
    return peer, make_instance(routes={"peer.example": peer.next_hop}, queue=fate.RETRIES,
                               smtp_client={**fate.PATIENCE, **smtp_client}).start()


def test_a_server_that_takes_no_content_is_given_up(make_instance):
    def stuck(_):
        yield b"354 go on\r\n"
        NEVER.wait(20)

    peer, instance = one_peer(make_instance, {"DATA": stuck})
    with peer:
        peer.narrow()
        content = b"Subject: large\r\n\r\n" + b"x" * 70 + b"\r\n" + (b"y" * 70 + b"\r\n") * 40_000
        queue_id = fate.submit(instance, "ann@peer.example", content=content)
        (record, *_) = fate.wait_records(instance, queue_id, "deferred")
        assert f"[127.0.0.1]:{peer.port}: timed out waiting for room to send the content" in record["outcome"]
        peer.mend()
        instance.wait_queue_empty(30)
        (message,) = peer.taken
        assert message.content.endswith(content)


def test_a_connection_that_does_not_come_to_be_is_given_up(make_instance):
    """A listener whose queue is full answers nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=1) as listener:
        port = listener.getsockname()[1]
        waiting = [socket.socket() for _ in range(8)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        instance = make_instance(routes={"full.example": f"[127.0.0.1]:{port}"}, queue=fate.RETRIES,
                                 smtp_client={**fate.PATIENCE, "connect_timeout": "1s"}).start()
        queue_id = fate.submit(instance, "ann@full.example")
        (record, *_) = fate.wait_records(instance, queue_id, "deferred")
        assert record["outcome"] == f"451 4.4.1 [127.0.0.1]:{port}: timed out waiting for the connection"
        for one in waiting:
            one.close()


def test_a_connection_that_the_server_ends_while_idle_costs_nothing(make_instance):
    peer, instance = one_peer(make_instance, {}, idle_time="30s", site_concurrency=1)
    with peer:
        first = fate.submit(instance, "ann@peer.example")
        fate.wait_records(instance, first, "delivered")
        peer.hang_up()
        second = fate.submit(instance, "ann@peer.example")
        fate.wait_records(instance, second, "delivered")
        assert len(peer.taken) == 2 and len(peer.meetings) == 2
        assert not fate.records(instance, second, "deferred")


def test_a_connection_that_dies_between_two_messages_is_opened_anew_at_once(make_instance):
    """The server closes when the second message begins, as one does whose patience ends at that moment."""
    begun = []

    def mail(_):
        begun.append(1)
        return CLOSE if len(begun) == 2 else b"250 2.1.0 ok\r\n"

    peer, instance = one_peer(make_instance, {"MAIL": mail}, idle_time="30s")
    with peer:
        for _ in range(2):
            queue_id = fate.submit(instance, "ann@peer.example")
            fate.wait_records(instance, queue_id, "delivered")
        assert len(peer.taken) == 2 and len(peer.meetings) == 2
        assert not fate.records(instance, queue_id, "deferred")


@pytest.mark.parametrize(("options", "reason"), [
    (("-q", "connect"), "lost connection"),
    (("-q", "ehlo"), "lost connection"),
    (("-q", "mail"), "lost connection"),
    (("-q", "rcpt"), "lost connection"),
    (("-q", "data"), "lost connection"),
    (("-q", "."), "lost connection"),
    (("-Q", "mail"), "421 "),
    (("-Q", "."), "421 "),
    (("-r", "mail"), "450 4.3.0 "),
    (("-r", "rcpt"), "450 4.3.0 "),
    (("-r", "data"), "450 4.3.0 "),
    (("-r", "."), "450 4.3.0 "),
    (("-f", "connect"), "500 "),
    (("-r", "connect"), "450 "),
], ids=lambda value: "".join(value) if isinstance(value, tuple) else "")
def test_smtp_sink_refuses_for_a_time(sinks, options, reason):
    instance, made, ids = sinks
    (record, *_) = fate.wait_records(instance, ids[options], "deferred")
    outcome, host = fate.outcome_of(record)
    assert reason in outcome
    assert f":{made[options].port}" in outcome or host == "[127.0.0.1]"
    assert not fate.records(instance, ids[options], "delivered")
    assert ids[options] in [entry["id"] for entry in instance.queue()]


@pytest.fixture(scope="module")
def sinks(request):
    """A sink for each set of options, and a message for each."""
    (marker,) = [mark for mark in test_smtp_sink_refuses_for_a_time.pytestmark if mark.name == "parametrize"]
    made = {options: Sink(*options).start() for options, _ in marker.args[1]}
    routes = {f"n{number}.example": sink.next_hop for number, sink in enumerate(made.values())}
    instance = Instance(routes=routes, queue=fate.RETRIES, smtp_client=fate.PATIENCE)
    try:
        instance.start()
        ids = {options: fate.submit(instance, f"ann@n{number}.example") for number, options in enumerate(made)}
        yield instance, made, ids
    finally:
        for sink in made.values():
            sink.__exit__()
        instance.remove()
