"""The tests' own tools, against a stand-in server: that they pass what is right and notice what is wrong."""

import os
import select
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime

import kill_audit
import kill_client
import pytest
from harness import maildir, proc
from harness.debugger import Debugger, Gone, sockaddr_in
from harness.session import Session, wire_form
from harness.stand_in import StandIn

USERS = ("alice", "bob", "carol")


def run_client(directory, fault=lambda _: None, kills_after=lambda _: (), messages=120):
    """The numbered client against a stand-in; the audit's findings. `kills_after(attempts)` are the kills."""
    with StandIn(directory / "mail", USERS, fault) as server:
        client = kill_client.NumberedClient(server.port, directory / "client.jsonl", USERS, sessions=10,
                                            total=messages)
        client.start().join(30)
    attempts = kill_audit.load_attempts(directory / "client.jsonl")
    return kill_audit.audit(attempts, kills_after(attempts), directory / "mail", USERS, [])


def kill_of(compartment, at, ports=(), seconds=1.0):
    """A kill after which the replacement runs `seconds` later."""
    return kill_audit.Kill(at, at + 0.01, at + seconds, compartment, 1, list(ports))


def the_cut_one(attempts):
    (cut,) = [attempt for attempt in attempts if attempt.result == kill_client.AMBIGUOUS]
    return cut


def test_a_run_without_faults_passes_the_audit(tmp_path):
    findings = run_client(tmp_path)
    assert findings.failures == []
    assert findings.acknowledged == 120
    assert findings.files == 132  # every tenth has two recipients


def test_temporary_refusals_are_tried_again_under_the_same_number(tmp_path):
    findings = run_client(tmp_path, lambda n: "defer" if n % 3 == 0 else None)
    assert findings.failures == []
    assert findings.results["deferred"] > 30


@pytest.mark.parametrize("fault, complaint", [
    ("lose", "LOST"), ("damage", "damaged"), ("duplicate", "DUPLICATE"), ("cut", "no kill cut this session"),
])
def test_the_audit_notices(tmp_path, fault, complaint):
    findings = run_client(tmp_path, lambda n: fault if n == 40 else None)
    assert any(complaint in failure for failure in findings.failures), findings.table()


def cut_once(number):
    return "cut" if number == 40 else None


def test_a_second_queueing_is_explained_by_the_kill_of_the_smtpd_that_held_the_session(tmp_path):
    findings = run_client(tmp_path, cut_once, lambda attempts: [
        kill_of("smtpd", the_cut_one(attempts).ended, [the_cut_one(attempts).port])])
    assert findings.failures == []
    assert findings.second_queueings >= 1


@pytest.mark.parametrize("compartment, moved, port", [
    ("spool", 0, 0), ("virtual", 0, 0), ("smtpd", 0, 1), ("smtpd", 60, 0), ("smtpd", -60, 0), ("master", 60, 0),
    ("master", -60, 0),
], ids=["spool", "virtual", "another worker", "a later kill", "an earlier kill", "master later", "master earlier"])
def test_a_second_queueing_is_not_explained_by(tmp_path, compartment, moved, port):
    findings = run_client(tmp_path, cut_once, lambda attempts: [
        kill_of(compartment, the_cut_one(attempts).ended + moved, [the_cut_one(attempts).port + port])])
    assert any("no kill cut this session" in failure for failure in findings.failures), findings.table()


def text_of(moment):
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def delivered(at, again=False):
    """The record that message abc was delivered to bob."""
    facts = {"attempted": text_of(at - 0.1), **({"found": "made by an earlier attempt"} if again else {})}
    return {"at": text_of(at), "by": "virtual", "decision": "delivered", "id": "abc",
            "recipient": "bob@example.org", "facts": facts}


class Doubled:
    """One message that stands twice in bob's mailbox, both files made at `made`."""

    def __init__(self, directory, files=2):
        now = time.time()
        self.mail = directory / "mail"
        self.attempt = kill_client.Attempt(1, kill_client.ACKNOWLEDGED, now - 9, now - 8, now - 9, 250, "abc",
                                           "queued as abc")
        with StandIn(self.mail, USERS) as server:
            for _ in range(files):
                server._deliver("abc", "x@y", "bob@example.org", kill_client.content_of(1))
        self.made = max(message.path.stat().st_ctime for message in maildir.read(self.mail / "bob"))

    def failures(self, kills, history=()):
        return kill_audit.audit([self.attempt], kills, self.mail, USERS, history).failures


def test_two_files_of_one_id_are_explained_only_by_an_agent_killed_with_it_in_hand(tmp_path):
    doubled = Doubled(tmp_path)
    at_once = doubled.made - 0.005  # between the two, as far as the file system's clock tells
    assert not doubled.failures([kill_of("virtual", at_once)])
    assert not doubled.failures([kill_of("master", at_once)])
    assert doubled.failures([kill_of("spool", at_once)])
    assert doubled.failures([kill_of("smtpd", at_once)])
    assert doubled.failures([kill_of("virtual", doubled.made - 9)])
    assert doubled.failures([kill_of("virtual", doubled.made + 9)])
    assert doubled.failures([])


