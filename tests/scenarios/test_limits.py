"""What is refused, and that nothing acknowledged is lost when space, descriptors or time run out."""

import errno
import os
import resource
import signal
import socket
import subprocess
import time

import kill_audit
import kill_client
import pytest
from harness import maildir
from harness.session import Session, wire_form
from harness.waiting import wait_for

CONTENT = b"From: ann@client.example.net\r\nSubject: limits\r\n\r\nsome text\r\n"
SENDER = "ann@client.example.net"
ALICE = "alice@example.org"


def wait_arrived(instance, user="alice", number=1):
    wait_for(lambda: maildir.count(instance.mailbox(user)) >= number, 20,
             lambda: f"{number} messages for {user}\n{instance.report()}")
    return maildir.read(instance.mailbox(user))


def relaying_for(make_instance, network):
    """A started instance that takes mail for other domains from this network alone."""
    instance = make_instance()
    instance.write_config(f'relay_clients = ["{network}"]\n' + instance.config.read_text())
    return instance.start()


def test_what_is_acknowledged_survives_the_immediate_death_of_everything(make_instance):
    instance = make_instance(smtp={"hold": True}).start()
    for turn in range(3):
        with Session(instance.port) as session:
            for _ in range(20):
                assert session.deliver(SENDER, [ALICE], CONTENT)[0] == 250
            instance.kill_all()
        instance.start()
        assert len(instance.queue()) == 20 * (turn + 1)


def test_a_message_over_the_limit_is_refused_before_or_after_its_content(make_instance):
    instance = make_instance(smtp={"max_message": "100 KiB"}).start()
    with Session(instance.port) as session:
        assert session.begin(SENDER, [], " SIZE=200000")[0][0] == 552
        code, text = session.deliver(SENDER, [ALICE], CONTENT + b"x" * 70 + b"\r\n" * 200_000)
        assert code == 552 and text.startswith(b"5.3.4")
        assert session.deliver(SENDER, [ALICE], CONTENT)[0] == 250
    assert len(wait_arrived(instance)) == 1


@pytest.mark.parametrize("recipient", ["nobody@example.org", "alice.x@example.org", "alice-x@example.org"])
def test_unknown_users_are_refused_at_rcpt(instance, recipient):
    with Session(instance.port) as session:
        (_, (code, text)) = session.begin(SENDER, [recipient])
        assert code == 550 and text.startswith(b"5.1.1"), text


@pytest.mark.parametrize("recipient", ["x@example.net", "alice%example.net@example.com", "x@[192.0.2.1]"])
def test_mail_of_strangers_for_other_domains_is_refused_at_rcpt(make_instance, recipient):
    instance = relaying_for(make_instance, "192.0.2.0/24")
    with Session(instance.port) as session:
        (_, (code, text)) = session.begin(SENDER, [recipient])
        assert code in (550, 551, 554) and text.startswith(b"5."), text


def test_one_refused_recipient_does_not_touch_the_others(instance):
    with Session(instance.port) as session:
        replies = session.begin(SENDER, [ALICE, "nobody@example.org", "bob@example.org"])
        assert [code for code, _ in replies] == [250, 250, 550, 250]
        assert session.content(CONTENT)[0] == 250
    for user in ("alice", "bob"):
        (message,) = wait_arrived(instance, user)
        assert message.content == CONTENT


def test_a_slow_client_is_closed_with_421(make_instance):
    instance = make_instance(smtp={"command_timeout": "1s", "data_timeout": "1s"}).start()
    with Session(instance.port) as idle, Session(instance.port) as stuck:
        assert [code for code, _ in stuck.begin(SENDER, [ALICE])] == [250, 250]
        assert stuck.docmd("DATA")[0] == 354
        stuck.send(b"Subject: never finished\r\n")
        for session in (idle, stuck):
            session.sock.settimeout(15)
            assert session.file.readline().startswith(b"421")
            assert session.file.read() == b""
    with Session(instance.port) as session:
        assert session.deliver(SENDER, [ALICE], CONTENT)[0] == 250
    assert [message.content for message in wait_arrived(instance)] == [CONTENT]


def test_a_client_that_sends_octet_by_octet_is_served(instance):
    with Session(instance.port) as session:
        session.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        assert [code for code, _ in session.begin(SENDER, [ALICE])] == [250, 250]
        assert session.docmd("DATA")[0] == 354
        for octet in wire_form(CONTENT):
            session.sock.sendall(bytes([octet]))
        assert session.getreply()[0] == 250
    assert wait_arrived(instance)[0].content == CONTENT


