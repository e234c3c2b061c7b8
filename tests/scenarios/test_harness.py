"""The tests' own tools, against a stand-in server: that they pass what is right and notice what is wrong."""

import os
import select
import signal
import subprocess
import sys
import time

import kill_audit
import kill_client
import pytest
from harness import maildir, proc
from harness.debugger import Debugger, Gone, sockaddr_in
from harness.session import Session, wire_form
from harness.stand_in import StandIn

USERS = ("alice", "bob", "carol")


def run_client(directory, fault=lambda _: None, kills=(), messages=120):
    """The numbered client against a stand-in; the audit's findings."""
    with StandIn(directory / "mail", USERS, fault) as server:
        client = kill_client.NumberedClient(server.port, directory / "client.jsonl", USERS, sessions=10,
                                            total=messages)
        client.start().join(30)
    attempts = kill_audit.load_attempts(directory / "client.jsonl")
    return kill_audit.audit(attempts, list(kills), directory / "mail", USERS)


def kill_of(compartment, seconds=60):
    """A kill that lasts all the time of the test."""
    now = time.time()
    return kill_audit.Kill(now, now + seconds, compartment, 1, 1)


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
    ("lose", "LOST"), ("damage", "damaged"), ("duplicate", "DUPLICATE"), ("cut", "neither smtpd nor master"),
])
def test_the_audit_notices(tmp_path, fault, complaint):
    findings = run_client(tmp_path, lambda n: fault if n == 40 else None)
    assert any(complaint in failure for failure in findings.failures), findings.table()


def test_a_second_queueing_is_explained_by_a_cut_connection_when_smtpd_was_killed(tmp_path):
    findings = run_client(tmp_path, lambda n: "cut" if n == 40 else None, [kill_of("smtpd")])
    assert findings.failures == []
    assert findings.second_queueings >= 1


def test_a_second_queueing_is_not_explained_by_a_kill_of_spool(tmp_path):
    findings = run_client(tmp_path, lambda n: "cut" if n == 40 else None, [kill_of("spool")])
    assert any("neither smtpd nor master" in failure for failure in findings.failures)


def test_two_files_of_one_id_are_explained_only_by_an_agent_killed_in_flight(tmp_path):
    now = time.time()
    attempt = kill_client.Attempt(1, kill_client.ACKNOWLEDGED, now - 2, now - 1, now - 2, 250, "abc",
                                  "queued as abc")
    with StandIn(tmp_path / "mail", USERS) as server:
        for _ in range(2):
            server._deliver("abc", "x@y", "bob@example.org", kill_client.content_of(1))
    delivered = time.time()

    def failures(*kills):
        return kill_audit.audit([attempt], kills, tmp_path / "mail", USERS).failures

    assert not failures(kill_audit.Kill(delivered + 0.1, delivered + 1, "virtual", 1, 1))
    assert failures(kill_audit.Kill(delivered - 9, delivered - 8, "virtual", 1, 1))
    assert failures(kill_audit.Kill(delivered + 9, delivered + 10, "virtual", 1, 1))
    assert failures(kill_audit.Kill(delivered + 0.1, delivered + 1, "spool", 1, 1))
    assert failures()


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