def test_a_duplicate_of_what_was_delivered_a_second_before_the_kill_is_a_failure(tmp_path):
    """What an agent has reported is not in its hand any more: its kill excuses nothing."""
    doubled = Doubled(tmp_path)
    kills = [kill_of(agent, doubled.made + 1) for agent in ("virtual", "master")]
    assert any("DUPLICATE" in failure for failure in doubled.failures(kills, [delivered(doubled.made + 0.02)]))
    assert any("DUPLICATE" in failure for failure in doubled.failures(kills))


def test_a_duplicate_of_what_was_recorded_before_the_kill_is_a_failure_however_late_the_second_file_is(tmp_path):
    doubled = Doubled(tmp_path)
    kill = kill_of("virtual", doubled.made - 0.005)
    assert not doubled.failures([kill], [delivered(doubled.made + 0.1)])
    assert doubled.failures([kill], [delivered(doubled.made - 0.006)])


def test_a_second_attempt_that_found_the_first_file_needs_a_killed_agent_too(tmp_path):
    once = Doubled(tmp_path, files=1)
    again = delivered(once.made + 2, again=True)
    assert once.failures([], [again])
    assert once.failures([kill_of("spool", once.made + 1)], [again])
    assert once.failures([kill_of("virtual", once.made + 1)], [delivered(once.made + 0.5), again])
    assert not once.failures([kill_of("virtual", once.made + 1)], [again])


def test_a_connection_that_is_refused_needs_a_master_that_was_away(tmp_path):
    now = time.time()
    refused = kill_client.Attempt(1, kill_client.NOT_CONNECTED, now, now + 0.01, connected=now)
    sent = kill_client.Attempt(1, kill_client.ACKNOWLEDGED, now, now + 1, now, 250, "abc", "queued as abc")
    with StandIn(tmp_path / "mail", USERS) as server:
        server._deliver("abc", "x@y", "bob@example.org", kill_client.content_of(1))

    def failures(kill):
        return kill_audit.audit([refused, sent], [kill], tmp_path / "mail", USERS, []).failures

    assert not failures(kill_of("master", now - 0.5))
    assert failures(kill_of("master", now - 2))
    assert failures(kill_of("master", now + 2))
    assert failures(kill_of("smtpd", now - 0.5))


def test_sessions_send_octets_as_they_are(tmp_path):
    content = b"Subject: x\r\n\r\n.dot\r\n..two\r\n\r\n.\r\nend\r\n"
    with StandIn(tmp_path, USERS) as server, Session(server.port) as session:
        assert session.deliver("a@b", ["alice@example.org"], content)[0] == 250
    (message,) = maildir.read(tmp_path / "alice")
    assert message.content == content
    assert (message.return_path, message.delivered_to) == ("<a@b>", "alice@example.org")
    assert message.queue_id == "id000001"


@pytest.mark.parametrize("content, wire", [
    (b"", b".\r\n"), (b".", b"..\r\n.\r\n"), (b"a\n.\nb", b"a\n.\nb\r\n.\r\n"),
    (b"a\r\n.\r\n", b"a\r\n..\r\n.\r\n"), (b"a\r", b"a\r\r\n.\r\n"),
])
def test_the_wire_form_doubles_dots_after_crlf_only(content, wire):
    assert wire_form(content) == wire


@pytest.fixture
def sleeper():
    """A process that waits for its standard input, as a compartment waits for its channels."""
    process = subprocess.Popen(
        [sys.executable, "-c", "import select, sys\np = select.epoll()\np.register(0)\n"
         "print('up', flush=True)\nwhile not p.poll(): pass\nprint(sys.stdin.readline().strip())"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert select.select([process.stdout], [], [], 10)[0]
    assert process.stdout.readline() == "up\n"
    yield process
    process.kill()
    process.communicate()


@pytest.mark.root_only
def test_the_debugger_makes_a_process_do_calls_and_leaves_it_as_it_was(sleeper):
    with Debugger(sleeper.pid) as debugger:
        assert debugger.call("getpid") == sleeper.pid
        descriptor = debugger.call("openat", -100, b"/etc/passwd", 0, 0)
        assert os.readlink(f"/proc/{sleeper.pid}/fd/{descriptor}") == "/etc/passwd"
        assert debugger.call("socket", 2, 1, 0) > 0
        assert debugger.call("connect", -1, sockaddr_in("127.0.0.1", 25), 16) == -9  # EBADF
        assert debugger.call("fork") > 0
        assert debugger.call("execve", b"/nowhere", 0, 0) == -2  # ENOENT
    assert [process.pid for process in proc.tree(sleeper.pid)] == [sleeper.pid]
    sleeper.stdin.write("as before\n")
    sleeper.stdin.flush()
    assert sleeper.stdout.readline() == "as before\n"


@pytest.mark.root_only
def test_the_debugger_says_when_a_call_kills_the_process(sleeper):
    with pytest.raises(Gone, match="signal 9"), Debugger(sleeper.pid) as debugger:
        debugger.call("kill", sleeper.pid, signal.SIGKILL)


def test_what_a_sanitizer_reports_fails_the_test_even_where_the_process_was_replaced(make_instance):
    instance = make_instance()
    instance.output += ["sternpost: ready\n", "a.cc:7:3: runtime error: signed integer overflow\n", "#0 0x1 in f\n"]
    with pytest.raises(AssertionError, match="a.cc:7:3: runtime error"):
        instance.remove()
    instance.output.clear()