# --- smuggling: sequences that must never end the data (hannob/smtpsmug and The-Login's tables) -----------

SEQUENCES = {
    1: b"\n.\n", 2: b"\n.\r", 3: b"\r.\n", 4: b"\r.\r", 5: b"\n.\r\n", 6: b"\r.\r\n", 7: b"\r\n.\n",
    8: b"\r\n.\r", 9: b"\r\n\0.\r\n", 10: b"\r\n.\0\r\n", 11: b"\r\n.\r\r\n", 12: b"\r\r\n.\r\r\n",
}
SMUGGLED = (b"MAIL FROM:<evil@client.example.net>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n"
            b"Subject: smuggled\r\n\r\nsmuggled")


@pytest.mark.parametrize("normalize", [False, True], ids=["default", "normalize"])
def test_no_sequence_but_crlf_dot_crlf_ends_the_data(make_instance, normalize):
    instance = make_instance(smtp={"normalize": normalize, "max_errors": 1000}).start()
    for number, sequence in SEQUENCES.items():
        with Session(instance.port) as session:
            assert [code for code, _ in session.begin(SENDER, [ALICE])] == [250, 250]
            assert session.docmd("DATA")[0] == 354
            session.send(CONTENT + b"before" + sequence + SMUGGLED + b"\r\n.\r\n")
            code, text = session.getreply()
            assert 500 <= code < 560, f"sequence {number}: {code} {text}"
            # In step: the next reply belongs to the next command.
            assert session.docmd("NOOP")[0] == 250, f"sequence {number}"
            assert session.deliver(SENDER, [ALICE], CONTENT)[0] == 250, f"sequence {number}"
    messages = wait_arrived(instance, number=len(SEQUENCES))
    assert [message.content for message in messages] == [CONTENT] * len(SEQUENCES)
    instance.wait_queue_empty()
    assert maildir.count(instance.mailbox("bob")) == 0


def test_commands_sent_ahead_of_the_354_are_not_content(instance):
    """Sequence 13: the next transaction pipelined behind DATA, which RFC 2920 forbids."""
    with Session(instance.port) as session:
        assert [code for code, _ in session.begin(SENDER, [ALICE])] == [250, 250]
        session.send(b"DATA\r\n" + wire_form(CONTENT) + SMUGGLED[:-8] + b"\r\n.\r\nQUIT\r\n")
        replies = session.file.read()
    codes = [line[:3] for line in replies.split(b"\r\n") if line]
    # Either all of it is taken in order, or the session is ended: nothing is lost between two messages.
    accepted = codes.count(b"250")
    assert codes[0] in (b"354", b"503", b"554", b"421"), replies
    instance.wait_queue_empty()
    delivered = maildir.count(instance.mailbox("alice")) + maildir.count(instance.mailbox("bob"))
    assert delivered <= accepted


# --- no space, no descriptors --------------------------------------------------------------------

@pytest.fixture
def small_spool(make_instance):
    """An instance whose spool lies on a file system of 12 MiB."""
    instance = make_instance(smtp={"max_message": "400 KiB"}, spool={"segment": "1 MiB", "min_free": "1 MiB"})
    spool = instance.state / "spool"
    spool.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m,mode=0700", "tmpfs", spool],
                             capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"cannot mount a small file system: {mounted.stderr.strip()}")
    yield instance.start()
    if instance.process.poll() is None:
        instance.kill_all()
    subprocess.run(["umount", "-l", spool], check=True)


def fill(folder):
    """Takes all the space that is left; the path of the file that has it."""
    path = os.path.join(folder, "filler")
    with open(path, "wb", buffering=0) as filler:
        try:
            while filler.write(bytes(65536)):
                pass
        except OSError as error:
            assert error.errno == errno.ENOSPC
    return path


def wait_deferral(instance, client):
    """Waits for a temporary refusal from now on."""
    seen = len(client.attempts)
    wait_for(lambda: any(a.result == kill_client.DEFERRED for a in client.attempts[seen:]), 60,
             lambda: f"a temporary refusal after {client.acknowledged} messages\n{instance.report()}")


def wait_recovery(instance, client):
    """Waits until messages are taken again."""
    reached = client.acknowledged
    wait_for(lambda: client.acknowledged > reached + 50, 60,
             lambda: f"more than {reached} messages, there are {client.acknowledged}\n{instance.report()}")


