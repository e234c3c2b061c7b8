"""Reload under load: no connection refused, no session cut, every message once."""

import signal
import socket
import threading

import kill_audit
import kill_client
import pytest
from harness import proc
from harness.session import Session
from harness.waiting import wait_for

RELOADS = 100
CONTENT = b"Subject: through all reloads\r\n\r\nstill here\r\n"


class Knocker(threading.Thread):
    """Connects again and again, and keeps what went wrong."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.greeted, self.complaints = port, 0, []
        self._stop_it = threading.Event()

    def run(self):
        while not self._stop_it.wait(0.005):
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
                    greeting = connection.recv(1024)
                    connection.sendall(b"QUIT\r\n")
                if greeting.startswith(b"220 "):
                    self.greeted += 1
                else:
                    self.complaints.append(f"greeted with {greeting!r}")
            except OSError as error:
                self.complaints.append(f"{type(error).__name__}: {error}")

    def finish(self):
        self._stop_it.set()
        self.join(30)


def generation(instance):
    """The newest generation of the configuration that an smtpd runs with."""
    processes = instance.status()["processes"]
    return max(p["generation"] for p in processes if p["program"] == "smtpd" and p["state"] == "running")


def workers(instance):
    return {process.pid for process in instance.compartments() if process.name == "smtpd"}


def await_renewal(instance, before):
    """Waits until fresh workers serve, as many as there were."""
    wait_for(lambda: len(workers(instance) - before) >= 1 and generation_is_whole(instance), 30,
             lambda: f"fresh workers beside {before}\n{instance.report()}", interval=0.005)


def generation_is_whole(instance):
    """Whether the renewed compartments all run the same, newest generation."""
    running = [p for p in instance.status()["processes"] if p["state"] == "running"]
    return len({p["generation"] for p in running}) == 1


@pytest.mark.release_only
def test_a_hundred_reloads_under_load_refuse_nobody_and_cut_no_session(instance):
    log = instance.directory / "client.jsonl"
    client = kill_client.NumberedClient(instance.port, log, instance.users, sessions=10, pause=0.03)
    knocker = Knocker(instance.port)
    with Session(instance.port) as old:
        client.start()
        knocker.start()
        wait_for(lambda: client.acknowledged > 20, 30, "the load to begin")
        first = generation(instance)
        for turn in range(RELOADS):
            before = workers(instance)
            instance.process.send_signal(signal.SIGHUP)
            await_renewal(instance, before)
            if turn % 20 == 0:
                assert old.deliver("old@client.example.net", ["alice@example.org"], CONTENT)[0] == 250
        assert generation(instance) >= first + RELOADS
        reached = client.acknowledged
        wait_for(lambda: client.acknowledged > reached, 30, "the load to go on")
        assert old.deliver("old@client.example.net", ["alice@example.org"], CONTENT)[0] == 250
        knocker.finish()
        attempts = client.finish()
    assert knocker.complaints == [] and knocker.greeted > RELOADS
    bad = [attempt for attempt in attempts if attempt.result != kill_client.ACKNOWLEDGED]
    assert not bad, f"{len(bad)} attempts ended otherwise: {bad[:5]}"
    instance.wait_queue_empty()
    check_mailboxes(instance, attempts, other=RELOADS // 20 + 1)


def check_mailboxes(instance, attempts, other):
    """Every number once; `other` messages besides, which the audit does not know."""
    findings = kill_audit.audit(attempts, [], instance.state / "mail", instance.users, instance.history())
    unknown = [failure for failure in findings.failures if "is no message of this run" in failure]
    assert len(unknown) == other
    assert len(findings.failures) == other, findings.table()


def test_a_session_from_before_is_served_to_its_end_and_then_its_worker_goes(instance):
    before = instance.compartments()
    with Session(instance.port) as old:
        done = instance.run("reload")
        assert done.returncode == 0, done.stderr
        assert old.deliver("old@client.example.net", ["alice@example.org"], CONTENT)[0] == 250
        with Session(instance.port) as fresh:
            assert fresh.deliver("new@client.example.net", ["alice@example.org"], CONTENT)[0] == 250
    renewed = [p for p in before if p.name in ("smtpd", "router", "users", "virtual")]
    instance.wait_gone(renewed)
    kept = [p for p in before if p.name in ("spool", "qmgr", "log")]
    assert len(kept) == 3 and all(map(proc.alive, kept)), "they take their slice and are not renewed"


def test_a_reload_takes_what_the_configuration_says_now(instance):
    instance.configure(smtp={"max_message": "100 KiB"})
    before = [process for process in instance.compartments() if process.name == "smtpd"]
    assert instance.run("reload").returncode == 0
    instance.wait_gone(before)  # one that has just been told to end may still take a connection
    with Session(instance.port) as session:
        assert int(session.esmtp_features["size"]) == 100 * 1024
        assert session.docmd("MAIL", "FROM:<a@client.example.net> SIZE=200000")[0] == 552


def test_a_configuration_that_is_wrong_is_refused_and_the_old_one_stays(instance):
    before = workers(instance)
    number = generation(instance)
    instance.write_config(instance.config.read_text().replace('"hostname"', "hostnaem"))
    done = instance.run("reload")
    assert done.returncode != 0
    assert "hostnaem" in done.stderr and "sternpost.toml:" in done.stderr and "hostname" in done.stderr
    assert workers(instance) == before and generation(instance) == number
    with Session(instance.port) as session:
        assert session.deliver("a@client.example.net", ["alice@example.org"], CONTENT)[0] == 250


def test_a_wrong_configuration_by_sighup_is_refused_in_the_log(instance):
    before = workers(instance)
    instance.write_config("setup = \n")
    instance.process.send_signal(signal.SIGHUP)
    log = instance.state / "log" / "mail.log"
    wait_for(lambda: log.exists() and "sternpost.toml:1" in log.read_text(), 20,
             lambda: f"a refusal\n{instance.report()}")
    assert workers(instance) == before
    with Session(instance.port) as session:
        assert session.deliver("a@client.example.net", ["alice@example.org"], CONTENT)[0] == 250