@pytest.mark.root_only
def test_a_full_disk_defers_and_loses_nothing_and_recovers(small_spool):
    """Delivery stands still, so that mail piles up, twice: once without any space, once down to the floor."""
    instance = small_spool
    (agent,) = [process for process in instance.compartments() if process.name == "virtual"]
    os.kill(agent.pid, signal.SIGSTOP)
    client = kill_client.NumberedClient(instance.port, instance.directory / "client.jsonl", instance.users,
                                        sessions=4)
    filler = fill(instance.state / "spool")
    client.start()
    wait_deferral(instance, client)
    os.unlink(filler)
    wait_recovery(instance, client)
    wait_deferral(instance, client)
    os.kill(agent.pid, signal.SIGCONT)
    wait_recovery(instance, client)
    attempts = client.finish()
    deferrals = [attempt for attempt in attempts if attempt.result == kill_client.DEFERRED]
    assert {attempt.code for attempt in deferrals} == {452}, {(a.code, a.text) for a in deferrals}
    instance.wait_queue_empty()
    findings = kill_audit.audit(attempts, [], instance.state / "mail", instance.users,
                                instance.history())
    assert not findings.failures, findings.table()
    assert instance.stop() == 0


def test_more_clients_than_descriptors_are_turned_away_and_the_others_served(make_instance):
    """The bound on sessions is below the bound on descriptors; beyond it clients are told to come again."""
    instance = make_instance(smtp={"workers": 1, "max_sessions": 20, "max_sessions_per_client": 1000}).start()
    with Session(instance.port) as served:
        others = [socket.create_connection(("127.0.0.1", instance.port), timeout=20) for _ in range(60)]
        greetings = [other.recv(200)[:3] for other in others]
        assert greetings.count(b"220") == 19 and greetings.count(b"421") == 41
        assert served.deliver(SENDER, [ALICE], CONTENT)[0] == 250
        for other in others:
            other.close()
        wait_for(lambda: greets(instance.port), 20, "that a new client is served")
    assert len(wait_arrived(instance)) == 1


def greets(port):
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        return connection.recv(200).startswith(b"220")


def few_descriptors():
    """For the process that will be master: its children cannot have more either."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (160, 160))


@pytest.mark.root_only
def test_too_few_descriptors_let_clients_wait_and_the_others_be_served(make_instance):
    """EMFILE: an ordinary user's hard limit is lower than the sessions that the configuration allows."""
    instance = make_instance(smtp={"workers": 1}, run_as="nobody")
    instance.start(preexec_fn=few_descriptors)
    (worker,) = [process for process in instance.compartments() if process.name == "smtpd"]
    others = [socket.create_connection(("127.0.0.1", instance.port), timeout=20) for _ in range(200)]
    assert others[0].recv(200).startswith(b"220")
    wait_for(lambda: len(os.listdir(f"/proc/{worker.pid}/fd")) >= 128, 20, "that all descriptors are taken")
    router = next(process for process in instance.compartments() if process.name == "router")
    os.kill(router.pid, signal.SIGKILL)  # the worker has room for the channel to the next one
    before, began = ticks(worker), time.monotonic()
    for _ in range(20):
        others[0].sendall(b"NOOP\r\n")
        assert others[0].recv(4096), "a client that is already served gets no answer"
        time.sleep(0.02)  # the time over which spinning would show
    spent, passed = ticks(worker) - before, time.monotonic() - began
    assert spent <= passed * os.sysconf("SC_CLK_TCK") * 0.5 + 5, "it spins on accept"
    for other in others:
        other.close()
    wait_for(lambda: greets(instance.port), 20, lambda: f"that a new client is served\n{instance.report()}")
    with Session(instance.port) as session:
        assert session.deliver(SENDER, [ALICE], CONTENT)[0] == 250
    assert [p for p in instance.compartments() if p.name == "smtpd"] == [worker]


def ticks(process):
    """Processor time, in clock ticks."""
    with open(f"/proc/{process.pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


@pytest.mark.parametrize("network, code, status", [("192.0.2.0/24", 550, b"5.7.1 "), ("127.0.0.0/8", 250, b"2.1.5 ")])
def test_relay_clients_decides_whose_mail_for_other_domains_is_taken(make_instance, network, code, status):
    with Session(relaying_for(make_instance, network).port) as session:
        reply = session.begin(SENDER, ["bob@elsewhere.example"])[1]
    assert reply[0] == code and reply[1].startswith(status), reply
